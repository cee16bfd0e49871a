/* SPDX-License-Identifier: PostgreSQL */
/*
 * record_failsafe - the list of those who are asked while etcd is away, and the question itself
 *
 * The list and the body of POST /failsafe are Patroni's (contract 7.4); what a leader of ours says
 * beyond them stands in an object of its own, which Patroni passes over.
 */
#include <inttypes.h>

#include "wire/jtext.h"
#include "wire/record.h"

static const char *const mode_words[FAILSAFE__MAX] = {
	[FAILSAFE_OFF] = "off",
	[FAILSAFE_ALL] = "all",
	[FAILSAFE_QUORUM] = "quorum",
};

const char *record_failsafe_word(enum failsafe_mode mode)
{
	return mode_words[mode];
}

/* A word that is not known was written by something newer: the strictest that there is. */
enum failsafe_mode record_failsafe_mode(const char *text, size_t len)
{
	for (int i = 0; i < FAILSAFE__MAX; i++)
		if (strlen(mode_words[i]) == len && memcmp(mode_words[i], text, len) == 0)
			return (enum failsafe_mode)i;
	return FAILSAFE_QUORUM;
}

int record_failsafe_parse(const char *text, size_t len, struct failsafe_key *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	struct failsafe_key key = { .present = true };
	const char *name;
	json_t *url;
	int r = jtext_load_object(text, len, &doc, err);

	if (r < 0)
		return err_wrap(err, "key 'failsafe'");
	json_object_foreach(doc, name, url) {
		if (key.n == MEMBERS_MAX || str_copy(key.names[key.n], NAME_SIZE, name) < 0)
			return err_set(err, ERR_RANGE, "key 'failsafe': too many members, or a "
						       "name that is too long");
		key.n++;
	}
	*ret = key;
	return 0;
}

static void add_slots(struct buf *out, const struct failsafe_question *q)
{
	for (uint32_t i = 0; i < q->status.nslots; i++) {
		buf_str(out, i == 0 ? ", \"slots\": {" : ", ");
		record_quote(out, q->status.slots[i].name);
		buf_printf(out, ": %" PRIu64, q->status.slots[i].lsn);
	}
	buf_str(out, q->status.nslots > 0 ? "}" : "");
}

char *record_question_text(const struct failsafe_question *q)
{
	struct buf out = { 0 };
	bool v6 = strchr(q->host, ':') != NULL;

	buf_str(&out, "{\"name\": ");
	record_quote(&out, q->name);
	buf_printf(&out, ", \"conn_url\": \"postgres://%s%s%s:%u/%s\", \"api_url\": ",
		   v6 ? "[" : "", q->host, v6 ? "]" : "", q->port, q->database);
	record_quote(&out, q->api_url);
	add_slots(&out, q);
	buf_str(&out, ", \"pgha\": {\"scope\": ");
	record_quote(&out, q->scope);
	buf_printf(&out, ", \"epoch\": %" PRId64 ", \"ttl_ms\": %" PRId64 ", \"mode\": \"%s\"}}",
		   q->epoch, q->ttl_ms, record_failsafe_word(q->mode));
	return buf_take(&out);
}

static int parse_ours(const json_t *ours, struct failsafe_question *q, struct err *err)
{
	const char *mode = jtext_string(ours, "mode");

	if (!json_is_object(ours))
		return 0; /* a leader that is Patroni */
	if (!jtext_int(json_object_get(ours, "epoch"), &q->epoch) || q->epoch <= 0 ||
	    !jtext_int(json_object_get(ours, "ttl_ms"), &q->ttl_ms) || q->ttl_ms <= 0 ||
	    q->ttl_ms > FAILSAFE_TTL_MAX_MS || mode == NULL)
		return err_set(err, ERR_PARSE, "'epoch', 'ttl_ms' or 'mode' is missing");
	q->mode = record_failsafe_mode(mode, strlen(mode));
	return str_copy(q->scope, sizeof(q->scope), jtext_string(ours, "scope")) < 0 ?
		       err_set(err, ERR_PARSE, "'scope' is too long") :
		       0;
}

int record_question_parse(const char *text, size_t len, struct failsafe_question *ret,
			  struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	int r = jtext_load_object(text, len, &doc, err);

	*ret = (struct failsafe_question){ .mode = FAILSAFE_ALL };
	if (r < 0)
		return r;
	if (str_copy(ret->name, sizeof(ret->name), jtext_string(doc, "name")) <= 0 ||
	    record_name_check(ret->name, false, NULL) < 0)
		return err_set(err, ERR_PARSE, "'name' is missing, or no member's");
	record_slots_parse(doc, &ret->status);
	return parse_ours(json_object_get(doc, "pgha"), ret, err);
}
