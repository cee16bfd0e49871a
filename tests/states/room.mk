# A search over every state of a small cluster; see states.c.
check_PROGRAMS += tests/states/pgha-states
tests_states_pgha_states_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/states
tests_states_pgha_states_SOURCES = \
	tests/states/states.c \
	tests/states/moves.c tests/states/moves.h \
	tests/states/agentstep.c tests/states/agentstep.h \
	tests/states/state.c tests/states/state.h
tests_states_pgha_states_LDADD = $(CORE_LIBS)

TESTS += tests/states/check-states.sh
EXTRA_DIST += tests/states/check-states.sh

# Minutes, and some gigabytes of memory.
check-states: tests/states/pgha-states
	$(srcdir)/tests/states/check-states.sh --all
.PHONY: check-states
