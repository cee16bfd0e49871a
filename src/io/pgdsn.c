/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgdsn - connection strings and password files
 */
#include "io/pgdsn.h"

#include <stdlib.h>
#include <unistd.h>

static void add(struct buf *ret, const char *key, const char *value)
{
	if (!value || !value[0])
		return;
	if (ret->len > 0)
		buf_ch(ret, ' ');
	buf_str(ret, key);
	buf_ch(ret, '=');
	for (; *value; value++) {
		if (strchr(" \t\r\n'\\", *value))
			buf_ch(ret, '\\');
		buf_ch(ret, *value);
	}
}

static const char *either(const char *value, const struct pgdsn *dsn, const char *fallback)
{
	return value || !dsn->defaults ? value : fallback;
}

bool pgdsn_is_socket(const char *host)
{
	return host && host[0] == '/';
}

void pgdsn_text(const struct pgdsn *dsn, struct buf *ret)
{
	static const struct auth none = { 0 };
	const struct auth *auth = dsn->auth ? dsn->auth : &none;
	char port[8] = "";

	if (dsn->port)
		(void)str_printf(port, sizeof(port), "%u", dsn->port);
	buf_clear(ret);
	add(ret, "service", dsn->service);
	add(ret, "dbname", dsn->dbname);
	add(ret, "user", auth->username);
	add(ret, "passfile", dsn->passfile);
	add(ret, "host", dsn->host);
	add(ret, "port", port);
	add(ret, "sslmode", either(auth->sslmode, dsn, "prefer"));
	add(ret, "sslcert", auth->sslcert);
	add(ret, "sslkey", auth->sslkey);
	if (!dsn->service)
		add(ret, "sslpassword", auth->sslpassword);
	add(ret, "sslrootcert", auth->sslrootcert);
	add(ret, "sslcrl", auth->sslcrl);
	if (dsn->major >= 14)
		add(ret, "sslcrldir", auth->sslcrldir);
	add(ret, "application_name", dsn->application_name);
	add(ret, "krbsrvname", dsn->krbsrvname);
	add(ret, "gssencmode", either(auth->gssencmode, dsn, "prefer"));
	add(ret, "channel_binding",
	    either(pgdsn_is_socket(dsn->host) ? NULL : auth->channel_binding, dsn, "prefer"));
	add(ret, "target_session_attrs", dsn->target_session_attrs);
	if (dsn->major >= 17)
		add(ret, "sslnegotiation", either(auth->sslnegotiation, dsn, "postgres"));
}

const char *pgdsn_gssencmode(const struct auth *auth)
{
	static const char *const variables[] = { "PGGSSENCMODE", "KRB5_CONFIG", "KRB5CCNAME" };

	if (auth->gssencmode)
		return auth->gssencmode;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (getenv(variables[i]))
			return NULL;
	return access("/etc/krb5.conf", F_OK) < 0 ? "disable" : NULL;
}

static void add_field(struct buf *ret, const char *value)
{
	for (; *value; value++) {
		if (*value == ':' || *value == '\\')
			buf_ch(ret, '\\');
		buf_ch(ret, *value);
	}
}

void pgdsn_pgpass_line(const char *host, uint16_t port, const struct auth *auth, struct buf *ret)
{
	if (!auth->username || !auth->password || !host[0])
		return;
	add_field(ret, host);
	buf_printf(ret, ":%u:*:", port);
	add_field(ret, auth->username);
	buf_ch(ret, ':');
	add_field(ret, auth->password);
	buf_ch(ret, '\n');
}
