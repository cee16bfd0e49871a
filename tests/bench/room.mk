# Measurements, run by hand: their results stand in doc/benchmarks.md.
dist_noinst_SCRIPTS += tests/bench/fence.sh
