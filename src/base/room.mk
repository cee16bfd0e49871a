noinst_LIBRARIES += src/libbase.a
src_libbase_a_SOURCES = \
	src/base/base.h \
	src/base/err.c src/base/err.h \
	src/base/str.c src/base/str.h \
	src/base/parse.c src/base/parse.h \
	src/base/log.c src/base/log.h

if HAVE_CRITERION
check_PROGRAMS += tests/unit/test_str
TESTS += tests/unit/test_str
tests_unit_test_str_SOURCES = tests/unit/test_str.c
tests_unit_test_str_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_str_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)
endif
