/* SPDX-License-Identifier: PostgreSQL */
/*
 * confdiff - what differs between two configurations
 */
#include "wire/conffile.h"

#include <string.h>

#include "wire/confguc.h"

/* NULL and "" are different here: a switch is no empty value. */
static bool same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool same_strings(const struct strings *a, const struct strings *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same(a->items[i], b->items[i]))
			return false;
	return true;
}

static bool same_pairs(const struct pairs *a, const struct pairs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same(a->items[i].name, b->items[i].name) ||
		    !same(a->items[i].value, b->items[i].value))
			return false;
	return true;
}

static bool same_auth(const struct auth *a, const struct auth *b)
{
	return same(a->username, b->username) && same(a->password, b->password) &&
	       same(a->sslmode, b->sslmode) && same(a->sslcert, b->sslcert) &&
	       same(a->sslkey, b->sslkey) && same(a->sslpassword, b->sslpassword) &&
	       same(a->sslrootcert, b->sslrootcert) && same(a->sslcrl, b->sslcrl) &&
	       same(a->sslcrldir, b->sslcrldir) && same(a->gssencmode, b->gssencmode) &&
	       same(a->channel_binding, b->channel_binding) &&
	       same(a->sslnegotiation, b->sslnegotiation);
}

static bool same_endpoints(const struct config_etcd *a, const struct config_etcd *b)
{
	if (a->nendpoints != b->nendpoints || a->use_proxies != b->use_proxies ||
	    !same(a->srv, b->srv) || !same(a->srv_suffix, b->srv_suffix))
		return false;
	for (uint32_t i = 0; i < a->nendpoints; i++)
		if (!same(a->endpoints[i].host, b->endpoints[i].host) ||
		    a->endpoints[i].port != b->endpoints[i].port ||
		    a->endpoints[i].tls != b->endpoints[i].tls)
			return false;
	return true;
}

static bool same_identity(const struct config *a, const struct config *b)
{
	return same(a->name, b->name) && same(a->prefix, b->prefix) &&
	       same(a->state_dir, b->state_dir) && same(a->run_dir, b->run_dir) &&
	       same(a->pg.data_dir, b->pg.data_dir) && same_endpoints(&a->etcd, &b->etcd);
}

/* Field by field: padding is not part of a value. */
static bool same_ha(const struct config_ha *a, const struct config_ha *b)
{
	return a->ttl_ms == b->ttl_ms && a->loop_wait_ms == b->loop_wait_ms &&
	       a->retry_timeout_ms == b->retry_timeout_ms &&
	       a->maximum_lag_bytes == b->maximum_lag_bytes &&
	       a->primary_start_timeout_ms == b->primary_start_timeout_ms &&
	       a->on_primary_crash == b->on_primary_crash &&
	       a->primary_stop_timeout_ms == b->primary_stop_timeout_ms &&
	       a->member_slots_ttl_ms == b->member_slots_ttl_ms &&
	       a->check_timeline == b->check_timeline && a->pause == b->pause &&
	       a->use_slots == b->use_slots && a->use_pg_rewind == b->use_pg_rewind &&
	       a->remove_on_rewind_failure == b->remove_on_rewind_failure &&
	       a->remove_on_diverged_timelines == b->remove_on_diverged_timelines &&
	       a->has_bootstrap == b->has_bootstrap && a->proof == b->proof &&
	       a->max_timelines_history == b->max_timelines_history;
}

static bool same_etcd_login(const struct config_etcd *a, const struct config_etcd *b)
{
	return same(a->username, b->username) && same(a->password, b->password) &&
	       same(a->cacert, b->cacert) && same(a->cert, b->cert) && same(a->key, b->key);
}

static bool same_rest(const struct config_restapi *a, const struct config_restapi *b)
{
	return same(a->listen_host, b->listen_host) && a->listen_port == b->listen_port &&
	       same(a->connect_host, b->connect_host) && a->connect_port == b->connect_port &&
	       same(a->username, b->username) && same(a->password, b->password) &&
	       same(a->certfile, b->certfile) && same(a->keyfile, b->keyfile) &&
	       same(a->keyfile_password, b->keyfile_password) && same(a->cafile, b->cafile) &&
	       same(a->ciphers, b->ciphers) && a->verify_client == b->verify_client &&
	       same_strings(&a->allowlist, &b->allowlist) &&
	       a->allowlist_include_members == b->allowlist_include_members &&
	       a->server_tokens == b->server_tokens &&
	       same(a->peer_secret_file, b->peer_secret_file) && a->peer_auth == b->peer_auth &&
	       same_pairs(&a->http_extra_headers, &b->http_extra_headers) &&
	       same_pairs(&a->https_extra_headers, &b->https_extra_headers);
}

/* Which of the two kinds of settings differ. The controlled ones stand first in both. */
static unsigned diff_parameters(const struct pairs *a, const struct pairs *b)
{
	unsigned diff = a->n != b->n ? CONFIG_DIFF_PG_FILES : 0;

	for (size_t i = 0; i < a->n && i < b->n; i++) {
		if (same(a->items[i].name, b->items[i].name) &&
		    same(a->items[i].value, b->items[i].value))
			continue;
		diff |= confguc_is_controlled(a->items[i].name) ? CONFIG_DIFF_PG_RESTART
								: CONFIG_DIFF_PG_FILES;
	}
	return diff;
}

