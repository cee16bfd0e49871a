/* SPDX-License-Identifier: PostgreSQL */
/*
 * confdone - frees a struct config
 */
#include "wire/conffile.h"

#include <stdlib.h>

#include "wire/confget.h"

void pairs_done(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		free(pairs->items[i].name);
		free(pairs->items[i].value);
	}
	free(pairs->items);
}

void strings_done(struct strings *strings)
{
	for (size_t i = 0; i < strings->n; i++)
		free(strings->items[i]);
	free(strings->items);
}

static void auth_done(struct auth *auth)
{
	free(auth->username);
	free(auth->password);
	free(auth->sslmode);
	free(auth->sslcert);
	free(auth->sslkey);
	free(auth->sslpassword);
	free(auth->sslrootcert);
	free(auth->sslcrl);
	free(auth->sslcrldir);
	free(auth->gssencmode);
	free(auth->channel_binding);
	free(auth->sslnegotiation);
}

static void net_done(struct config *config)
{
	struct config_etcd *etcd = &config->etcd;
	struct config_restapi *rest = &config->restapi;
	struct config_ctl *ctl = &config->ctl;

	free(etcd->srv);
	free(etcd->srv_suffix);
	free(etcd->username);
	free(etcd->password);
	free(etcd->cacert);
	free(etcd->cert);
	free(etcd->key);

	free(rest->username);
	free(rest->password);
	free(rest->certfile);
	free(rest->keyfile);
	free(rest->keyfile_password);
	free(rest->cafile);
	free(rest->ciphers);
	free(rest->peer_secret_file);
	strings_done(&rest->allowlist);
	pairs_done(&rest->http_extra_headers);
	pairs_done(&rest->https_extra_headers);

	free(ctl->username);
	free(ctl->password);
	free(ctl->cacert);
	free(ctl->certfile);
	free(ctl->keyfile);
	free(ctl->keyfile_password);
	strings_done(&ctl->members);
}

static void methods_done(struct config_postgresql *pg)
{
	for (size_t i = 0; i < pg->nmethods; i++) {
		free(pg->methods[i].name);
		free(pg->methods[i].command);
		pairs_done(&pg->methods[i].params);
	}
	free(pg->methods);
}

static void pg_done(struct config_postgresql *pg)
{
	free(pg->listen);
	free(pg->proxy_address);
	free(pg->data_dir);
	free(pg->config_dir);
	free(pg->config_base_name);
	free(pg->bin_dir);
	pairs_done(&pg->bin_name);
	free(pg->database);
	free(pg->pgpass);
	auth_done(&pg->superuser);
	auth_done(&pg->replication);
	auth_done(&pg->rewind);
	free(pg->krbsrvname);
	pairs_done(&pg->parameters);
	strings_done(&pg->pg_hba);
	strings_done(&pg->pg_ident);
	free(pg->custom_conf);
	pairs_done(&pg->recovery_conf);
	methods_done(pg);
	pairs_done(&pg->basebackup);
	pairs_done(&pg->rewind_options);
	free(pg->callback_on_start);
	free(pg->callback_on_stop);
	free(pg->callback_on_restart);
	free(pg->callback_on_reload);
	free(pg->callback_on_role_change);
	free(pg->pre_promote);
	free(pg->before_stop);
}

static void bootstrap_done(struct config_bootstrap *bootstrap)
{
	free(bootstrap->dcs_json);
	free(bootstrap->method);
	free(bootstrap->method_command);
	pairs_done(&bootstrap->method_recovery_conf);
	pairs_done(&bootstrap->method_params);
	pairs_done(&bootstrap->initdb);
	strings_done(&bootstrap->pg_hba);
	free(bootstrap->post_bootstrap);
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	free(config->state_dir);
	free(config->run_dir);
	strings_done(&config->withheld);
	free(config->tags_json);
	net_done(config);
	pg_done(&config->pg);
	bootstrap_done(&config->bootstrap);
	free(config->log.dir);
	free(config->watchdog.device);
	free(config->watchdog.driver);
	strings_done(&config->fence.command);
	free(config->poolers.username);
	free(config->poolers.password);
	free(config->poolers.sslmode);
	strings_done(&config->poolers.command);
	free(config);
}
