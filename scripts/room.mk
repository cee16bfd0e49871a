dist_noinst_SCRIPTS += \
	scripts/bench \
	scripts/check-completion.sh \
	scripts/check-dist.sh \
	scripts/check-alerts.sh \
	scripts/check-hardening.sh \
	scripts/check-layers.sh \
	scripts/check-man.sh \
	scripts/check-packages.sh \
	scripts/check-readme.sh \
	scripts/check-tidy.sh \
	scripts/compare-packages \
	scripts/demo \
	scripts/faults \
	scripts/fuzz \
	scripts/install-deps \
	scripts/lint-packages \
	scripts/test \
	scripts/test-checks.sh
EXTRA_DIST += scripts/failures.awk scripts/tidy.awk

# The rules of the house run with the tests: arrows between rooms, style, a complete manual, packages
# that agree, hardened programs, and the proof that these checkers find what they look for. They are
# about the source and the programs that are shipped, so sanitizers have nothing to add.
if !SANITIZERS
TESTS += \
	scripts/check-alerts.sh \
	scripts/check-completion.sh \
	scripts/check-hardening.sh \
	scripts/check-layers.sh \
	scripts/check-man.sh \
	scripts/check-packages.sh \
	scripts/check-readme.sh \
	scripts/check-tidy.sh \
	scripts/test-checks.sh
endif

AM_TESTS_ENVIRONMENT = \
	AR='$(AR)' AWK='$(AWK)' CC='$(CC)' NM='$(NM)' \
	CPPFLAGS='-include config.h -I. -Isrc -I$(srcdir)/src $(CPPFLAGS) $(JANSSON_CFLAGS) \
		$(YAML_CFLAGS) $(CURL_CFLAGS) $(PQ_CFLAGS) $(MHD_CFLAGS)' \
	FENCE_PG_CONFIGS='$(PG_CONFIGS)'; \
	export AR AWK CC NM CPPFLAGS FENCE_PG_CONFIGS;
