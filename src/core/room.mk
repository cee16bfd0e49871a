noinst_LIBRARIES += src/libcore.a
src_libcore_a_SOURCES = \
	src/core/types.h src/core/config.h src/core/view.h \
	src/core/lease.c src/core/lease.h \
	src/core/timeline.c src/core/timeline.h \
	src/core/rank.c src/core/rank.h \
	src/core/situation.c src/core/situation.h \
	src/core/rules.c src/core/rules.h \
	src/core/decide.c src/core/decide.h

if HAVE_CRITERION
check_PROGRAMS += tests/rules/test_rules
TESTS += tests/rules/test_rules
tests_rules_test_rules_SOURCES = tests/rules/test_rules.c
tests_rules_test_rules_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_rules_test_rules_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
endif
