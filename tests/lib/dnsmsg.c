/* SPDX-License-Identifier: PostgreSQL */
/*
 * dnsmsg - answers of a name server, for tests
 */
#include "dnsmsg.h"

#define HEADER_BYTES 12
#define TYPE_SRV     33

static void add16(struct buf *msg, unsigned value)
{
	buf_ch(msg, (char)(value >> 8));
	buf_ch(msg, (char)(value & 0xff));
}

static void add_name(struct buf *msg, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		buf_ch(msg, (char)len);
		buf_add(msg, name, len);
		name += len;
		name += *name == '.';
	}
	buf_ch(msg, 0);
}

static void add_header(struct buf *msg, unsigned id, uint8_t rcode)
{
	buf_clear(msg);
	add16(msg, id);
	add16(msg, 0x8180U | rcode);
	add16(msg, 1); /* questions */
	add16(msg, 0); /* answers: counted by dnsmsg_srv() */
	add16(msg, 0);
	add16(msg, 0);
}

void dnsmsg_begin(struct buf *msg, uint16_t id, uint8_t rcode)
{
	add_header(msg, id, rcode);
	add_name(msg, "x");
	add16(msg, TYPE_SRV);
	add16(msg, 1);
}

void dnsmsg_begin_for(struct buf *msg, const void *question, size_t len, uint8_t rcode)
{
	const unsigned char *q = question;

	add_header(msg, (unsigned)q[0] << 8 | q[1], rcode);
	buf_add(msg, q + HEADER_BYTES, len - HEADER_BYTES);
}

void dnsmsg_srv(struct buf *msg, uint16_t priority, uint16_t weight, uint16_t port,
		const char *target)
{
	struct buf name = { 0 };

	add_name(&name, target);
	add16(msg, 0xc00cU); /* the name of the question */
	add16(msg, TYPE_SRV);
	add16(msg, 1);
	add16(msg, 0);
	add16(msg, 60);
	add16(msg, (unsigned)(6 + name.len));
	add16(msg, priority);
	add16(msg, weight);
	add16(msg, port);
	buf_add(msg, name.data, name.len);
	msg->data[7]++;
	buf_done(&name);
}

void dnsmsg_name(const void *question, size_t len, char *dst, size_t size)
{
	const unsigned char *q = question;
	size_t at = HEADER_BYTES;
	size_t n = 0;

	dst[0] = '\0';
	while (at < len && q[at] != 0 && at + 1 + q[at] < len && n + q[at] + 2 < size) {
		if (n)
			dst[n++] = '.';
		memcpy(dst + n, q + at + 1, q[at]);
		n += q[at];
		dst[n] = '\0';
		at += 1U + q[at];
	}
}
