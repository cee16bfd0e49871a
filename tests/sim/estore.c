/* SPDX-License-Identifier: PostgreSQL */
/*
 * estore - what etcd agreed on
 */
#include "estore.h"

#include <assert.h>
#include <stdlib.h>

void estore_init(struct estore *store, uint64_t cluster_id)
{
	*store = (struct estore){ .cluster_id = cluster_id, .revision = 1 };
}

void estore_done(struct estore *store)
{
	for (size_t i = 0; i < store->nkeys; i++) {
		for (size_t j = 0; j < store->keys[i].n; j++)
			free(store->keys[i].versions[j].value);
		free(store->keys[i].versions);
	}
	free(store->keys);
	free(store->log);
	*store = (struct estore){ 0 };
}

static struct ekey *find(const struct estore *store, const char *name)
{
	for (size_t i = 0; i < store->nkeys; i++)
		if (strcmp(store->keys[i].name, name) == 0)
			return &store->keys[i];
	return NULL;
}

static struct ekey *find_or_add(struct estore *store, const char *name)
{
	struct ekey *key = find(store, name);

	if (key)
		return key;
	if (store->nkeys == store->keys_cap) {
		store->keys_cap = store->keys_cap ? store->keys_cap * 2 : 16;
		store->keys = mem_grow(store->keys, store->keys_cap, sizeof(*store->keys));
	}
	key = &store->keys[store->nkeys++];
	*key = (struct ekey){ 0 };
	(void)str_copy(key->name, sizeof(key->name), name);
	return key;
}

static const struct eversion *version_at(const struct ekey *key, int64_t revision)
{
	for (size_t i = key->n; i > 0; i--)
		if (key->versions[i - 1].revision <= revision)
			return key->versions[i - 1].value ? &key->versions[i - 1] : NULL;
	return NULL;
}

const struct eversion *estore_get(const struct estore *store, const char *name)
{
	const struct ekey *key = find(store, name);

	return key ? version_at(key, INT64_MAX) : NULL;
}

static void add_version(struct estore *store, struct ekey *key, int64_t revision,
			const char *value, int64_t lease_id)
{
	const struct eversion *old = version_at(key, INT64_MAX);
	int64_t create_revision = old ? old->create_revision : revision;

	if (key->n == key->cap) {
		key->cap = key->cap ? key->cap * 2 : 8;
		key->versions = mem_grow(key->versions, key->cap, sizeof(*key->versions));
	}
	key->versions[key->n++] = (struct eversion){
		.revision = revision,
		.create_revision = value ? create_revision : 0,
		.lease_id = lease_id,
		.value = str_dup(value),
	};
	if (store->nlog == store->log_cap) {
		store->log_cap = store->log_cap ? store->log_cap * 2 : 64;
		store->log = mem_grow(store->log, store->log_cap, sizeof(*store->log));
	}
	store->log[store->nlog++] = (struct echange){
		.revision = revision,
		.key = (uint32_t)(key - store->keys),
		.version = (uint32_t)(key->n - 1),
	};
}

static void add_kv(struct etcd_kvs *kvs, const struct ekey *key, const struct eversion *version)
{
	kvs->items = mem_grow(kvs->items, kvs->n + 1, sizeof(*kvs->items));
	kvs->items[kvs->n++] = (struct etcd_kv){
		.key = str_dup(key->name),
		.value = str_dup(version->value),
		.len = strlen(version->value),
		.create_revision = version->create_revision,
		.mod_revision = version->revision,
		.lease_id = version->lease_id,
	};
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct etcd_kv *)a)->key, ((const struct etcd_kv *)b)->key);
}

void estore_range(const struct estore *store, const char *prefix, int64_t revision,
		  struct etcd_rep *ret)
{
	if (revision <= 0 || revision > store->revision)
		revision = store->revision;
	ret->cluster_id = store->cluster_id;
	ret->revision = revision;
	for (size_t i = 0; i < store->nkeys; i++) {
		const struct ekey *key = &store->keys[i];
		const struct eversion *version = version_at(key, revision);

		if (version && str_starts(key->name, prefix))
			add_kv(&ret->kvs, key, version);
	}
	if (ret->kvs.n > 1)
		qsort(ret->kvs.items, ret->kvs.n, sizeof(*ret->kvs.items), by_key);
}

