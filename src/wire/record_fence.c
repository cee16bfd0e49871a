/* SPDX-License-Identifier: PostgreSQL */
/*
 * record_fence - pgha/fence: who has to be fenced before another may be promoted; and what the
 * Postgres module says of itself
 */
#include <inttypes.h>

#include "wire/jtext.h"
#include "wire/record.h"

/* What the module says of a page that it believes: LEASEPAGE_GOOD of base/leasepage.h. */
#define PAGE_GOOD "recognised, of this boot"

char *record_victims_text(const struct victims *victims)
{
	struct buf out = { 0 };

	buf_str(&out, "{\"led\":[");
	for (uint32_t i = 0; i < victims->n; i++) {
		const struct victim *v = &victims->items[i];

		buf_str(&out, i > 0 ? ",{" : "{");
		jtext_add_field(&out, "name", v->name, JTEXT_COMPACT);
		jtext_add_field(&out, "host", v->host, JTEXT_COMPACT);
		buf_printf(&out, ",\"port\":%u", v->port);
		jtext_add_field(&out, "api_url", v->api_url, JTEXT_COMPACT);
		buf_printf(&out, ",\"epoch\":%" PRId64 "}", v->epoch);
	}
	buf_str(&out, "]}");
	return buf_take(&out);
}

static int take_text(const json_t *entry, const char *key, char *dst, size_t size, struct err *err)
{
	const char *text = jtext_string(entry, key);

	if (text == NULL || str_copy(dst, size, text) < 0)
		return err_set(err, ERR_PARSE, "key 'pgha/fence': '%s' is missing or too long",
			       key);
	return 0;
}

static int take_victim(const json_t *entry, struct victim *ret, struct err *err)
{
	int64_t port = 0;
	int r;

	*ret = (struct victim){ 0 };
	r = take_text(entry, "name", ret->name, sizeof(ret->name), err);
	if (r == 0)
		r = record_name_check(ret->name, false, err);
	if (r == 0)
		r = take_text(entry, "host", ret->host, sizeof(ret->host), err);
	if (r == 0)
		r = take_text(entry, "api_url", ret->api_url, sizeof(ret->api_url), err);
	if (r < 0)
		return r;
	if (!jtext_int(json_object_get(entry, "port"), &port) || port < 0 || port > UINT16_MAX ||
	    !jtext_int(json_object_get(entry, "epoch"), &ret->epoch) || ret->epoch < 0)
		return err_set(err, ERR_PARSE, "key 'pgha/fence': 'port' or 'epoch' is no number");
	ret->port = (uint16_t)port;
	return 0;
}

int record_victims_parse(const char *text, size_t len, struct victims *ret, struct err *err)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	struct victims found = { 0 };
	const json_t *list;
	int r = jtext_load_object(text, len, &doc, err);

	if (r < 0) {
		(void)err_wrap(err, "key 'pgha/fence'");
		return r;
	}
	list = json_object_get(doc, "led");
	if (!json_is_array(list) || json_array_size(list) > VICTIMS_MAX)
		return err_set(err, ERR_PARSE, "key 'pgha/fence' holds no list of at most %d",
			       VICTIMS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		r = take_victim(json_array_get(list, i), &found.items[found.n++], err);
		if (r < 0)
			return r;
	}
	*ret = found;
	return 0;
}

static int64_t counter(const json_t *doc, const char *key)
{
	int64_t value = 0;

	(void)jtext_int(json_object_get(doc, key), &value);
	return value;
}

void record_module_parse(const char *text, struct module_state *ret)
{
	_cleanup_(jtext_unrefp) json_t *doc = NULL;
	const char *page;

	*ret = (struct module_state){ .presence = MODULE_ABSENT };
	if (text == NULL)
		return;
	ret->presence = MODULE_UNKNOWN;
	if (jtext_load_object(text, strlen(text), &doc, NULL) < 0)
		return;
	page = jtext_string(doc, "page");
	str_clip(ret->page, sizeof(ret->page), page != NULL ? page : "");
	ret->armed = jtext_true(doc, "armed");
	ret->refused = counter(doc, "refused");
	ret->withheld = counter(doc, "withheld");
	ret->unconfirmed = counter(doc, "unconfirmed");
	/* One that came with LOAD has no hook in the other sessions. */
	if (!jtext_true(doc, "preloaded"))
		ret->presence = MODULE_ABSENT;
	else if (!jtext_true(doc, "enabled"))
		ret->presence = MODULE_OFF;
	else if (!str_eq(ret->page, PAGE_GOOD))
		ret->presence = MODULE_BLIND;
	else
		ret->presence = MODULE_READY;
}
