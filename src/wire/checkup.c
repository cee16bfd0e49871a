/* SPDX-License-Identifier: PostgreSQL */
/*
 * checkup - facts about one member's server and host that hactl doctor judges
 */
#include "wire/checkup.h"

#include <inttypes.h>

#include "wire/record.h"

static void add_text(struct buf *b, const char *sep, const char *key, const char *text)
{
	buf_str(b, sep);
	record_quote(b, key);
	buf_str(b, ": ");
	record_quote(b, text);
}

static void add_files(const struct checkup *c, struct buf *b)
{
	buf_str(b, ", \"files\": [");
	for (uint32_t i = 0; i < c->nfiles; i++) {
		const struct checkup_file *f = &c->files[i];

		add_text(b, i > 0 ? ", {" : "{", "what", f->what);
		add_text(b, ", ", "path", f->path);
		add_text(b, ", ", "mode", f->mode);
		buf_printf(b, ", \"exists\": %s, \"own\": %s}", f->exists ? "true" : "false",
			   f->own ? "true" : "false");
	}
	buf_ch(b, ']');
}

void checkup_add(const struct checkup *c, struct buf *b)
{
	if (c->sql_error[0] != '\0')
		add_text(b, ", ", "postgres_error", c->sql_error);
	buf_str(b, ", \"settings\": {");
	for (uint32_t i = 0; i < c->values.n; i++)
		add_text(b, i > 0 ? ", " : "", c->values.items[i].name, c->values.items[i].value);
	buf_printf(b,
		   "}, \"disk\": {\"free_bytes\": %" PRIu64 ", \"size_bytes\": %" PRIu64
		   "}, \"limits\": {\"open_files\": %" PRId64 ", \"tasks\": %" PRId64
		   ", \"memory_bytes\": %" PRId64 "}",
		   c->data_free_bytes, c->data_size_bytes, c->open_files, c->tasks_max,
		   c->memory_max);
	add_files(c, b);
}

void checkup_add_link(const struct checkup_link *link, struct buf *b)
{
	add_text(b, "{", "to", link->to);
	add_text(b, ", ", "replication_user", link->replication_user);
	add_text(b, ", ", "replication", link->replication_error);
	add_text(b, ", ", "rewind_user", link->rewind_user);
	add_text(b, ", ", "rewind", link->rewind_error);
	buf_ch(b, '}');
}
