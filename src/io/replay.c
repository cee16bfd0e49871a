/* SPDX-License-Identifier: PostgreSQL */
/*
 * replay - the decisions of a flight recorder's file, made again
 *
 * A decision is a pure function of its view, so the view alone is enough to see it made, by a
 * debugger too.
 */
#include "io/replay.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/parse.h"
#include "core/decide.h"
#include "io/fsx.h"
#include "wire/viewtext.h"

#define FILE_MAX (4 * 1024 * 1024)

struct replay {
	struct buf *text;
	struct view view;
	int decisions;
	int differ;
};

/* "<at_ms> view <rule> <packed>" */
static int replay_view(struct replay *r, const char *at, const char *rest, size_t len,
		       struct err *err)
{
	char situation[SITUATION_TEXT_MAX];
	size_t n = strcspn(rest, " \n");
	struct plan plan;
	char word[24];
	uint64_t rule = 0;
	int rc;

	if (n >= len || str_printf(word, sizeof(word), "%.*s", (int)n, rest) <= 0 ||
	    parse_uint(word, UINT16_MAX, &rule, NULL) < 0)
		return err_set(err, ERR_PARSE, "a line with a view names no rule");
	rc = viewtext_read(rest + n + 1, len - n - 1, &r->view, err);
	if (rc < 0)
		return rc;
	decide(&r->view, &plan);
	r->decisions++;
	r->differ += plan.rule->id != rule;
	buf_printf(r->text, "%.*s rule %u %s: %s\n", (int)strcspn(at, " "), at, plan.rule->id,
		   plan.rule->name, plan.rule->why);
	buf_printf(r->text, "    %s\n", situation_text(&plan.situation, situation));
	if (plan.verdict.why[0] != '\0')
		buf_printf(r->text, "    rank %s: %s%s%s\n", rank_name(plan.verdict.rank),
			   plan.verdict.why, plan.verdict.other[0] != '\0' ? ", " : "",
			   plan.verdict.other);
	if (plan.rule->id != rule)
		buf_printf(r->text, "    DIFFERS: it was rule %" PRIu64 "\n", rule);
	return 0;
}

static int replay_line(struct replay *r, const char *line, size_t len, struct err *err)
{
	static const char mark[] = " view ";
	size_t digits = strspn(line, "0123456789");
	const char *rest = line + digits + strlen(mark);

	if (digits > 0 && digits + strlen(mark) < len && str_starts(line + digits, mark))
		return replay_view(r, line, rest, len - (size_t)(rest - line), err);
	buf_add(r->text, line, len);
	buf_ch(r->text, '\n');
	return 0;
}

int replay_file(const char *path, struct buf *ret_text, struct err *err)
{
	_cleanup_(buf_done) struct buf file = { 0 };
	_cleanup_(freep) struct replay *r = mem_new(1, sizeof(*r));
	int rc = fsx_read(path, FILE_MAX, &file, err);

	if (rc == FSX_MISSING)
		return err_set(err, ERR_STATE, "there is no file '%s'", path);
	r->text = ret_text;
	for (const char *line = file.data; rc >= 0 && line != NULL && *line != '\0';) {
		size_t len = strcspn(line, "\n");

		rc = replay_line(r, line, len, err);
		line += len + (line[len] == '\n');
	}
	if (rc < 0)
		return err_wrap(err, "%s", path);
	if (r->decisions == 0)
		return err_set(err, ERR_PARSE, "%s: holds no decision of a flight recorder", path);
	buf_printf(ret_text, "%d decisions made again, %d differ\n", r->decisions, r->differ);
	return r->differ > 0 ? REPLAY_DIFFERS : 0;
}
