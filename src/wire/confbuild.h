/* SPDX-License-Identifier: PostgreSQL */
/*
 * confbuild - sections of the checked document into struct config
 *
 * Each function fills its part and adds what only shows when values are seen together. Call
 * them in this order: later ones look at what earlier ones filled in.
 */
#ifndef PGHA_WIRE_CONFBUILD_H
#define PGHA_WIRE_CONFBUILD_H

#include "wire/confget.h"
#include "wire/confproblem.h"

struct confbuild {
	struct confget get;
	struct config *config;
	struct conf_problems *problems;
	const char *home;    /* of the user, or NULL */
	bool is_dynamic_etcd; /* the dynamic part came from etcd: its faults are not fatal */
};

/* A finding at the place of path in the local file, if it stands there. */
void confbuild_report(const struct confbuild *build, bool fatal, const char *path,
		      const char *fmt, ...) _printf_(4, 5);

void confbuild_identity(const struct confbuild *build);
void confbuild_ha(const struct confbuild *build);
void confbuild_etcd(const struct confbuild *build);
void confbuild_restapi(const struct confbuild *build);
void confbuild_postgresql(const struct confbuild *build);
void confbuild_bootstrap(const struct confbuild *build);
void confbuild_log(const struct confbuild *build);
void confbuild_watchdog(const struct confbuild *build);
void confbuild_fence(const struct confbuild *build);
void confbuild_poolers(const struct confbuild *build);
void confbuild_tags(const struct confbuild *build);

/* The address that others are given: not a wildcard. */
void confbuild_check_advertised(const struct confbuild *build, const char *path, const char *host);

#endif
