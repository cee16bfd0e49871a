# The guardian: libc and the lease page, nothing else.
noinst_LIBRARIES += src/libguard.a
src_libguard_a_SOURCES = \
	src/guard/dog.c src/guard/dog.h \
	src/guard/guard.c src/guard/guard.h \
	src/guard/procs.c src/guard/procs.h \
	src/guard/ready.c src/guard/ready.h \
	src/guard/say.c src/guard/say.h \
	src/guard/self.c src/guard/self.h \
	src/guard/strike.c src/guard/strike.h \
	src/guard/wake.c src/guard/wake.h \
	src/guard/watch.c src/guard/watch.h
GUARD_LIBS = src/libguard.a $(BASE_LIBS)

sbin_PROGRAMS += pgha-guard
pgha_guard_SOURCES = src/pgha-guard.c
pgha_guard_LDADD = $(GUARD_LIBS)

if HAVE_CRITERION
guard_tests = tests/unit/test_dog tests/unit/test_watch
check_PROGRAMS += $(guard_tests)
TESTS += $(guard_tests)

tests_unit_test_dog_SOURCES = tests/unit/test_dog.c
tests_unit_test_dog_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_dog_LDADD = $(GUARD_LIBS) $(CRITERION_LIBS)

tests_unit_test_watch_SOURCES = tests/unit/test_watch.c
tests_unit_test_watch_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_watch_LDADD = $(GUARD_LIBS) $(CRITERION_LIBS)
endif
