# Safety rules taken out of a copy of the sources, one at a time; see check-mutants.sh.
mutant_link = $(CCLD) $(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS)
mutant_env = COMPILE='$(COMPILE) $(CURL_CFLAGS) $(PQ_CFLAGS) $(MHD_CFLAGS)' LINK='$(mutant_link)' \
	sim_LINK='$(tests_sim_pgha_sim_OBJECTS) @ $(tests_sim_pgha_sim_LDADD) $(LIBS)' \
	rules_LINK='$(tests_rules_test_rules_OBJECTS) @ $(tests_rules_test_rules_LDADD) $(LIBS)' \
	rank_LINK='$(tests_unit_test_rank_OBJECTS) @ $(tests_unit_test_rank_LDADD) $(LIBS)' \
	failsafe_LINK='$(tests_unit_test_failsafe_OBJECTS) @ $(tests_unit_test_failsafe_LDADD) $(LIBS)' \
	decide_LINK='$(tests_unit_test_decide_OBJECTS) @ $(tests_unit_test_decide_LDADD) $(LIBS)' \
	keys_LINK='$(tests_unit_test_keys_OBJECTS) @ $(tests_unit_test_keys_LDADD) $(LIBS)' \
	record_LINK='$(tests_unit_test_record_OBJECTS) @ $(tests_unit_test_record_LDADD) $(LIBS)' \
	lease_LINK='$(tests_unit_test_lease_OBJECTS) @ $(tests_unit_test_lease_LDADD) $(LIBS)' \
	pgwatch_LINK='$(tests_unit_test_pgwatch_OBJECTS) @ $(tests_unit_test_pgwatch_LDADD) $(LIBS)' \
	seal_LINK='$(tests_unit_test_seal_OBJECTS) @ $(tests_unit_test_seal_LDADD) $(LIBS)' \
	restmsg_LINK='$(tests_unit_test_restmsg_OBJECTS) @ $(tests_unit_test_restmsg_LDADD) $(LIBS)' \
	guard_LINK='$(pgha_guard_OBJECTS) @ $(pgha_guard_LDADD) $(LIBS)' \
	pgrepair_LINK='$(tests_io_test_pg_repair_OBJECTS) @ $(tests_io_test_pg_repair_LDADD) $(LIBS)' \
	pgstop_LINK='$(tests_io_test_pg_stop_OBJECTS) @ $(tests_io_test_pg_stop_LDADD) $(LIBS)' \
	FENCE_PG_CONFIGS='$(PG_CONFIGS)'
mutant_programs = tests/sim/pgha-sim tests/states/pgha-states \
	tests/rules/test_rules tests/unit/test_rank tests/unit/test_decide tests/unit/test_record \
	tests/unit/test_failsafe tests/unit/test_keys tests/unit/test_restmsg tests/unit/test_seal \
	tests/unit/test_lease tests/unit/test_pgwatch \
	tests/fence/page \
	pgha-guard tests/io/test_guard tests/io/test_pg_repair tests/io/test_pg_stop

# Says of each safety rule that is taken away what noticed; goes on where it was broken off.
# MUTANTS="NAME..." for some of them.
check-mutants: $(mutant_programs)
	$(srcdir)/tests/mutants/check-mutants.sh --fit
	$(mutant_env) $(srcdir)/tests/mutants/check-mutants.sh $(MUTANTS)
# Those of the sources alone.
check-src-mutants: $(mutant_programs)
	$(srcdir)/tests/mutants/check-mutants.sh --fit
	$(mutant_env) $(srcdir)/tests/mutants/check-mutants.sh --src $(MUTANTS)
.PHONY: check-mutants check-src-mutants
CLEANFILES += check-mutants.out check-states.out

EXTRA_DIST += \
	tests/mutants/check-mutants.sh \
	tests/mutants/mutate.awk \
	tests/mutants/adopted-by-read.mut \
	tests/mutants/failsafe-from-answer.mut \
	tests/mutants/failsafe-list-gone.mut \
	tests/mutants/clone-removes-first.mut \
	tests/mutants/control-late-read.mut \
	tests/mutants/down-before-checkpoint.mut \
	tests/mutants/emptied-unmarked.mut \
	tests/mutants/fence-not-run.mut \
	tests/mutants/fetch-gives-up.mut \
	tests/mutants/fetch-skipped.mut \
	tests/mutants/gone-not-asked.mut \
	tests/mutants/guard-trusts-pid.mut \
	tests/mutants/keepalive-proves.mut \
	tests/mutants/made-up-believed.mut \
	tests/mutants/made-up-by-old-answer.mut \
	tests/mutants/made-up-takes-votes.mut \
	tests/mutants/module-one-look.mut \
	tests/mutants/module-prepared.mut \
	tests/mutants/module-sync-cut.mut \
	tests/mutants/no-own-clock.mut \
	tests/mutants/no-rate-margin.mut \
	tests/mutants/page-kept.mut \
	tests/mutants/pause-armed.mut \
	tests/mutants/restore-promoted.mut \
	tests/mutants/promote-unheld.mut \
	tests/mutants/quorum-barred-unasked.mut \
	tests/mutants/quorum-half.mut \
	tests/mutants/quorum-no-vote.mut \
	tests/mutants/quorum-old-ballot.mut \
	tests/mutants/quorum-promise-after-vote.mut \
	tests/mutants/quorum-restart-forgets.mut \
	tests/mutants/quorum-vote-under-promise.mut \
	tests/mutants/rank-by-replay.mut \
	tests/mutants/rank-no-timeline.mut \
	tests/mutants/rank-none-ahead.mut \
	tests/mutants/rank-old-timeline.mut \
	tests/mutants/regressed-accepted.mut \
	tests/mutants/regressed-all-accepted.mut \
	tests/mutants/release-of-another-time.mut \
	tests/mutants/release-without-proof.mut \
	tests/mutants/rest-by-role.mut \
	tests/mutants/seal-skipped.mut \
	tests/mutants/settled-too-early.mut \
	tests/mutants/start-not-waited.mut \
	tests/mutants/sync-garbage-empty.mut \
	tests/mutants/sync-quorum-short.mut \
	tests/mutants/term-from-answer.mut \
	tests/mutants/term-of-old-lease.mut \
	tests/mutants/unseal-never.mut \
	tests/mutants/unsealed-votes-count.mut \
	tests/mutants/vote-again.mut \
	tests/mutants/vote-before-seal.mut \
	tests/mutants/vote-not-persisted.mut \
	tests/mutants/vote-of-another-ballot.mut \
	tests/mutants/vote-while-recovering.mut \
	tests/mutants/watch-repeats.mut
