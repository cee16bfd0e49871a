noinst_LIBRARIES += src/libwire.a
src_libwire_a_SOURCES = \
	src/wire/b64.c src/wire/b64.h \
	src/wire/checkup.c src/wire/checkup.h \
	src/wire/confbuild.c src/wire/confbuild.h \
	src/wire/confcheck.c src/wire/confcheck.h \
	src/wire/confdiff.c \
	src/wire/confdone.c \
	src/wire/confenv.c src/wire/confenv.h \
	src/wire/conffile.c src/wire/conffile.h \
	src/wire/confget.c src/wire/confget.h \
	src/wire/confgen.c src/wire/confgen.h \
	src/wire/confguc.c src/wire/confguc.h \
	src/wire/confkeys.c src/wire/confkeys.h \
	src/wire/confnet.c \
	src/wire/confpooler.c \
	src/wire/confpg.c \
	src/wire/confprint.c \
	src/wire/confproblem.c src/wire/confproblem.h \
	src/wire/confremote.c src/wire/confremote.h \
	src/wire/confsample.c \
	src/wire/conftags.c \
	src/wire/confvalue.c src/wire/confvalue.h \
	src/wire/etcdmsg.c src/wire/etcdmsg.h \
	src/wire/etcdmsg_read.c \
	src/wire/jtext.c src/wire/jtext.h \
	src/wire/metrics.c src/wire/metrics.h \
	src/wire/pct.c src/wire/pct.h \
	src/wire/record.c src/wire/record.h \
	src/wire/record_failsafe.c \
	src/wire/record_fence.c \
	src/wire/record_history.c \
	src/wire/record_member.c \
	src/wire/resthosts.c \
	src/wire/restevents.c src/wire/restevents.h \
	src/wire/restmsg.c src/wire/restmsg.h \
	src/wire/restmsg_cluster.c \
	src/wire/restmsg_command.c \
	src/wire/restmsg_config.c \
	src/wire/restopenapi.c src/wire/restopenapi.h \
	src/wire/restroute.c src/wire/restroute.h \
	src/wire/restview.c src/wire/restview.h \
	src/wire/restview_health.c \
	src/wire/restview_metrics.c \
	src/wire/restview_own.c \
	src/wire/restview_ready.c \
	src/wire/telemetry.c src/wire/telemetry.h \
	src/wire/tree.c src/wire/tree.h \
	src/wire/treedump.c src/wire/treedump.h \
	src/wire/treejson.c \
	src/wire/viewtext.c src/wire/viewtext.h \
	src/wire/yamlscalar.c src/wire/yamlscalar.h \
	src/wire/yamltree.c src/wire/yamltree.h

if HAVE_CRITERION
WIRE_TEST_LIBS = src/libwire.a $(CORE_LIBS) $(JANSSON_LIBS) $(YAML_LIBS) $(CRITERION_LIBS)
wire_tests = \
	tests/unit/test_b64 \
	tests/unit/test_confbuild \
	tests/unit/test_conffile \
	tests/unit/test_confgen \
	tests/unit/test_confguc \
	tests/unit/test_confkeys \
	tests/unit/test_confremote \
	tests/unit/test_etcdmsg \
	tests/unit/test_jtext \
	tests/unit/test_pct \
	tests/unit/test_record \
	tests/unit/test_restcluster \
	tests/unit/test_restcommand \
	tests/unit/test_restevents \
	tests/unit/test_resthosts \
	tests/unit/test_restmsg \
	tests/unit/test_restroute \
	tests/unit/test_tree \
	tests/unit/test_treedump \
	tests/unit/test_viewtext \
	tests/unit/test_yamltree
check_PROGRAMS += $(wire_tests)
TESTS += $(wire_tests)

tests_unit_test_b64_SOURCES = tests/unit/test_b64.c
tests_unit_test_b64_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_b64_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_etcdmsg_SOURCES = tests/unit/test_etcdmsg.c
tests_unit_test_etcdmsg_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_etcdmsg_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_jtext_SOURCES = tests/unit/test_jtext.c
tests_unit_test_jtext_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_jtext_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_pct_SOURCES = tests/unit/test_pct.c
tests_unit_test_pct_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pct_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_record_SOURCES = tests/unit/test_record.c
tests_unit_test_record_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_record_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_restcluster_SOURCES = tests/unit/test_restcluster.c
tests_unit_test_restcluster_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_restcluster_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_restcommand_SOURCES = tests/unit/test_restcommand.c
tests_unit_test_restcommand_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_restcommand_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_restevents_SOURCES = tests/unit/test_restevents.c
tests_unit_test_restevents_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_restevents_LDADD = src/libwire.a $(CORE_LIBS) $(JANSSON_LIBS) $(YAML_LIBS) \
	$(CRITERION_LIBS)

