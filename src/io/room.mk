noinst_LIBRARIES += src/libio.a
src_libio_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(PQ_CFLAGS) $(MHD_CFLAGS) \
	$(GNUTLS_CFLAGS)
src_libio_a_SOURCES =
src_libio_a_SOURCES += src/io/loop.c src/io/loop.h
src_libio_a_SOURCES += src/io/fsx.c src/io/fsx.h
src_libio_a_SOURCES += src/io/canary.c src/io/canary.h
src_libio_a_SOURCES += src/io/anew.c src/io/anew.h

# Postgres: programs, SQL, files, processes.
SQL_FILES = \
	sql/checkpoint.sql \
	sql/examine.sql \
	sql/generate.sql \
	sql/identify_system.sql \
	sql/in_recovery.sql \
	sql/password_encryption.sql \
	sql/pooler_pause.sql \
	sql/pooler_reconnect.sql \
	sql/pooler_reload.sql \
	sql/pooler_resume.sql \
	sql/probe.sql \
	sql/role_apply.sql \
	sql/role_rewind.sql \
	sql/role_stage.sql \
	sql/settings.sql \
	sql/slot_advance.sql \
	sql/slot_create.sql \
	sql/slot_drop.sql \
	sql/slots.sql \
	sql/start_replication.sql \
	sql/timeline_history.sql \
	sql/upstream.sql \
	sql/upstream_size.sql \
	sql/walreceiver.sql \
	sql/walsenders.sql
EXTRA_DIST += scripts/embed-sql.awk $(SQL_FILES)

src_libio_a_SOURCES += \
	src/io/child.c src/io/child.h \
	src/io/pg.c src/io/pg.h \
	src/io/pgask.c \
	src/io/pgboot.c \
	src/io/pgclone.c \
	src/io/pgconf.c src/io/pgconf.h \
	src/io/pgfence.c src/io/pgfence.h \
	src/io/pgconn.c src/io/pgconn.h \
	src/io/pgrows.c src/io/pgrows.h \
	src/io/pgcontrol.c src/io/pgcontrol.h \
	src/io/pgdial.c src/io/pgdial.h \
	src/io/pgdir.c src/io/pgdir.h \
	src/io/pgdiscard.c \
	src/io/pgdoor.c src/io/pgdoor.h \
	src/io/pgdsn.c src/io/pgdsn.h \
	src/io/pgexamine.c \
	src/io/generate.c src/io/generate.h \
	src/io/pgoptions.c src/io/pgoptions.h \
	src/io/replay.c src/io/replay.h \
	src/io/pgfiles.c src/io/pgfiles.h \
	src/io/pgfollow.c \
	src/io/pgfork.c src/io/pgfork.h \
	src/io/pggroup.c src/io/pggroup.h \
	src/io/pgguc.c src/io/pgguc.h \
	src/io/pginitdb.c \
	src/io/pgkinds.h \
	src/io/pgleft.c src/io/pgleft.h \
	src/io/pgprogress.c src/io/pgprogress.h \
	src/io/portcheck.c src/io/portcheck.h \
	src/io/pglog.c src/io/pglog.h \
	src/io/pgnumber.c src/io/pgnumber.h \
	src/io/pgprobe.c \
	src/io/pgproc.c src/io/pgproc.h \
	src/io/pgpromote.c \
	src/io/pgquery.c src/io/pgquery.h \
	src/io/bouncers.c src/io/bouncers.h \
	src/io/pgready.c src/io/pgready.h \
	src/io/pgreceiver.c src/io/pgreceiver.h \
	src/io/pgrewind.c \
	src/io/pgspace.c src/io/pgspace.h \
	src/io/pgstart.c \
	src/io/pgstop.c \
	src/io/pgtool.c src/io/pgtool.h \
	src/io/pgwal.c src/io/pgwal.h \
	src/io/pgwalend.c src/io/pgwalend.h \
	src/io/pgwatch.c src/io/pgwatch.h \
	src/io/pgwork.c src/io/pgwork.h \
	src/io/sql.h \
	src/io/words.c src/io/words.h
nodist_src_libio_a_SOURCES = src/io/sqltext.c src/io/sqltext.h

