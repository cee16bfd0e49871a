EXTRA_DIST += \
	src/fence/commit.c \
	src/fence/counters.c \
	src/fence/exports.map \
	src/fence/gate.c src/fence/gate.h \
	src/fence/module.h \
	src/fence/module.mk \
	src/fence/pgha_fence.c

dist_pkgdata_DATA = sql/pgha_fence.sql sql/roles.sql

# The Postgres module, once for each version that configure found: src/fence/<major>/pgha_fence.so.
# Postgres is never built with sanitizers, so neither is what it loads.
FENCE_MAKE = $(MAKE) -f '$(srcdir)/src/fence/module.mk' OUT=src/fence CC='$(CC)' \
	CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)' WERROR='$(FENCE_WERROR)'
all-local: fence-modules
fence-modules:
	+@for p in $(PG_CONFIGS); do $(FENCE_MAKE) PG_CONFIG="$$p" all || exit 1; done
# Into the directories of the PostgreSQL installations, which are not ours: only when asked.
install-fence: fence-modules
	+@for p in $(PG_CONFIGS); do $(FENCE_MAKE) PG_CONFIG="$$p" install || exit 1; done
clean-local:
	+@for p in $(PG_CONFIGS); do $(FENCE_MAKE) PG_CONFIG="$$p" clean || exit 1; done
.PHONY: fence-modules install-fence
