sbin_PROGRAMS += pghad
pghad_SOURCES = src/pghad.c
pghad_LDADD = $(IO_LIBS)
