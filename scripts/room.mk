dist_noinst_SCRIPTS += \
	scripts/check-dist.sh \
	scripts/check-layers.sh \
	scripts/check-tidy.sh \
	scripts/demo \
	scripts/install-deps \
	scripts/test \
	scripts/test-checks.sh
EXTRA_DIST += scripts/tidy.awk tests/e2e

# A directory goes into the distribution with all that is in it, also what running left there.
dist-hook:
	find '$(distdir)' '(' -name __pycache__ -o -name .pytest_cache -o -name .gitignore \
		-o -path '*/tests/e2e/out' ')' -prune -exec rm -rf '{}' +

# The rules of the house run with the tests: arrows between rooms, style, and the proof that
# both of these checkers find what they look for.
TESTS += \
	scripts/check-layers.sh \
	scripts/check-tidy.sh \
	scripts/test-checks.sh

AM_TESTS_ENVIRONMENT = \
	AR='$(AR)' AWK='$(AWK)' CC='$(CC)' NM='$(NM)' \
	CPPFLAGS='-include config.h -I. -Isrc -I$(srcdir)/src $(CPPFLAGS) $(JANSSON_CFLAGS) \
		$(YAML_CFLAGS) $(CURL_CFLAGS) $(PQ_CFLAGS) $(MHD_CFLAGS) $(SYSTEMD_CFLAGS)'; \
	export AR AWK CC NM CPPFLAGS;
