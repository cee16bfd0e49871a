/* SPDX-License-Identifier: PostgreSQL */
/*
 * peersign - what members say to each other, signed with a secret that they share
 *
 * The text that is signed has a field on each line, and no field has a line feed in it: names have
 * letters, digits, dots, hyphens and underscores, the rest is digits, or comes from one line of a
 * request.
 */
#include "io/peersign.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>

#include "base/parse.h"
#include "base/str.h"
#include "wire/record.h"

#define MAC_BYTES   32
#define MAC_SIZE    (2 * MAC_BYTES + 1)
#define NONCE_BYTES ((PEERSIGN_NONCE_SIZE - 1) / 2)
#define FORM     "v1"

/* ---- texts ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int take_line(const char *line, size_t len, struct peersign *into, struct err *err)
{
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	for (; len > 0 && is_blank(*line); len--)
		line++;
	if (len == 0)
		return 0;
	if (into->nsecrets == PEERSIGN_SECRETS)
		return err_set(err, ERR_CONFIG, "it has more than %d lines", PEERSIGN_SECRETS);
	if (len < PEERSIGN_SECRET_MIN || len > PEERSIGN_SECRET_MAX || memchr(line, '\0', len))
		return err_set(err, ERR_CONFIG,
			       "a secret has %d to %d characters on one line; openssl rand -hex 32 "
			       "makes one",
			       PEERSIGN_SECRET_MIN, PEERSIGN_SECRET_MAX);
	memcpy(into->secrets[into->nsecrets], line, len);
	into->secrets[into->nsecrets++][len] = '\0';
	return 0;
}

int peersign_parse(const char *text, size_t len, struct peersign *ret, struct err *err)
{
	struct peersign found = { 0 };
	int r = 0;

	while (r == 0 && len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		r = take_line(text, line, &found, err);
		text += line + (end != NULL);
		len -= line + (end != NULL);
	}
	if (r == 0 && found.nsecrets == 0)
		r = err_set(err, ERR_CONFIG, "it is empty; openssl rand -hex 32 makes a secret");
	if (r == 0) {
		ret->nsecrets = found.nsecrets;
		memcpy(ret->secrets, found.secrets, sizeof(ret->secrets));
	}
	gnutls_memset(&found, 0, sizeof(found));
	return r;
}

static void to_hex(const unsigned char *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		(void)str_printf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static void digest_of(const char *body, size_t len, char ret[MAC_SIZE])
{
	unsigned char digest[MAC_BYTES];
	int rc = gnutls_hash_fast(GNUTLS_DIG_SHA256, body ? body : "", body ? len : 0, digest);

	assert(rc == 0);
	to_hex(digest, sizeof(digest), ret);
}

static void mac_of(const char *secret, const struct buf *text, char ret[MAC_SIZE])
{
	unsigned char mac[MAC_BYTES];
	int rc = gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret, strlen(secret), text->data, text->len,
				  mac);

	assert(rc == 0);
	to_hex(mac, sizeof(mac), ret);
}

static void call_text(const char *scope, const char *from, const struct peersign_call *call,
		      struct buf *ret)
{
	char digest[MAC_SIZE];

	digest_of(call->body, call->body_len, digest);
	buf_printf(ret, "pgha-peer %s call\n%s\n%s\n%s\n%s\n%s\n%" PRId64 "\n%s\n%s\n", FORM,
		   scope, from, call->to, call->method, call->path, call->wall_ms, call->nonce,
		   digest);
}

static void answer_text(const char *scope, const struct peersign_answer *answer, struct buf *ret)
{
	char digest[MAC_SIZE];

	digest_of(answer->body, answer->body_len, digest);
	buf_printf(ret, "pgha-peer %s answer\n%s\n%s\n%s\n%s\n%d\n%s\n", FORM, scope,
		   answer->from, answer->to, answer->nonce, answer->status, digest);
}

/* Takes the same time wherever the first difference is, with whichever secret. */
static bool is_signed(const struct peersign *own, const struct buf *text, const char *given)
{
	bool right = false;
	char mac[MAC_SIZE];

	for (uint32_t i = 0; i < own->nsecrets; i++) {
		mac_of(own->secrets[i], text, mac);
		right |= gnutls_memcmp(mac, given, MAC_SIZE) == 0;
	}
	gnutls_memset(mac, 0, sizeof(mac));
	return right;
}

void peersign_nonce(char ret[PEERSIGN_NONCE_SIZE])
{
	unsigned char bytes[NONCE_BYTES];
	int rc = gnutls_rnd(GNUTLS_RND_NONCE, bytes, sizeof(bytes));

	assert(rc == 0);
	to_hex(bytes, sizeof(bytes), ret);
}

void peersign_call(const struct peersign *own, const struct peersign_call *call,
		   char ret[PEERSIGN_TEXT_SIZE])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char mac[MAC_SIZE];

	assert(own->nsecrets > 0);
	call_text(own->scope, own->name, call, &text);
	mac_of(own->secrets[0], &text, mac);
	(void)str_printf(ret, PEERSIGN_TEXT_SIZE, FORM " %s %" PRId64 " %s %s", own->name,
			 call->wall_ms, call->nonce, mac);
}

void peersign_answer(const struct peersign *own, const struct peersign_answer *answer,
		     char ret[PEERSIGN_TEXT_SIZE])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char mac[MAC_SIZE];

	assert(own->nsecrets > 0);
	answer_text(own->scope, answer, &text);
	mac_of(own->secrets[0], &text, mac);
	(void)str_printf(ret, PEERSIGN_TEXT_SIZE, FORM " %s", mac);
}

