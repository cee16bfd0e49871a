# The loop's other inhabitants: etcd, HTTP both ways, logs, systemd.
src_libio_a_SOURCES += \
	src/io/etcd.c src/io/etcd.h src/io/etcdpriv.h \
	src/io/etcdauth.c \
	src/io/etcdinfo.c \
	src/io/etcdnode.c src/io/etcdnode.h \
	src/io/etcdwatch.c \
	src/io/http.c src/io/http.h \
	src/io/resolve.c src/io/resolve.h

if HAVE_CRITERION
net_tests = \
	tests/unit/test_etcdnode \
	tests/unit/test_fsx
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)

tests_unit_test_etcdnode_SOURCES = tests/unit/test_etcdnode.c
tests_unit_test_etcdnode_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_etcdnode_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)

tests_unit_test_fsx_SOURCES = tests/unit/test_fsx.c
tests_unit_test_fsx_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_fsx_LDADD = $(IO_TEST_LIBS) $(CRITERION_LIBS)
endif
