# The simulator: agents, models and invariants; see sim.c.
check_PROGRAMS += tests/sim/pgha-sim
tests_sim_pgha_sim_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/sim \
	-DPGHA_VERSION='"$(PACKAGE_VERSION)"'
tests_sim_pgha_sim_SOURCES = \
	tests/sim/sim.c \
	tests/sim/rng.c tests/sim/rng.h \
	tests/sim/evq.c tests/sim/evq.h \
	tests/sim/clock.c tests/sim/clock.h \
	tests/sim/net.c tests/sim/net.h \
	tests/sim/world.c tests/sim/world.h \
	tests/sim/estore.c tests/sim/estore.h \
	tests/sim/modeletcd.c tests/sim/modeletcd.h \
	tests/sim/ewatch.c \
	tests/sim/eclient.c tests/sim/eclient.h \
	tests/sim/wal.c tests/sim/wal.h \
	tests/sim/modelpg.c tests/sim/modelpg.h \
	tests/sim/pgstream.c \
	tests/sim/pgjobs.c tests/sim/pgjobs.h \
	tests/sim/pgcopy.c \
	tests/sim/pgask.c \
	tests/sim/node.c tests/sim/node.h \
	tests/sim/port.c \
	tests/sim/plea.c \
	tests/sim/guard.c \
	tests/sim/fencecmd.c \
	tests/sim/clients.c tests/sim/clients.h \
	tests/sim/mutant.c tests/sim/mutant.h \
	tests/sim/chain.c tests/sim/chain.h \
	tests/sim/oracle.c tests/sim/oracle.h \
	tests/sim/final.c \
	tests/sim/nemesis.c tests/sim/nemesis.h \
	tests/sim/operator.c \
	tests/sim/scenario.c tests/sim/scenario.h
tests_sim_pgha_sim_LDADD = $(AGENT_LIBS)

TESTS += tests/sim/check-seeds.sh tests/sim/check-sim.sh
EXTRA_DIST += \
	tests/scenarios/agent-and-guard-frozen.scn \
	tests/scenarios/agent-frozen.scn \
	tests/scenarios/agent-killed-for-good.scn \
	tests/scenarios/agent-killed-in-a-restart.scn \
	tests/scenarios/agent-restarted.scn \
	tests/scenarios/agent-stopped-cut-off.scn \
	tests/scenarios/agent-stopped.scn \
	tests/scenarios/all-restarted.scn \
	tests/scenarios/bootstrap-fails.scn \
	tests/scenarios/crashes-in-place.scn \
	tests/scenarios/crashes-in-turn.scn \
	tests/scenarios/data-foreign.scn \
	tests/scenarios/data-lost-host-reset.scn \
	tests/scenarios/data-lost.scn \
	tests/scenarios/disk-stalled-crashed.scn \
	tests/scenarios/disk-stalled-fenced.scn \
	tests/scenarios/disk-stalled.scn \
	tests/scenarios/diverged-stuck.scn \
	tests/scenarios/early-revoke-cut-off.scn \
	tests/scenarios/early-revoke.scn \
	tests/scenarios/etcd-away-failsafe.scn \
	tests/scenarios/etcd-away-one-missing.scn \
	tests/scenarios/etcd-away-quorum.scn \
	tests/scenarios/etcd-blink.scn \
	tests/scenarios/etcd-leader-change.scn \
	tests/scenarios/etcd-member-down.scn \
	tests/scenarios/etcd-outage.scn \
	tests/scenarios/etcd-restored.scn \
	tests/scenarios/etcd-wiped.scn \
	tests/scenarios/failover.scn \
	tests/scenarios/failsafe-sealed-deaf.scn \
	tests/scenarios/fence-command-fails.scn \
	tests/scenarios/fence-command-hangs.scn \
	tests/scenarios/fence-command-old-back.scn \
	tests/scenarios/fence-command-paused.scn \
	tests/scenarios/fence-command-promotes.scn \
	tests/scenarios/fence-command-restart.scn \
	tests/scenarios/fence-command.scn \
	tests/scenarios/found-running.scn \
	tests/scenarios/guard-frozen-no-module.scn \
	tests/scenarios/guard-killed.scn \
	tests/scenarios/guard-killed-agent-frozen.scn \
	tests/scenarios/guard-killed-cut-off.scn \
	tests/scenarios/guard-required.scn \
	tests/scenarios/postgres-frozen.scn \
	tests/scenarios/guard-resumed-late.scn \
	tests/scenarios/host-frozen.scn \
	tests/scenarios/host-lost.scn \
	tests/scenarios/hung-postmaster-fenced.scn \
	tests/scenarios/hung-postmaster.scn \
	tests/scenarios/initialize-foreign.scn \
	tests/scenarios/initialize-lost-all-down.scn \
	tests/scenarios/initialize-lost.scn \
	tests/scenarios/isolated.scn \
	tests/scenarios/k1-stalled-etcd-leader.scn \
	tests/scenarios/k12-sealed-and-cut-off.scn \
	tests/scenarios/k2-agent-frozen-voter-cut.scn \
	tests/scenarios/key-lost-while-hanging.scn \
	tests/scenarios/left-behind-waits.scn \
	tests/scenarios/made-up-ballot.scn \
	tests/scenarios/only-holder-back.scn \
	tests/scenarios/paused-agent-frozen.scn \
	tests/scenarios/paused-another-leads.scn \
	tests/scenarios/paused-failover.scn \
	tests/scenarios/paused-key-expires.scn \
	tests/scenarios/paused-restart-primary.scn \
	tests/scenarios/paused-restart-standby.scn \
	tests/scenarios/paused-taker-frozen.scn \
	tests/scenarios/paused.scn \
	tests/scenarios/postmaster-killed.scn \
	tests/scenarios/primary-last.scn \
	tests/scenarios/promotion-frozen.scn \
	tests/scenarios/rejoin-diverged.scn \
	tests/scenarios/quorum-ballot-again.scn \
	tests/scenarios/quorum-minority.scn \
	tests/scenarios/quorum-nofailover.scn \
	tests/scenarios/quorum-takeover-needs-one.scn \
	tests/scenarios/quorum-too-few.scn \
	tests/scenarios/quorum-voter-promised.scn \
	tests/scenarios/restart-and-reinit.scn \
	tests/scenarios/rewind-dies-leaderless.scn \
	tests/scenarios/rewind-fails.scn \
	tests/scenarios/sealed-for-nothing.scn \
	tests/scenarios/settings-raised.scn \
	tests/scenarios/short-wal.scn \
	tests/scenarios/stale-keepalive.scn \
	tests/scenarios/stop-crashed.scn \
	tests/scenarios/switchover-poolers.scn \
	tests/scenarios/switchover-to-the-dying.scn \
	tests/scenarios/switchover.scn \
	tests/scenarios/timeline-nobody-has.scn \
	tests/scenarios/two-in-a-row.scn \
	tests/sim/check-rules.sh \
	tests/sim/check-seeds.sh \
	tests/sim/check-sim.sh

# Many more seeds than make check plays: make check-seeds SEEDS=1..1000000
check-seeds: tests/sim/pgha-sim
	tests/sim/pgha-sim --seeds $${SEEDS:-1..100000} --coverage
# Fails when a rule of the table is never reached.
check-rules: tests/sim/pgha-sim
	$(srcdir)/tests/sim/check-rules.sh $${SEEDS:-1..1500}
.PHONY: check-seeds check-rules
