noinst_LIBRARIES += src/libagent.a
src_libagent_a_CPPFLAGS = $(AM_CPPFLAGS) -DPGHA_VERSION='"$(PACKAGE_VERSION)"'
src_libagent_a_SOURCES = \
	src/agent/agent.c src/agent/agent.h src/agent/event.h src/agent/port.h src/agent/state.h \
	src/agent/state.c \
	src/agent/keys.c \
	src/agent/model.c \
	src/agent/txn.c \
	src/agent/term.c \
	src/agent/store.c \
	src/agent/successor.c \
	src/agent/regress.c \
	src/agent/seal.c \
	src/agent/failsafe.c \
	src/agent/upkeep.c \
	src/agent/act.c \
	src/agent/hang.c \
	src/agent/crash.c \
	src/agent/job.c \
	src/agent/number.c \
	src/agent/fence.c \
	src/agent/poolers.c \
	src/agent/probe.c \
	src/agent/fences.c \
	src/agent/command.c \
	src/agent/explain.c \
	src/agent/doctor.c \
	src/agent/publish.c \
	src/agent/trace.c \
	src/agent/recorder.c

if HAVE_CRITERION
agent_tests = tests/unit/test_keys tests/unit/test_poolers tests/unit/test_successor \
	tests/unit/test_model tests/unit/test_number tests/unit/test_seal tests/unit/test_probe \
	tests/unit/test_job \
	tests/unit/test_store \
	tests/unit/test_term
check_PROGRAMS += $(agent_tests)
TESTS += $(agent_tests)
tests_unit_test_keys_SOURCES = tests/unit/test_keys.c
tests_unit_test_keys_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_keys_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
tests_unit_test_poolers_SOURCES = tests/unit/test_poolers.c
tests_unit_test_poolers_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_poolers_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
tests_unit_test_successor_SOURCES = tests/unit/test_successor.c
tests_unit_test_successor_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_successor_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
tests_unit_test_model_SOURCES = tests/unit/test_model.c
tests_unit_test_model_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_model_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
tests_unit_test_number_SOURCES = tests/unit/test_number.c
tests_unit_test_number_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_number_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
tests_unit_test_seal_SOURCES = tests/unit/test_seal.c
tests_unit_test_seal_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_seal_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
tests_unit_test_probe_SOURCES = tests/unit/test_probe.c
tests_unit_test_probe_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_probe_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
tests_unit_test_job_SOURCES = tests/unit/test_job.c
tests_unit_test_job_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_job_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
tests_unit_test_store_SOURCES = tests/unit/test_store.c
tests_unit_test_store_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_store_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
tests_unit_test_term_SOURCES = tests/unit/test_term.c
tests_unit_test_term_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_term_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
check_PROGRAMS += tests/unit/test_failsafe
TESTS += tests/unit/test_failsafe
tests_unit_test_failsafe_SOURCES = tests/unit/test_failsafe.c
tests_unit_test_failsafe_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_failsafe_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
check_PROGRAMS += tests/unit/test_dynamic
TESTS += tests/unit/test_dynamic
tests_unit_test_dynamic_SOURCES = tests/unit/test_dynamic.c
tests_unit_test_dynamic_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_dynamic_LDADD = $(AGENT_LIBS) $(CRITERION_LIBS)
endif

# Counts what our own code allocates; see the test.
check_PROGRAMS += tests/unit/test_soak
TESTS += tests/unit/test_soak
tests_unit_test_soak_SOURCES = tests/unit/test_soak.c
tests_unit_test_soak_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=strdup \
	-Wl,--wrap=reallocarray -Wl,--wrap=vasprintf
tests_unit_test_soak_LDADD = $(IO_LIBS)