static bool compare_holds(const struct estore *store, const struct etcd_cmp *cmp)
{
	const struct eversion *version = estore_get(store, cmp->key);

	switch (cmp->target) {
	case ETCD_CMP_CREATE:
		return (version ? version->create_revision : 0) == cmp->number;
	case ETCD_CMP_MOD:
		return (version ? version->revision : 0) == cmp->number;
	case ETCD_CMP_VALUE:
		/* etcd: a value compare of a key that is missing fails. */
		return version && str_eq(version->value, cmp->text);
	case ETCD_CMP_LEASE:
		return (version ? version->lease_id : 0) == cmp->number;
	case ETCD_CMP__MAX:
		break;
	}
	assert(false);
	return false;
}

static bool deletes_key(const struct etcd_txn_op *op, const char *name)
{
	return op->prefix ? str_starts(name, op->key) : strcmp(name, op->key) == 0;
}

static uint32_t delete_matching(struct estore *store, const struct etcd_txn_op *op,
				int64_t revision)
{
	uint32_t count = 0;

	for (size_t i = 0; i < store->nkeys; i++) {
		struct ekey *key = &store->keys[i];

		if (!deletes_key(op, key->name) || !version_at(key, INT64_MAX))
			continue;
		add_version(store, key, revision, NULL, 0);
		count++;
	}
	return count;
}

static void get_matching(const struct estore *store, const struct etcd_txn_op *op,
			 struct etcd_rep *ret)
{
	for (size_t i = 0; i < store->nkeys; i++) {
		const struct ekey *key = &store->keys[i];
		const struct eversion *version = version_at(key, INT64_MAX);

		if (deletes_key(op, key->name) && version)
			add_kv(&ret->kvs, key, version);
	}
}

static bool leases_known(struct estore *store, const struct etcd_txn_op *ops, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (ops[i].type == ETCD_PUT && ops[i].lease_id != 0 &&
		    !estore_lease(store, ops[i].lease_id))
			return false;
	return true;
}

/* etcd refuses a transaction that puts one key twice; a delete and a put of it as well. */
static void check_no_key_twice(const struct etcd_txn_op *ops, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < n; j++)
			if (i != j && ops[i].type == ETCD_PUT && ops[j].type != ETCD_GET)
				assert(!deletes_key(&ops[j], ops[i].key));
}

static uint32_t apply_ops(struct estore *store, const struct etcd_txn_op *ops, uint32_t n,
			  int64_t revision, struct etcd_rep *ret)
{
	uint32_t changed = 0;

	for (uint32_t i = 0; i < n; i++) {
		switch (ops[i].type) {
		case ETCD_PUT:
			add_version(store, find_or_add(store, ops[i].key), revision,
				    ops[i].value ? ops[i].value : "", ops[i].lease_id);
			changed++;
			break;
		case ETCD_DELETE:
			changed += delete_matching(store, &ops[i], revision);
			break;
		case ETCD_GET:
			get_matching(store, &ops[i], ret);
			break;
		case ETCD_TXN_OP__MAX:
			assert(false);
			break;
		}
	}
	return changed;
}

void estore_txn(struct estore *store, const struct etcd_req *req, struct etcd_rep *ret)
{
	bool holds = true;
	const struct etcd_txn_op *ops;
	uint32_t n;

	for (uint32_t i = 0; i < req->ncmps && holds; i++)
		holds = compare_holds(store, &req->cmps[i]);
	ops = holds ? req->then_ops : req->else_ops;
	n = holds ? req->nthen : req->nelse;

	ret->cluster_id = store->cluster_id;
	ret->revision = store->revision;
	check_no_key_twice(ops, n);
	if (!leases_known(store, ops, n)) {
		ret->error_code = ESTORE_NOT_FOUND;
		(void)str_copy(ret->error_text, sizeof(ret->error_text),
			       "etcdserver: requested lease not found");
		return;
	}
	ret->succeeded = holds;
	/* All changes of one transaction share a revision; one that changed nothing, such as
	 * the delete of a missing key, leaves none although it went through Raft. */
	if (apply_ops(store, ops, n, store->revision + 1, ret) > 0)
		store->revision++;
	ret->revision = store->revision;
	store->writes++;
}

void estore_put(struct estore *store, const char *key, const char *value)
{
	add_version(store, find_or_add(store, key), store->revision + 1, value, 0);
	store->revision++;
}

struct elease *estore_lease(struct estore *store, int64_t id)
{
	for (size_t i = 0; i < ESTORE_LEASES_MAX; i++)
		if (id != 0 && store->leases[i].id == id)
			return &store->leases[i];
	return NULL;
}

