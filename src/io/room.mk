noinst_LIBRARIES += src/libio.a
src_libio_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(PQ_CFLAGS) $(MHD_CFLAGS) $(SYSTEMD_CFLAGS)
src_libio_a_SOURCES =
src_libio_a_SOURCES += src/io/loop.c src/io/loop.h
src_libio_a_SOURCES += src/io/fsx.c src/io/fsx.h
