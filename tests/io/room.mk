# One adapter against a real server. Needs etcd and loopback, so it is no part of `make check`.
check_io_net_programs = \
	tests/fuzz/fuzz_http \
	tests/io/test_canary \
	tests/io/test_child \
	tests/io/test_fencehook \
	tests/io/test_etcd \
	tests/io/test_hooks \
	tests/io/test_guardian \
	tests/io/test_link \
	tests/io/test_peers \
	tests/io/test_rest \
	tests/io/test_restaccess \
	tests/io/test_restdb \
	tests/io/test_restfeed \
	tests/io/test_restmany \
	tests/io/test_resttls \
	tests/io/test_single \
	tests/io/test_srv
check_io_pg_programs = \
	tests/io/test_pg_crash \
	tests/io/test_pg_disk \
	tests/io/test_pg_fork \
	tests/io/test_pg_life \
	tests/io/test_pg_number \
	tests/io/test_pg_ready \
	tests/io/test_pg_repair \
	tests/io/test_pg_seal \
	tests/io/test_pg_special \
	tests/io/test_pg_stop \
	tests/io/test_guard
check_io_programs = $(check_io_net_programs) $(check_io_pg_programs)
EXTRA_PROGRAMS = $(check_io_programs) tests/io/bench_values
CLEANFILES += $(check_io_programs) tests/io/bench_values

# Prints times, judges none.
tests_io_bench_values_SOURCES = tests/io/bench_values.c
tests_io_bench_values_LDADD = $(WIRE_LIBS)

tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_http_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_http_LDADD = $(IO_TEST_LIBS)

tests_io_test_canary_SOURCES = tests/io/test_canary.c tests/io/rig.c tests/io/rig.h
tests_io_test_canary_LDADD = $(IO_TEST_LIBS)

tests_io_test_etcd_SOURCES = tests/io/test_etcd.c tests/io/rig.c tests/io/rig.h
tests_io_test_etcd_LDADD = $(IO_TEST_LIBS)

tests_io_test_guardian_SOURCES = tests/io/test_guardian.c tests/io/rig.c tests/io/rig.h
tests_io_test_guardian_LDADD = $(IO_TEST_LIBS)

tests_io_test_link_SOURCES = tests/io/test_link.c tests/io/rig.c tests/io/rig.h
tests_io_test_link_LDADD = $(IO_TEST_LIBS)

tests_io_test_peers_SOURCES = tests/io/test_peers.c tests/io/rig.c tests/io/rig.h
tests_io_test_peers_LDADD = $(IO_TEST_LIBS)

REST_RIG = tests/io/restrig.c tests/io/restrig.h tests/io/rig.c tests/io/rig.h
tests_io_test_rest_SOURCES = tests/io/test_rest.c $(REST_RIG)
tests_io_test_rest_LDADD = $(IO_TEST_LIBS)

tests_io_test_restaccess_SOURCES = tests/io/test_restaccess.c $(REST_RIG)
tests_io_test_restaccess_LDADD = $(IO_TEST_LIBS)

tests_io_test_restdb_SOURCES = tests/io/test_restdb.c $(REST_RIG)
tests_io_test_restdb_LDADD = $(IO_TEST_LIBS)

tests_io_test_restfeed_SOURCES = tests/io/test_restfeed.c $(REST_RIG)
tests_io_test_restfeed_LDADD = $(IO_TEST_LIBS)

tests_io_test_restmany_SOURCES = tests/io/test_restmany.c $(REST_RIG)
tests_io_test_restmany_LDADD = $(IO_TEST_LIBS)

tests_io_test_resttls_SOURCES = tests/io/test_resttls.c $(REST_RIG)
tests_io_test_resttls_CFLAGS = $(AM_CFLAGS) $(GNUTLS_CFLAGS)
tests_io_test_resttls_LDADD = $(IO_TEST_LIBS)

tests_io_test_single_SOURCES = tests/io/test_single.c tests/io/rig.c tests/io/rig.h
tests_io_test_single_LDADD = $(IO_TEST_LIBS)

