noinst_LIBRARIES += src/libcli.a
src_libcli_a_SOURCES = \
	src/cli/api.c src/cli/api.h \
	src/cli/args.c src/cli/args.h \
	src/cli/ask.c src/cli/ask.h \
	src/cli/cli.c src/cli/cli.h \
	src/cli/cmd.h \
	src/cli/cmd_completion.c \
	src/cli/cmd_config.c \
	src/cli/cmd_dcs.c \
	src/cli/cmd_drill.c \
	src/cli/cmd_dsn.c \
	src/cli/cmd_explain.c \
	src/cli/cmd_flush.c \
	src/cli/cmd_history.c \
	src/cli/cmd_list.c \
	src/cli/cmd_migrate.c \
	src/cli/cmd_pause.c \
	src/cli/cmd_proxy.c \
	src/cli/cmd_query.c \
	src/cli/cmd_reinit.c \
	src/cli/cmd_reload.c \
	src/cli/cmd_remove.c \
	src/cli/cmd_restart.c \
	src/cli/cmd_standby.c \
	src/cli/cmd_switchover.c \
	src/cli/cmd_version.c \
	src/cli/cmd_why.c \
	src/cli/cmd_watch.c \
	src/cli/complete.c src/cli/complete.h \
	src/cli/confdir.c src/cli/confdir.h \
	src/cli/dcs.c src/cli/dcs.h \
	src/cli/diff.c src/cli/diff.h \
	src/cli/doctor.c \
	src/cli/doctor_cluster.c \
	src/cli/doctor_etcd.c \
	src/cli/doctor_host.c \
	src/cli/doctor_links.c \
	src/cli/doctor_member.c \
	src/cli/doctor_peers.c \
	src/cli/doctor_tls.c \
	src/cli/drillload.c src/cli/drillload.h \
	src/cli/drillwindow.c src/cli/drillwindow.h \
	src/cli/each.c src/cli/each.h \
	src/cli/finding.c src/cli/finding.h \
	src/cli/dsn.c src/cli/dsn.h \
	src/cli/edit.c src/cli/edit.h \
	src/cli/editcheck.c src/cli/editcheck.h \
	src/cli/fit.c src/cli/fit.h \
	src/cli/follow.c src/cli/follow.h \
	src/cli/listing.c src/cli/listing.h \
	src/cli/migrate.c src/cli/migrate.h \
	src/cli/migratekeys.c src/cli/migratekeys.h \
	src/cli/migrateprint.c src/cli/migrateprint.h \
	src/cli/node.c src/cli/node.h \
	src/cli/outlook.c src/cli/outlook.h \
	src/cli/outside.c src/cli/outside.h \
	src/cli/picture.c src/cli/picture.h \
	src/cli/progress.c src/cli/progress.h \
	src/cli/proxy.c src/cli/proxy.h \
	src/cli/reach.c \
	src/cli/report.c src/cli/report.h \
	src/cli/screen.c src/cli/screen.h \
	src/cli/select.c src/cli/select.h \
	src/cli/setup.c src/cli/setup.h \
	src/cli/table.c src/cli/table.h \
	src/cli/watchview.c src/cli/watchview.h \
	src/cli/when.c src/cli/when.h

bin_PROGRAMS += hactl
hactl_SOURCES = src/hactl.c
hactl_LDADD = $(CLI_LIBS)

# Written by the program itself, each to where its shell looks.
bashcompdir = $(datadir)/bash-completion/completions
zshcompdir = $(datadir)/zsh/site-functions
fishcompdir = $(datadir)/fish/vendor_completions.d
nodist_bashcomp_DATA = completion/bash/hactl
nodist_zshcomp_DATA = completion/zsh/_hactl
nodist_fishcomp_DATA = completion/fish/hactl.fish
completions = $(nodist_bashcomp_DATA) $(nodist_zshcomp_DATA) $(nodist_fishcomp_DATA)
CLEANFILES += $(completions)

$(completions): hactl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
		./hactl$(EXEEXT) completion `basename $(@D)` >$@.new && mv $@.new $@

if HAVE_CRITERION
cli_tests = \
	tests/unit/test_args \
	tests/unit/test_cli \
	tests/unit/test_diff \
	tests/unit/test_drillwindow \
	tests/unit/test_edit \
	tests/unit/test_listing \
	tests/unit/test_migrate \
	tests/unit/test_progress \
	tests/unit/test_proxy \
	tests/unit/test_select \
	tests/unit/test_setup \
	tests/unit/test_table \
	tests/unit/test_when
check_PROGRAMS += $(cli_tests)
TESTS += $(cli_tests)

tests_unit_test_args_SOURCES = tests/unit/test_args.c
tests_unit_test_args_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_args_LDADD = src/libcli.a $(BASE_LIBS) $(CRITERION_LIBS)

tests_unit_test_cli_SOURCES = tests/unit/test_cli.c
tests_unit_test_cli_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_cli_LDADD = $(CLI_LIBS) $(CRITERION_LIBS)

tests_unit_test_diff_SOURCES = tests/unit/test_diff.c
tests_unit_test_diff_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_diff_LDADD = src/libcli.a $(BASE_LIBS) $(CRITERION_LIBS)

tests_unit_test_drillwindow_SOURCES = tests/unit/test_drillwindow.c
tests_unit_test_drillwindow_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_drillwindow_LDADD = src/libcli.a $(BASE_LIBS) $(CRITERION_LIBS)

tests_unit_test_edit_SOURCES = tests/unit/test_edit.c
tests_unit_test_edit_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_edit_LDADD = src/libcli.a $(WIRE_LIBS) $(CRITERION_LIBS)

tests_unit_test_listing_SOURCES = tests/unit/test_listing.c
tests_unit_test_listing_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_listing_LDADD = src/libcli.a $(WIRE_LIBS) $(CRITERION_LIBS)

tests_unit_test_migrate_SOURCES = tests/unit/test_migrate.c
tests_unit_test_migrate_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_migrate_LDADD = src/libcli.a $(WIRE_LIBS) $(CRITERION_LIBS)

tests_unit_test_progress_SOURCES = tests/unit/test_progress.c
tests_unit_test_progress_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_progress_LDADD = src/libcli.a $(WIRE_LIBS) $(CRITERION_LIBS)

tests_unit_test_proxy_SOURCES = tests/unit/test_proxy.c
tests_unit_test_proxy_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_proxy_LDADD = src/libcli.a $(WIRE_LIBS) $(CRITERION_LIBS)

tests_unit_test_select_SOURCES = tests/unit/test_select.c
tests_unit_test_select_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_select_LDADD = src/libcli.a $(WIRE_LIBS) $(CRITERION_LIBS)

tests_unit_test_setup_SOURCES = tests/unit/test_setup.c
tests_unit_test_setup_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_setup_LDADD = src/libcli.a $(WIRE_LIBS) $(CRITERION_LIBS)

tests_unit_test_table_SOURCES = tests/unit/test_table.c
tests_unit_test_table_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_table_LDADD = src/libcli.a $(WIRE_LIBS) $(CRITERION_LIBS)

tests_unit_test_when_SOURCES = tests/unit/test_when.c
tests_unit_test_when_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_when_LDADD = src/libcli.a $(BASE_LIBS) $(CRITERION_LIBS)
endif
