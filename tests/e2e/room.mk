EXTRA_DIST += \
	tests/e2e/README.md \
	tests/e2e/bench_compare.py \
	tests/e2e/bench_idle.py \
	tests/e2e/bench_rest.py \
	tests/e2e/bench_switchover.py \
	tests/e2e/conftest.py \
	tests/e2e/gate.txt \
	tests/e2e/lib/__init__.py \
	tests/e2e/lib/cgroup.py \
	tests/e2e/lib/checker.py \
	tests/e2e/lib/cluster.py \
	tests/e2e/lib/disk.py \
	tests/e2e/lib/etcd.py \
	tests/e2e/lib/host.py \
	tests/e2e/lib/measure.py \
	tests/e2e/lib/net.py \
	tests/e2e/lib/node.py \
	tests/e2e/lib/patroni.py \
	tests/e2e/lib/pgbouncer.py \
	tests/e2e/lib/proc.py \
	tests/e2e/lib/reaper.py \
	tests/e2e/lib/restload.py \
	tests/e2e/lib/rounds.py \
	tests/e2e/lib/scenario.py \
	tests/e2e/lib/table.py \
	tests/e2e/lib/through.py \
	tests/e2e/lib/wallclock.py \
	tests/e2e/lib/writers.py \
	tests/e2e/prober.c \
	tests/e2e/restload.c \
	tests/e2e/test_badinput.py \
	tests/e2e/test_balancers.py \
	tests/e2e/test_bootstrap.py \
	tests/e2e/test_checker.py \
	tests/e2e/test_crash.py \
	tests/e2e/test_etcd.py \
	tests/e2e/test_explain.py \
	tests/e2e/test_failover.py \
	tests/e2e/test_failsafe.py \
	tests/e2e/test_fence.py \
	tests/e2e/test_guard.py \
	tests/e2e/test_fencecmd.py \
	tests/e2e/test_fencing.py \
	tests/e2e/test_harness.py \
	tests/e2e/test_mixed.py \
	tests/e2e/test_monitoring.py \
	tests/e2e/test_pgbouncer.py \
	tests/e2e/test_hung.py \
	tests/e2e/test_operations.py \
	tests/e2e/test_patronictl.py \
	tests/e2e/test_proxy.py \
	tests/e2e/test_rejoin.py \
	tests/e2e/test_rest.py \
	tests/e2e/test_restore.py \
	tests/e2e/test_runbook.py \
	tests/e2e/test_scenarios.py \
	tests/e2e/test_seal.py \
	tests/e2e/test_store.py \
	tests/e2e/test_switchover.py \
	tests/e2e/test_sync.py \
	tests/e2e/test_vip.py \
	tests/e2e/wallclock.c

# Real PostgreSQL and etcd on network namespaces: needs root, takes minutes, so not in `check`.
check-e2e: $(sbin_PROGRAMS) $(bin_PROGRAMS)
	PGHA_BUILD='$(abs_builddir)' /usr/bin/python3 -m pytest '$(srcdir)/tests/e2e'
.PHONY: check-e2e