/* ---- headers ---- */

/* A word, and what begins behind the one blank after it. NULL: there is none, or it is too long. */
static const char *take_word(const char *at, char *ret, size_t size)
{
	size_t len = at ? strcspn(at, " ") : 0;

	if (len == 0 || len >= size || at[len] != ' ')
		return NULL;
	memcpy(ret, at, len);
	ret[len] = '\0';
	return at + len + 1;
}

static bool is_hex(const char *text, size_t len)
{
	return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

static bool read_header(const char *header, struct peersign_call *call, char from[NAME_SIZE],
			char mac[MAC_SIZE])
{
	char word[24];
	const char *at;

	if (strnlen(header, PEERSIGN_TEXT_SIZE) == PEERSIGN_TEXT_SIZE)
		return false;
	at = take_word(header, word, sizeof(word));
	if (!at || !str_eq(word, FORM))
		return false;
	at = take_word(at, from, NAME_SIZE);
	if (!at || record_name_check(from, true, NULL) < 0)
		return false;
	at = take_word(at, word, sizeof(word));
	if (!at || parse_int(word, 1, INT64_MAX / 2, &call->wall_ms, NULL) < 0)
		return false;
	at = take_word(at, call->nonce, sizeof(call->nonce));
	if (!at || !is_hex(call->nonce, PEERSIGN_NONCE_SIZE - 1) || !is_hex(at, MAC_SIZE - 1))
		return false;
	memcpy(mac, at, MAC_SIZE);
	return true;
}

/* ---- what was accepted ---- */

static void forget(struct peersign_memory *memory, struct peersign_sender *sender)
{
	memory->forgotten_ms = MAX_OF(memory->forgotten_ms, sender->newest_ms);
	*sender = (struct peersign_sender){ 0 };
}

/* Only who knows the secret has a place, so members that left make way for those that are there. */
static struct peersign_sender *sender_of(struct peersign_memory *memory, const char *name)
{
	struct peersign_sender *oldest = &memory->senders[0];

	for (size_t i = 0; i < MEMBERS_MAX; i++) {
		struct peersign_sender *at = &memory->senders[i];

		if (str_eq(at->name, name))
			return at;
		if (at->newest_ms < oldest->newest_ms)
			oldest = at;
	}
	forget(memory, oldest);
	str_clip(oldest->name, sizeof(oldest->name), name);
	oldest->forgotten_ms = memory->forgotten_ms;
	return oldest;
}

static bool is_first(struct peersign_memory *memory, const char *from,
		     const struct peersign_call *call)
{
	struct peersign_sender *sender = sender_of(memory, from);
	struct peersign_seen *seen = &sender->seen[sender->next];

	if (call->wall_ms <= sender->forgotten_ms)
		return false;
	for (size_t i = 0; i < PEERSIGN_SEEN_MAX; i++)
		if (str_eq(sender->seen[i].nonce, call->nonce))
			return false;
	sender->forgotten_ms = MAX_OF(sender->forgotten_ms, seen->wall_ms);
	sender->newest_ms = MAX_OF(sender->newest_ms, call->wall_ms);
	sender->next = (sender->next + 1) % PEERSIGN_SEEN_MAX;
	seen->wall_ms = call->wall_ms;
	str_clip(seen->nonce, sizeof(seen->nonce), call->nonce);
	return true;
}

bool peersign_take_call(const struct peersign *own, struct peersign_memory *memory,
			const char *header, int64_t now_wall_ms, struct peersign_call *call,
			char ret_from[NAME_SIZE], char ret_why[PEERSIGN_WHY_SIZE])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char mac[MAC_SIZE];
	int64_t off_ms;

	str_clip(ret_why, PEERSIGN_WHY_SIZE, "its " PEERSIGN_HEADER " cannot be read");
	if (!read_header(header, call, ret_from, mac))
		return false;
	call->to = own->name;
	call_text(own->scope, ret_from, call, &text);
	(void)str_printf(
		ret_why, PEERSIGN_WHY_SIZE,
		"'%s' did not sign it with a secret of this member, or not for '%s' of '%s'; "
		"look at restapi.peer_secret_file of both",
		ret_from, own->name, own->scope);
	if (!is_signed(own, &text, mac))
		return false;
	off_ms = now_wall_ms - call->wall_ms;
	(void)str_printf(ret_why, PEERSIGN_WHY_SIZE,
			 "the clock of '%s' is %" PRId64
			 " s %s that of '%s': set both, with chrony "
			 "or another",
			 ret_from, (off_ms < 0 ? -off_ms : off_ms) / 1000,
			 off_ms < 0 ? "ahead of" : "behind", own->name);
	if (off_ms < -PEERSIGN_WINDOW_MS || off_ms > PEERSIGN_WINDOW_MS)
		return false;
	(void)str_printf(ret_why, PEERSIGN_WHY_SIZE, "'%s' sent the same before: a repetition",
			 ret_from);
	return is_first(memory, ret_from, call);
}

bool peersign_take_answer(const struct peersign *own, const char *header,
			  const struct peersign_answer *answer)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char form[8];
	const char *mac = take_word(header, form, sizeof(form));

	if (!mac || !str_eq(form, FORM) || !is_hex(mac, MAC_SIZE - 1))
		return false;
	answer_text(own->scope, answer, &text);
	return is_signed(own, &text, mac);
}
