noinst_LIBRARIES += src/libcore.a
src_libcore_a_SOURCES = \
	src/core/types.h src/core/config.h src/core/view.h \
	src/core/lease.c src/core/lease.h \
	src/core/timeline.c src/core/timeline.h \
	src/core/vitals.c src/core/vitals.h \
	src/core/turn.c src/core/turn.h \
	src/core/rank.c src/core/rank.h \
	src/core/situation.c src/core/situation.h \
	src/core/rules.c src/core/rules.h \
	src/core/decide.c src/core/decide.h \
	src/core/whatif.c src/core/whatif.h \
	src/core/whatif_words.c src/core/whatif_words.h

if HAVE_CRITERION
core_tests = tests/rules/test_rules tests/unit/test_lease tests/unit/test_timeline \
	tests/unit/test_rank tests/unit/test_decide tests/unit/test_vitals tests/unit/test_whatif
check_PROGRAMS += $(core_tests)
TESTS += $(core_tests)
tests_rules_test_rules_SOURCES = tests/rules/test_rules.c
tests_rules_test_rules_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_rules_test_rules_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
tests_unit_test_lease_SOURCES = tests/unit/test_lease.c
tests_unit_test_lease_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_lease_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
tests_unit_test_timeline_SOURCES = tests/unit/test_timeline.c
tests_unit_test_timeline_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_timeline_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
tests_unit_test_rank_SOURCES = tests/unit/test_rank.c
tests_unit_test_rank_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_rank_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
tests_unit_test_decide_SOURCES = tests/unit/test_decide.c
tests_unit_test_decide_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_decide_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
tests_unit_test_vitals_SOURCES = tests/unit/test_vitals.c
tests_unit_test_vitals_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_vitals_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
tests_unit_test_whatif_SOURCES = tests/unit/test_whatif.c
tests_unit_test_whatif_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_whatif_LDADD = $(CORE_LIBS) $(CRITERION_LIBS)
endif

# The rendered table: kept in the tree, proven true by make check.
check_PROGRAMS += tests/rules/rules_doc
tests_rules_rules_doc_SOURCES = tests/rules/rules_doc.c
tests_rules_rules_doc_LDADD = $(CORE_LIBS)
TESTS += scripts/check-rules-doc.sh
EXTRA_DIST += scripts/check-rules-doc.sh doc/rules.md
dist_man_MANS += man/pgha-rules.7
rules-doc: tests/rules/rules_doc$(EXEEXT)
	srcdir=$(srcdir) $(srcdir)/scripts/check-rules-doc.sh --write
.PHONY: rules-doc