static bool same_pg_files(const struct config_postgresql *a, const struct config_postgresql *b)
{
	return same_strings(&a->pg_hba, &b->pg_hba) && same_strings(&a->pg_ident, &b->pg_ident) &&
	       same_pairs(&a->recovery_conf, &b->recovery_conf) &&
	       same(a->custom_conf, b->custom_conf) && same(a->config_dir, b->config_dir) &&
	       same(a->config_base_name, b->config_base_name) && same(a->pgpass, b->pgpass) &&
	       same_auth(&a->replication, &b->replication) && same(a->krbsrvname, b->krbsrvname);
}

static bool same_methods(const struct config_postgresql *a, const struct config_postgresql *b)
{
	if (a->nmethods != b->nmethods)
		return false;
	for (size_t i = 0; i < a->nmethods; i++) {
		const struct replica_method *x = &a->methods[i];
		const struct replica_method *y = &b->methods[i];

		if (!same(x->name, y->name) || !same(x->command, y->command) ||
		    x->no_params != y->no_params || x->no_leader != y->no_leader ||
		    x->keep_data != y->keep_data || !same_pairs(&x->params, &y->params))
			return false;
	}
	return true;
}

static bool same_pg_rest(const struct config_postgresql *a, const struct config_postgresql *b)
{
	return same(a->connect_host, b->connect_host) && a->connect_port == b->connect_port &&
	       same(a->proxy_address, b->proxy_address) && same(a->bin_dir, b->bin_dir) &&
	       same_pairs(&a->bin_name, &b->bin_name) && same(a->database, b->database) &&
	       same_auth(&a->superuser, &b->superuser) && same_auth(&a->rewind, &b->rewind) &&
	       a->use_unix_socket == b->use_unix_socket &&
	       a->use_unix_socket_repl == b->use_unix_socket_repl && same_methods(a, b) &&
	       same_pairs(&a->basebackup, &b->basebackup) &&
	       same_pairs(&a->rewind_options, &b->rewind_options) &&
	       same(a->callback_on_start, b->callback_on_start) &&
	       same(a->callback_on_stop, b->callback_on_stop) &&
	       same(a->callback_on_restart, b->callback_on_restart) &&
	       same(a->callback_on_reload, b->callback_on_reload) &&
	       same(a->callback_on_role_change, b->callback_on_role_change) &&
	       same(a->pre_promote, b->pre_promote) && same(a->before_stop, b->before_stop) &&
	       a->pg_ctl_timeout_ms == b->pg_ctl_timeout_ms;
}

static bool same_poolers(const struct config_poolers *a, const struct config_poolers *b)
{
	for (uint32_t i = 0; i < MIN_OF(a->n, b->n); i++)
		if (!str_eq(a->consoles[i].host, b->consoles[i].host) ||
		    a->consoles[i].port != b->consoles[i].port)
			return false;
	return a->n == b->n && same(a->username, b->username) && same(a->password, b->password) &&
	       same(a->sslmode, b->sslmode) && same_strings(&a->command, &b->command) &&
	       a->pause_ms == b->pause_ms && a->hold_ms == b->hold_ms;
}

static bool same_other(const struct config *a, const struct config *b)
{
	const struct config_ctl *x = &a->ctl;
	const struct config_ctl *y = &b->ctl;

	return same(x->username, y->username) && same(x->password, y->password) &&
	       same(x->cacert, y->cacert) && same(x->certfile, y->certfile) &&
	       same(x->keyfile, y->keyfile) && same(x->keyfile_password, y->keyfile_password) &&
	       x->insecure == y->insecure && a->log.level == b->log.level &&
	       same(a->log.dir, b->log.dir) && a->log.json == b->log.json &&
	       a->log.file_size_bytes == b->log.file_size_bytes &&
	       a->log.file_num == b->log.file_num && a->watchdog.mode == b->watchdog.mode &&
	       same(a->watchdog.device, b->watchdog.device) &&
	       a->watchdog.safety_margin_s == b->watchdog.safety_margin_s &&
	       same(a->watchdog.driver, b->watchdog.driver) &&
	       a->fence.guard == b->fence.guard &&
	       same_strings(&a->fence.command, &b->fence.command) &&
	       a->fence.command_timeout_ms == b->fence.command_timeout_ms &&
	       a->fence.command_failure == b->fence.command_failure &&
	       a->fence.hung_postgres == b->fence.hung_postgres &&
	       a->fence.stalled_disk == b->fence.stalled_disk &&
	       a->fence.hung_after_ms == b->fence.hung_after_ms &&
	       a->allow_remote_commands == b->allow_remote_commands &&
	       same_strings(&a->withheld, &b->withheld) && same_pg_rest(&a->pg, &b->pg);
}

unsigned config_diff(const struct config *a, const struct config *b)
{
	unsigned diff = diff_parameters(&a->pg.parameters, &b->pg.parameters);

	if (!same_identity(a, b))
		diff |= CONFIG_DIFF_AGENT;
	if (!same_ha(&a->ha, &b->ha))
		diff |= CONFIG_DIFF_HA;
	if (!same(a->tags_json, b->tags_json))
		diff |= CONFIG_DIFF_TAGS;
	if (!same_etcd_login(&a->etcd, &b->etcd))
		diff |= CONFIG_DIFF_ETCD;
	if (!same_rest(&a->restapi, &b->restapi))
		diff |= CONFIG_DIFF_REST;
	if (!same_pg_files(&a->pg, &b->pg) || a->fence.commit_guard != b->fence.commit_guard)
		diff |= CONFIG_DIFF_PG_FILES;
	if (!same_other(a, b) || !same_poolers(&a->poolers, &b->poolers))
		diff |= CONFIG_DIFF_OTHER;
	return diff;
}
