noinst_LIBRARIES += src/libwire.a
src_libwire_a_SOURCES = \
	src/wire/b64.c src/wire/b64.h \
	src/wire/conffile.h \
	src/wire/etcdmsg.c src/wire/etcdmsg.h \
	src/wire/etcdmsg_read.c \
	src/wire/jtext.c src/wire/jtext.h \
	src/wire/record.c src/wire/record.h \
	src/wire/record_history.c \
	src/wire/record_member.c \
	src/wire/restmsg.h