# For the dependencies of a first build that has no .deps yet.
BUILT_SOURCES += src/io/sqltext.h
$(src_libio_a_OBJECTS): src/io/sqltext.h
CLEANFILES += src/io/sqltext.c src/io/sqltext.h

src/io/sqltext.h: $(SQL_FILES) scripts/embed-sql.awk
	$(AM_V_GEN)$(MKDIR_P) src/io && cd $(srcdir) && \
	  $(AWK) -v want=h -f scripts/embed-sql.awk $(SQL_FILES) >$(abs_builddir)/$@.new && \
	  mv $(abs_builddir)/$@.new $(abs_builddir)/$@
src/io/sqltext.c: $(SQL_FILES) scripts/embed-sql.awk
	$(AM_V_GEN)$(MKDIR_P) src/io && cd $(srcdir) && \
	  $(AWK) -v want=c -f scripts/embed-sql.awk $(SQL_FILES) >$(abs_builddir)/$@.new && \
	  mv $(abs_builddir)/$@.new $(abs_builddir)/$@

if HAVE_CRITERION
IO_TEST_LIBS = src/libio.a src/libwire.a $(CORE_LIBS) $(CURL_LIBS) $(PQ_LIBS) $(MHD_LIBS) $(GNUTLS_LIBS) \
	$(JANSSON_LIBS) $(YAML_LIBS)
pg_tests = \
	tests/unit/test_pgconf \
	tests/unit/test_pgcontrol \
	tests/unit/test_pgwalend \
	tests/unit/test_pgwatch \
	tests/unit/test_pgdir \
	tests/unit/test_pgdsn \
	tests/unit/test_pgfiles \
	tests/unit/test_pgfence \
	tests/unit/test_pgguc \
	tests/unit/test_pgleft \
	tests/unit/test_pgprogress \
	tests/unit/test_pgproc \
	tests/unit/test_pgquery \
	tests/unit/test_words
check_PROGRAMS += $(pg_tests)
TESTS += $(pg_tests)

tests_unit_test_pgconf_SOURCES = tests/unit/test_pgconf.c
tests_unit_test_pgconf_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgconf_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_pgwatch_SOURCES = tests/unit/test_pgwatch.c
tests_unit_test_pgwatch_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgwatch_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)
tests_unit_test_pgwalend_SOURCES = tests/unit/test_pgwalend.c
tests_unit_test_pgwalend_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgwalend_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)
tests_unit_test_pgcontrol_SOURCES = tests/unit/test_pgcontrol.c
tests_unit_test_pgcontrol_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgcontrol_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_pgdir_SOURCES = tests/unit/test_pgdir.c
tests_unit_test_pgdir_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgdir_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_pgfiles_SOURCES = tests/unit/test_pgfiles.c
tests_unit_test_pgfiles_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgfiles_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_pgdsn_SOURCES = tests/unit/test_pgdsn.c
tests_unit_test_pgdsn_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgdsn_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)
tests_unit_test_pgfence_SOURCES = tests/unit/test_pgfence.c
tests_unit_test_pgfence_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgfence_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_pgguc_SOURCES = tests/unit/test_pgguc.c
tests_unit_test_pgguc_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgguc_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_pgprogress_SOURCES = tests/unit/test_pgprogress.c
tests_unit_test_pgprogress_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgprogress_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_pgleft_SOURCES = tests/unit/test_pgleft.c
tests_unit_test_pgleft_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgleft_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)
tests_unit_test_pgproc_SOURCES = tests/unit/test_pgproc.c
tests_unit_test_pgproc_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgproc_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_pgquery_SOURCES = tests/unit/test_pgquery.c
tests_unit_test_pgquery_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pgquery_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_words_SOURCES = tests/unit/test_words.c
tests_unit_test_words_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_words_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)
endif

# Where the adapters and the agent are joined.
src_libio_a_SOURCES += \
	src/io/fencehook.c src/io/fencehook.h \
	src/io/hooks.c src/io/hooks.h \
	src/io/peers.c src/io/peers.h \
	src/io/pagewriter.c src/io/pagewriter.h \
	src/io/ports.c src/io/ports.h \
	src/io/single.c src/io/single.h \
	src/io/statefile.c src/io/statefile.h
