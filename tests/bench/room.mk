# Measurements, run by hand: their results stand in doc/benchmarks.md.
dist_noinst_SCRIPTS += tests/bench/fence.sh
EXTRA_PROGRAMS += tests/bench/look
CLEANFILES += tests/bench/look
tests_bench_look_SOURCES = tests/bench/look.c src/fence/gate.c src/fence/gate.h
tests_bench_look_LDADD = $(BASE_LIBS)