void estore_grant(struct estore *store, int64_t id, int64_t ttl_s, int64_t now_us, int64_t ttl_us,
		  struct etcd_rep *ret)
{
	size_t i = 0;

	while (i < ESTORE_LEASES_MAX && store->leases[i].id != 0)
		i++;
	assert(i < ESTORE_LEASES_MAX); /* more means that somebody leaks leases */
	store->leases[i] = (struct elease){
		.id = id, .ttl_s = ttl_s, .renewed_us = now_us, .expires_us = now_us + ttl_us
	};
	ret->cluster_id = store->cluster_id;
	ret->revision = store->revision;
	ret->lease_id = id;
	ret->ttl_s = ttl_s;
}

void estore_revoke(struct estore *store, int64_t id, struct etcd_rep *ret)
{
	struct elease *lease = estore_lease(store, id);
	bool changed = false;

	ret->cluster_id = store->cluster_id;
	ret->revision = store->revision;
	if (!lease) {
		ret->error_code = ESTORE_NOT_FOUND;
		(void)str_copy(ret->error_text, sizeof(ret->error_text),
			       "etcdserver: requested lease not found");
		return;
	}
	*lease = (struct elease){ 0 };
	for (size_t i = 0; i < store->nkeys; i++) {
		const struct eversion *version = version_at(&store->keys[i], INT64_MAX);

		if (!version || version->lease_id != id)
			continue;
		add_version(store, &store->keys[i], store->revision + 1, NULL, 0);
		changed = true;
	}
	if (changed)
		store->revision++;
	ret->revision = store->revision;
}

static void forget_after(struct ekey *key, int64_t revision)
{
	while (key->n > 0 && key->versions[key->n - 1].revision > revision)
		free(key->versions[--key->n].value);
}

static bool holds_key(const struct estore *store, int64_t lease_id)
{
	for (size_t i = 0; i < store->nkeys; i++) {
		const struct eversion *version = version_at(&store->keys[i], INT64_MAX);

		if (version && version->lease_id == lease_id)
			return true;
	}
	return false;
}

/* Those that hang on a key are in the snapshot, with a full term each. */
static void restore_leases(struct estore *store, int64_t now_us)
{
	for (size_t i = 0; i < ESTORE_LEASES_MAX; i++) {
		struct elease *lease = &store->leases[i];

		if (!holds_key(store, lease->id))
			*lease = (struct elease){ 0 };
		lease->renewed_us = now_us;
		lease->expires_us = now_us + lease->ttl_s * 1000000;
	}
}

/* Leases that had ended by now were alive then. */
static void revive_leases(struct estore *store)
{
	for (size_t i = 0; i < store->nkeys; i++) {
		const struct eversion *version = version_at(&store->keys[i], INT64_MAX);
		size_t slot = 0;

		if (!version || version->lease_id == 0 || estore_lease(store, version->lease_id))
			continue;
		while (slot < ESTORE_LEASES_MAX && store->leases[slot].id != 0)
			slot++;
		assert(slot < ESTORE_LEASES_MAX);
		store->leases[slot] = (struct elease){ .id = version->lease_id, .ttl_s = 5 };
	}
}

void estore_restore(struct estore *store, int64_t revision, uint64_t cluster_id, int64_t now_us)
{
	for (size_t i = 0; i < store->nkeys; i++)
		forget_after(&store->keys[i], revision);
	while (store->nlog > 0 && store->log[store->nlog - 1].revision > revision)
		store->nlog--;
	store->revision = MAX_OF(revision, 1);
	store->compacted = MIN_OF(store->compacted, store->revision - 1);
	store->cluster_id = cluster_id;
	store->lineage++;
	revive_leases(store);
	restore_leases(store, now_us);
}

void estore_compact(struct estore *store, int64_t revision)
{
	if (revision > store->compacted && revision <= store->revision)
		store->compacted = revision;
}

void estore_event(const struct estore *store, const struct echange *change, struct etcd_kv *ret)
{
	const struct ekey *key = &store->keys[change->key];
	const struct eversion *version = &key->versions[change->version];

	*ret = (struct etcd_kv){
		.key = str_dup(key->name),
		.value = str_dup(version->value),
		.len = version->value ? strlen(version->value) : 0,
		.create_revision = version->create_revision,
		.mod_revision = version->revision,
		.lease_id = version->lease_id,
		.deleted = version->value == NULL,
	};
}
