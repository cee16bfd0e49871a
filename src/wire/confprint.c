/* SPDX-License-Identifier: PostgreSQL */
/*
 * confprint - the key table and a sample, for people
 */
#include "wire/conffile.h"

#include <string.h>

#include "wire/confkeys.h"

static const char *scope_text(const struct confkey *key)
{
	if (key->scope == (CONF_LOCAL | CONF_DYNAMIC))
		return "file, dynamic";
	if (key->scope & CONF_DYNAMIC)
		return "dynamic";
	return key->scope & CONF_BOOTSTRAP ? "file, new cluster" : "file";
}

void conf_print_keys(struct buf *ret_text)
{
	const struct confkey *key;

	for (size_t i = 0; (key = confkeys_at(i)) != NULL; i++) {
		char allowed[160];

		if (key->type == CONF_REFUSED || key->alias_of != NULL)
			continue;
		confkeys_allowed(key, allowed, sizeof(allowed));
		buf_printf(ret_text, "%s\n    %s.\n    %s", key->path, key->help, allowed);
		if (key->dflt != NULL)
			buf_printf(ret_text, "; default %s", key->dflt);
		buf_printf(ret_text, " [%s]", scope_text(key));
		if (!(key->flags & CONF_RELOAD))
			buf_str(ret_text, " (needs a restart of pghad)");
		if (key->flags & CONF_LATER)
			buf_str(ret_text, " (not supported by this version)");
		buf_ch(ret_text, '\n');
	}
}
