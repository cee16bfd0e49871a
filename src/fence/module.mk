# module - builds pgha_fence.so for one major version of PostgreSQL. GNU make.
#
#   make -f src/fence/module.mk PG_CONFIG=/usr/lib/postgresql/16/bin/pg_config [install]
#
# The result is OUT/<major>/pgha_fence.so. Not by PGXS: the module holds files of src/base, is
# built away from its source, and exports nothing of them into the server.
FENCE_DIR := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
SRC := $(abspath $(FENCE_DIR)/..)
PG_CONFIG = pg_config
OUT = src/fence
CC = cc
CFLAGS = -O2 -g

VERSION := $(shell $(PG_CONFIG) --version | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
INCLUDES := $(shell $(PG_CONFIG) --includedir-server)
PKGLIBDIR := $(shell $(PG_CONFIG) --pkglibdir)
ifeq ($(VERSION),)
$(error '$(PG_CONFIG)' tells no version of PostgreSQL)
endif

# libc can do it in optimised code only, and warns in other. A distribution may want more of it.
OPTIMISED = $(filter-out -O0,$(filter -O%,$(CFLAGS)))
FORTIFY = $(if $(findstring _FORTIFY_SOURCE,$(CFLAGS)),,$(if $(OPTIMISED),-D_FORTIFY_SOURCE=2))

# As Postgres itself is built: its headers rely on it.
FENCE_CFLAGS = -std=gnu17 -fPIC -fno-strict-aliasing -fwrapv -D_GNU_SOURCE -isystem $(INCLUDES) \
	-I$(SRC) -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes \
	-Wstrict-prototypes -Wno-sign-conversion -fstack-protector-strong $(FORTIFY) $(WERROR)
FENCE_LDFLAGS = -shared -Wl,--version-script=$(FENCE_DIR)exports.map -Wl,-z,relro,-z,now \
	-Wl,-z,noexecstack

DIR = $(OUT)/$(VERSION)
OBJECTS = $(addprefix $(DIR)/,pgha_fence.o commit.o counters.o gate.o base.o err.o leasepage.o \
	parse.o str.o)
# What the flags are told by counts as one.
HEADERS = $(wildcard $(SRC)/fence/*.h $(SRC)/base/*.h) $(FENCE_DIR)module.mk

all: $(DIR)/pgha_fence.so

$(DIR)/pgha_fence.so: $(OBJECTS) $(FENCE_DIR)exports.map
	@echo '  PGLD     $@'; $(CC) $(CFLAGS) $(LDFLAGS) $(FENCE_LDFLAGS) -o $@ $(OBJECTS)

$(DIR)/%.o: $(SRC)/fence/%.c $(HEADERS)
	@mkdir -p $(DIR); echo '  PGCC     $@'; $(CC) $(CFLAGS) $(FENCE_CFLAGS) -c -o $@ $<

$(DIR)/%.o: $(SRC)/base/%.c $(HEADERS)
	@mkdir -p $(DIR); echo '  PGCC     $@'; $(CC) $(CFLAGS) $(FENCE_CFLAGS) -c -o $@ $<

install: all
	mkdir -p '$(DESTDIR)$(PKGLIBDIR)'
	install -m 755 $(DIR)/pgha_fence.so '$(DESTDIR)$(PKGLIBDIR)/pgha_fence.so'

clean:
	rm -rf $(DIR)

.PHONY: all install clean
