# Measurements, run by hand: their results stand in doc/benchmarks.md.
dist_noinst_SCRIPTS += tests/bench/fence.sh
EXTRA_PROGRAMS += tests/bench/look
CLEANFILES += tests/bench/look
tests_bench_look_SOURCES = tests/bench/look.c src/fence/gate.c src/fence/gate.h
tests_bench_look_LDADD = $(BASE_LIBS)

# Hundreds of agents against one etcd; see scripts/bench agents.
dist_noinst_SCRIPTS += tests/bench/agents.py tests/bench/soak.py
EXTRA_PROGRAMS += tests/bench/agents
CLEANFILES += tests/bench/agents
tests_bench_agents_SOURCES = tests/bench/agents.c
tests_bench_agents_LDADD = $(IO_LIBS)
