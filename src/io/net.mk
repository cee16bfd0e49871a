# The loop's other inhabitants: etcd, HTTP both ways, logs, systemd.
src_libio_a_SOURCES += \
	src/io/allow.c src/io/allow.h \
	src/io/board.c src/io/board.h \
	src/io/certfile.c src/io/certfile.h \
	src/io/confread.c src/io/confread.h \
	src/io/etcd.c src/io/etcd.h src/io/etcdpriv.h \
	src/io/etcdauth.c \
	src/io/etcdinfo.c \
	src/io/etcdnode.c src/io/etcdnode.h \
	src/io/etcdwatch.c \
	src/io/guardian.c src/io/guardian.h \
	src/io/http.c src/io/http.h \
	src/io/journal.c src/io/journal.h \
	src/io/notify.c src/io/notify.h \
	src/io/peersecret.c src/io/peersecret.h \
	src/io/peersign.c src/io/peersign.h \
	src/io/resolve.c src/io/resolve.h \
	src/io/rest.c src/io/rest.h src/io/restpriv.h \
	src/io/restaccess.c src/io/restaccess.h \
	src/io/restconns.c src/io/restconns.h \
	src/io/restdb.c src/io/restdb.h \
	src/io/restfeed.c src/io/restfeed.h \
	src/io/restserve.c \
	src/io/resttls.c src/io/resttls.h \
	src/io/saver.c src/io/saver.h \
	src/io/srv.c src/io/srv.h \
	src/io/worker.c src/io/worker.h

if HAVE_CRITERION
net_tests = \
	tests/unit/test_allow \
	tests/unit/test_board \
	tests/unit/test_confread \
	tests/unit/test_etcdnode \
	tests/unit/test_fsx \
	tests/unit/test_statefile \
	tests/unit/test_journal \
	tests/unit/test_notify \
	tests/unit/test_peersecret \
	tests/unit/test_peersign \
	tests/unit/test_loop \
	tests/unit/test_saver \
	tests/unit/test_srv \
	tests/unit/test_worker
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)

tests_unit_test_allow_SOURCES = tests/unit/test_allow.c
tests_unit_test_allow_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_allow_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_board_SOURCES = tests/unit/test_board.c
tests_unit_test_board_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_board_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_confread_SOURCES = tests/unit/test_confread.c
tests_unit_test_confread_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_confread_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_etcdnode_SOURCES = tests/unit/test_etcdnode.c
tests_unit_test_etcdnode_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_etcdnode_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_fsx_SOURCES = tests/unit/test_fsx.c
tests_unit_test_fsx_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_fsx_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_statefile_SOURCES = tests/unit/test_statefile.c
tests_unit_test_statefile_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_statefile_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_journal_SOURCES = tests/unit/test_journal.c
tests_unit_test_journal_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_journal_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_notify_SOURCES = tests/unit/test_notify.c
tests_unit_test_notify_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_notify_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_peersecret_SOURCES = tests/unit/test_peersecret.c
tests_unit_test_peersecret_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_peersecret_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_peersign_SOURCES = tests/unit/test_peersign.c
tests_unit_test_peersign_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_peersign_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_worker_SOURCES = tests/unit/test_worker.c
tests_unit_test_worker_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_worker_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_loop_SOURCES = tests/unit/test_loop.c
tests_unit_test_loop_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_loop_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_saver_SOURCES = tests/unit/test_saver.c
tests_unit_test_saver_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_saver_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_srv_SOURCES = tests/unit/test_srv.c tests/lib/dnsmsg.c tests/lib/dnsmsg.h
tests_unit_test_srv_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_srv_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)
endif
