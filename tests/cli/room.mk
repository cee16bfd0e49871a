EXTRA_DIST += \
	tests/cli/conftest.py \
	tests/cli/test_away.py \
	tests/cli/test_commands.py \
	tests/cli/test_completion.py \
	tests/cli/test_data.py \
	tests/cli/test_doctor.py \
	tests/cli/test_dryrun.py \
	tests/cli/test_generate.py \
	tests/cli/test_progress.py \
	tests/cli/test_query.py \
	tests/cli/test_watch.py

# hactl against a real etcd and false members on loopback, and pghad's own questions; part of check-io.
check-cli: hactl pghad
	HACTL='$(abs_builddir)/hactl' /usr/bin/python3 -m pytest -q -p no:cacheprovider \
		'$(srcdir)/tests/cli'
check-io: check-cli
.PHONY: check-cli
