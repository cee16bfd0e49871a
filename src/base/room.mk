noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = \
	src/base/base.c src/base/base.h \
	src/base/err.c src/base/err.h \
	src/base/guardpage.c src/base/guardpage.h \
	src/base/leasepage.c src/base/leasepage.h \
	src/base/log.c src/base/log.h \
	src/base/parse.c src/base/parse.h src/base/parsetime.c \
	src/base/program.c src/base/program.h \
	src/base/str.c src/base/str.h

if HAVE_CRITERION
base_tests = \
	tests/unit/test_err \
	tests/unit/test_guardpage \
	tests/unit/test_leasepage \
	tests/unit/test_log \
	tests/unit/test_parse \
	tests/unit/test_str
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)

tests_unit_test_err_SOURCES = tests/unit/test_err.c
tests_unit_test_err_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_err_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)

tests_unit_test_guardpage_SOURCES = tests/unit/test_guardpage.c
tests_unit_test_guardpage_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_guardpage_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)

tests_unit_test_leasepage_SOURCES = tests/unit/test_leasepage.c
tests_unit_test_leasepage_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_leasepage_LDADD = $(BASE_LIBS) $(CRITERION_LIBS) -lpthread

tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_log_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)

tests_unit_test_parse_SOURCES = tests/unit/test_parse.c
tests_unit_test_parse_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_parse_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)

tests_unit_test_str_SOURCES = tests/unit/test_str.c
tests_unit_test_str_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_str_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)
endif
