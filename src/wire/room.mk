noinst_LIBRARIES += src/libwire.a
src_libwire_a_SOURCES = \
	src/wire/b64.c src/wire/b64.h \
	src/wire/conffile.h \
	src/wire/etcdmsg.c src/wire/etcdmsg.h \
	src/wire/etcdmsg_read.c \
	src/wire/jtext.c src/wire/jtext.h \
	src/wire/record.c src/wire/record.h \
	src/wire/record_history.c \
	src/wire/record_member.c \
	src/wire/restmsg.h

if HAVE_CRITERION
WIRE_TEST_LIBS = src/libwire.a $(BASE_LIBS) $(JANSSON_LIBS) $(YAML_LIBS) $(CRITERION_LIBS)
wire_tests = \
	tests/unit/test_b64 \
	tests/unit/test_etcdmsg \
	tests/unit/test_jtext \
	tests/unit/test_record
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

tests_unit_test_record_SOURCES = tests/unit/test_record.c
tests_unit_test_record_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_record_LDADD = $(WIRE_TEST_LIBS)
endif
