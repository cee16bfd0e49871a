/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgdsn - connection strings and password files
 */
#include "io/pgdsn.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <unistd.h>

static char user[] = "replicator", password[] = "se:cr\\et";

Test(pgdsn, has_patronis_order_and_defaults)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct auth auth = { .username = user, .password = password };
	struct pgdsn dsn = { .dbname = "postgres", .auth = &auth, .passfile = "/tmp/pgpass0",
			     .host = "127.0.0.1", .port = 5433, .application_name = "node1",
			     .major = 15, .defaults = true };

	pgdsn_text(&dsn, &text);
	cr_assert_str_eq(text.data, "dbname=postgres user=replicator passfile=/tmp/pgpass0 "
				    "host=127.0.0.1 port=5433 sslmode=prefer "
				    "application_name=node1 gssencmode=prefer "
				    "channel_binding=prefer");
	dsn.major = 17;
	pgdsn_text(&dsn, &text);
	cr_assert(str_ends(text.data, " channel_binding=prefer sslnegotiation=postgres"));
}

Test(pgdsn, never_holds_a_password)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct auth auth = { .username = user, .password = password };
	struct pgdsn dsn = { .auth = &auth, .host = "h", .major = 18, .defaults = true };

	pgdsn_text(&dsn, &text);
	cr_assert_null(strstr(text.data, "se"  ":cr"));
	cr_assert_null(strstr(text.data, "password"));
}

Test(pgdsn, puts_certificates_where_they_belong)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char mode[] = "verify-full", cert[] = "/c", key[] = "/k", root[] = "/r", crl[] = "/l";
	char dir[] = "/d", gss[] = "disable", bind[] = "require";
	struct auth auth = { .username = user, .sslmode = mode, .sslcert = cert, .sslkey = key,
			     .sslrootcert = root, .sslcrl = crl, .sslcrldir = dir,
			     .gssencmode = gss, .channel_binding = bind };
	struct pgdsn dsn = { .auth = &auth, .host = "h", .port = 1, .application_name = "a",
			     .krbsrvname = "pg", .target_session_attrs = "read-write",
			     .major = 14, .defaults = true };

	pgdsn_text(&dsn, &text);
	cr_assert_str_eq(text.data,
			 "user=replicator host=h port=1 sslmode=verify-full sslcert=/c sslkey=/k "
			 "sslrootcert=/r sslcrl=/l sslcrldir=/d application_name=a krbsrvname=pg "
			 "gssencmode=disable channel_binding=require "
			 "target_session_attrs=read-write");
	dsn.major = 13;
	pgdsn_text(&dsn, &text);
	cr_assert_null(strstr(text.data, "sslcrldir"));
}

Test(pgdsn, escapes_values)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char odd[] = "o'bri\\en the 2nd";
	struct auth auth = { .username = odd };
	struct pgdsn dsn = { .auth = &auth };

	pgdsn_text(&dsn, &text);
	cr_assert_str_eq(text.data, "user=o\\'bri\\\\en\\ the\\ 2nd");
}

Test(pgdsn, writes_password_lines)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct auth auth = { .username = user, .password = password };
	struct auth none = { .username = user };

	pgdsn_pgpass_line("::1", 5432, &auth, &text);
	cr_assert_str_eq(text.data, "\\:\\:1:5432:*:replicator:se\\:cr\\\\et\n");
	buf_clear(&text);
	pgdsn_pgpass_line("h", 5432, &none, &text);
	pgdsn_pgpass_line("", 5432, &auth, &text);
	cr_assert_eq(text.len, 0);
}

Test(pgdsn, by_a_socket_no_channel_is_bound)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char name[] = "u", require[] = "require", full[] = "verify-full";
	struct auth auth = { .username = name, .sslmode = full, .channel_binding = require };
	struct pgdsn dsn = { .auth = &auth, .host = "10.0.0.1" };

	pgdsn_text(&dsn, &text);
	cr_assert_str_eq(text.data,
			 "user=u host=10.0.0.1 sslmode=verify-full channel_binding=require");
	dsn.host = "/run/postgresql";
	pgdsn_text(&dsn, &text);
	cr_assert_str_eq(text.data, "user=u host=/run/postgresql sslmode=verify-full");
	dsn.defaults = true;
	pgdsn_text(&dsn, &text);
	cr_assert(strstr(text.data, "channel_binding=prefer"), "%s", text.data);
}

Test(pgdsn, the_password_of_a_key_gives_way_to_a_service)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char name[] = "u", secret[] = "s";
	struct auth auth = { .username = name, .sslpassword = secret };
	struct pgdsn dsn = { .auth = &auth };

	pgdsn_text(&dsn, &text);
	cr_assert_str_eq(text.data, "user=u sslpassword=s");
	dsn.service = "pgha_rewind";
	pgdsn_text(&dsn, &text);
	cr_assert_str_eq(text.data, "service=pgha_rewind user=u");
}

Test(pgdsn, looks_for_no_kerberos_where_there_is_none)
{
	char prefer[] = "prefer";
	struct auth auth = { 0 };

	(void)unsetenv("PGGSSENCMODE");
	(void)unsetenv("KRB5CCNAME");
	(void)setenv("KRB5_CONFIG", "/x/krb5.conf", 1);
	cr_assert_null(pgdsn_gssencmode(&auth));
	(void)unsetenv("KRB5_CONFIG");
	if (access("/etc/krb5.conf", F_OK) < 0)
		cr_assert_str_eq(pgdsn_gssencmode(&auth), "disable");
	else
		cr_assert_null(pgdsn_gssencmode(&auth));
	auth.gssencmode = prefer;
	cr_assert_str_eq(pgdsn_gssencmode(&auth), "prefer");
}