tests_unit_test_resthosts_SOURCES = tests/unit/test_resthosts.c
tests_unit_test_resthosts_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_resthosts_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_restmsg_SOURCES = tests/unit/test_restmsg.c
tests_unit_test_restmsg_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_restmsg_LDADD = $(WIRE_TEST_LIBS)

# Some of these read files of the source tree: the manual page and the example.
CONF_TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/lib -DSRCDIR='"$(abs_top_srcdir)"'

tests_unit_test_confbuild_SOURCES = tests/unit/test_confbuild.c tests/lib/confload.h
tests_unit_test_confbuild_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_confbuild_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_confbuild_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_conffile_SOURCES = tests/unit/test_conffile.c tests/lib/confload.h tests/lib/mutate.h
tests_unit_test_conffile_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_conffile_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_conffile_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_confgen_SOURCES = tests/unit/test_confgen.c tests/lib/confload.h
tests_unit_test_confgen_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_confgen_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_confgen_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_confguc_SOURCES = tests/unit/test_confguc.c tests/lib/confload.h
tests_unit_test_confguc_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_confguc_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_confguc_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_confkeys_SOURCES = tests/unit/test_confkeys.c tests/lib/confload.h
tests_unit_test_confkeys_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_confkeys_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_confkeys_LDADD = $(WIRE_TEST_LIBS)
tests_unit_test_confremote_SOURCES = tests/unit/test_confremote.c tests/lib/confload.h
tests_unit_test_confremote_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_confremote_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_confremote_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_restroute_SOURCES = tests/unit/test_restroute.c
tests_unit_test_restroute_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_restroute_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_restroute_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_tree_SOURCES = tests/unit/test_tree.c
tests_unit_test_tree_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_tree_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_tree_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_treedump_SOURCES = tests/unit/test_treedump.c
tests_unit_test_treedump_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_treedump_LDADD = $(WIRE_TEST_LIBS)
tests_unit_test_viewtext_SOURCES = tests/unit/test_viewtext.c
tests_unit_test_viewtext_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_viewtext_LDADD = $(WIRE_TEST_LIBS)

tests_unit_test_yamltree_SOURCES = tests/unit/test_yamltree.c
tests_unit_test_yamltree_CPPFLAGS = $(CONF_TEST_CPPFLAGS)
tests_unit_test_yamltree_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_yamltree_LDADD = $(WIRE_TEST_LIBS)
endif

# Fuzz targets over their corpus; the driver is ours, so that no special compiler is needed. With
# --enable-fuzzers it is clang's, which looks for inputs that reach more of the code: scripts/fuzz.
if FUZZERS
FUZZ_DRIVER =
FUZZ_LINK = -fsanitize=fuzzer
else
FUZZ_DRIVER = tests/fuzz/driver.c
FUZZ_LINK =
endif
wire_fuzzers = \
	tests/fuzz/fuzz_conffile \
	tests/fuzz/fuzz_etcdmsg \
	tests/fuzz/fuzz_jtext \
	tests/fuzz/fuzz_record \
	tests/fuzz/fuzz_restmsg
check_PROGRAMS += $(wire_fuzzers)
TESTS += $(wire_fuzzers)
EXTRA_DIST += tests/fuzz/corpus

tests_fuzz_fuzz_conffile_SOURCES = tests/fuzz/fuzz_conffile.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_conffile_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_conffile_LDADD = src/libwire.a $(CORE_LIBS) $(JANSSON_LIBS) $(YAML_LIBS)

tests_fuzz_fuzz_etcdmsg_SOURCES = tests/fuzz/fuzz_etcdmsg.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_etcdmsg_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_etcdmsg_LDADD = src/libwire.a $(CORE_LIBS) $(JANSSON_LIBS) $(YAML_LIBS)

tests_fuzz_fuzz_jtext_SOURCES = tests/fuzz/fuzz_jtext.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_jtext_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_jtext_LDADD = src/libwire.a $(CORE_LIBS) $(JANSSON_LIBS) $(YAML_LIBS)

tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_record_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_record_LDADD = src/libwire.a $(CORE_LIBS) $(JANSSON_LIBS) $(YAML_LIBS)

tests_fuzz_fuzz_restmsg_SOURCES = tests/fuzz/fuzz_restmsg.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_restmsg_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_restmsg_LDADD = src/libwire.a $(CORE_LIBS) $(JANSSON_LIBS) $(YAML_LIBS)