tests_io_test_srv_SOURCES = tests/io/test_srv.c tests/io/rig.c tests/io/rig.h \
	tests/lib/dnsmsg.c tests/lib/dnsmsg.h
tests_io_test_srv_LDADD = $(IO_TEST_LIBS)

# These give up root by themselves: Postgres does not run as root.
PG_RIG = tests/io/pgrig.c tests/io/pgrig.h tests/io/rig.c tests/io/rig.h
PG_RIG_LIBS = src/libio.a src/libagent.a $(WIRE_LIBS) $(CURL_LIBS) $(PQ_LIBS) $(MHD_LIBS) $(GNUTLS_LIBS)
tests_io_test_pg_crash_SOURCES = tests/io/test_pg_crash.c $(PG_RIG)
tests_io_test_pg_crash_LDADD = $(PG_RIG_LIBS)
tests_io_test_pg_disk_SOURCES = tests/io/test_pg_disk.c $(PG_RIG)
tests_io_test_pg_disk_LDADD = $(PG_RIG_LIBS)
tests_io_test_pg_fork_SOURCES = tests/io/test_pg_fork.c $(PG_RIG)
tests_io_test_pg_fork_LDADD = $(PG_RIG_LIBS)
tests_io_test_guard_SOURCES = tests/io/test_guard.c $(PG_RIG)
tests_io_test_guard_LDADD = $(PG_RIG_LIBS)
tests_io_test_pg_life_SOURCES = tests/io/test_pg_life.c $(PG_RIG)
tests_io_test_pg_life_LDADD = $(PG_RIG_LIBS)
tests_io_test_pg_number_SOURCES = tests/io/test_pg_number.c $(PG_RIG)
tests_io_test_pg_number_LDADD = $(PG_RIG_LIBS)
tests_io_test_pg_ready_SOURCES = tests/io/test_pg_ready.c $(PG_RIG)
tests_io_test_pg_ready_LDADD = $(PG_RIG_LIBS)
tests_io_test_pg_repair_SOURCES = tests/io/test_pg_repair.c $(PG_RIG)
tests_io_test_pg_repair_LDADD = $(PG_RIG_LIBS)
tests_io_test_pg_seal_SOURCES = tests/io/test_pg_seal.c $(PG_RIG)
tests_io_test_pg_seal_LDADD = $(PG_RIG_LIBS)
tests_io_test_pg_special_SOURCES = tests/io/test_pg_special.c $(PG_RIG)
tests_io_test_pg_special_LDADD = $(PG_RIG_LIBS)
tests_io_test_pg_stop_SOURCES = tests/io/test_pg_stop.c $(PG_RIG)
tests_io_test_pg_stop_LDADD = $(PG_RIG_LIBS)
tests_io_test_child_SOURCES = tests/io/test_child.c tests/io/rig.c tests/io/rig.h
tests_io_test_child_LDADD = $(IO_TEST_LIBS)
tests_io_test_hooks_SOURCES = tests/io/test_hooks.c tests/io/rig.c tests/io/rig.h
tests_io_test_hooks_LDADD = $(IO_TEST_LIBS)
tests_io_test_fencehook_SOURCES = tests/io/test_fencehook.c tests/io/rig.c tests/io/rig.h
tests_io_test_fencehook_LDADD = $(IO_TEST_LIBS)

# One after the other, since they share ports; those with PostgreSQL beside those without, where make
# may run two: all of them wait more than they work.
play_io_programs = \
	n=0; bad=0; for t in $$programs; do \
		echo "== $$t"; n=$$((n + 1)); \
		srcdir='$(srcdir)' PGHA_FUZZ_ROUNDS=200 ./$$t || { echo "FAILED $$t"; bad=$$((bad + 1)); }; \
	done; echo "check-io: $$((n - bad)) programs passed, $$bad failed"; test $$bad = 0
check-io-net: $(check_io_net_programs) pgha-guard
	@programs='$(check_io_net_programs)'; $(play_io_programs)
check-io-pg: $(check_io_pg_programs) pgha-guard
	@programs='$(check_io_pg_programs)'; $(play_io_programs)
check-io: check-io-net check-io-pg
.PHONY: check-io check-io-net check-io-pg
