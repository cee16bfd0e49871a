EXTRA_DIST += \
	tests/fence/conftest.py \
	tests/fence/test_ack.py \
	tests/fence/test_gate.py \
	tests/fence/test_page.py
dist_check_SCRIPTS = tests/fence/check.sh

# Needs a PostgreSQL server, and starts its own; skipped, visibly, where there is none.
check_PROGRAMS += tests/fence/page
tests_fence_page_SOURCES = tests/fence/page.c
tests_fence_page_LDADD = $(BASE_LIBS)
TESTS += tests/fence/check.sh
