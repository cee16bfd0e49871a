/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_record - what stands in the cluster's keys
 *
 * The first byte picks the key. What we write ourselves must come back as it was read.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/str.h"
#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_member(const char *text, size_t len)
{
	struct member member;
	struct err err = { 0 };

	if (record_member_parse("node1", text, len, &member, &err) < 0) {
		assert(err.msg[0]);
		return;
	}
	assert(str_eq(member.name, "node1"));
	assert(member.state < STATE__MAX && member.role < MROLE__MAX);
	assert(!member.tags.nofailover || member.tags.failover_priority <= 0);
	assert(member.tags.nofailover || member.tags.failover_priority >= 1);
	assert((member.host[0] != 0) == (member.port != 0));
}

static void check_status(const char *text, size_t len)
{
	static struct status_key first;
	static struct status_key second;
	_cleanup_(freep) char *again = NULL;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (record_status_parse(text, len, &first, NULL) < 0)
		return;
	assert(first.nslots <= SLOTS_MAX && first.nretain <= SLOTS_MAX);
	again = record_status_text(&first);
	assert(record_status_parse(again, strlen(again), &second, NULL) == 0);
	assert(first.optime_lsn == second.optime_lsn && first.nslots == second.nslots);
	assert(first.nretain == second.nretain);
}

static void check_request(const char *text, size_t len)
{
	struct request first;
	struct request second;
	_cleanup_(freep) char *again = NULL;

	if (record_request_parse(text, len, &first, NULL) < 0)
		return;
	again = record_request_text(&first);
	assert(record_request_parse(again, strlen(again), &second, NULL) == 0);
	assert(first.present == second.present && str_eq(first.leader, second.leader));
	assert(str_eq(first.candidate, second.candidate));
	assert(first.scheduled_at_us == second.scheduled_at_us);
}

static void check_release(const char *text, size_t len)
{
	struct release first;
	struct release second;
	_cleanup_(freep) char *again = NULL;

	if (record_release_parse(text, len, &first, NULL) < 0)
		return;
	assert(first.present && first.from[0] && first.epoch > 0);
	again = record_release_text(&first);
	assert(record_release_parse(again, strlen(again), &second, NULL) == 0);
	assert(str_eq(first.from, second.from) && str_eq(first.to, second.to));
	assert(first.epoch == second.epoch && first.lsn == second.lsn);
	assert(first.timeline == second.timeline);
}

static void check_history(const char *text, size_t len)
{
	_cleanup_(freep) char *old = str_ndup(text ? text : "", len);
	_cleanup_(freep) char *grown = NULL;
	uint32_t timeline = 0;

	(void)(record_history_timeline(text, len, &timeline, NULL) < 0);
	grown = record_history_append(old, 7, 1, "reason", "time", "node1", 3);
	assert(record_history_timeline(grown, strlen(grown), &timeline, NULL) == 0);
	assert(timeline == 8);
}

static void check_small(const char *text, size_t len)
{
	char sysid[SYSID_SIZE];
	char slot[NAME_SIZE];
	struct sync_key sync;
	struct tags tags;
	struct beat beat;
	_cleanup_(freep) char *copy = str_ndup(text ? text : "", len);

	if (record_sync_parse(text, len, &sync, NULL) == 0) {
		assert(sync.nstandbys <= MEMBERS_MAX);
		assert(sync.present == (sync.leader[0] != 0));
	}
	if (record_beat_parse(text, len, &beat, NULL) == 0)
		assert(beat.epoch > 0);
	if (record_init_parse(text, len, sysid) == INIT_SET)
		assert(strlen(sysid) == len);
	(void)(record_tags_parse(copy, &tags, NULL) < 0);
	record_slot_name(copy, slot);
	assert(strspn(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(slot));
	(void)(record_name_check(copy, true, NULL) < 0);
}

/* The list of members whose promises count, and what a leader asks them. */
static void check_failsafe(const char *text, size_t len)
{
	static struct failsafe_key key;
	static struct failsafe_question question;

	memset(&key, 0, sizeof(key));
	memset(&question, 0, sizeof(question));
	if (record_failsafe_parse(text, len, &key, NULL) == 0)
		assert(key.n <= MEMBERS_MAX);
	(void)record_failsafe_mode(text, len);
	if (record_question_parse(text, len, &question, NULL) == 0) {
		assert(question.name[0]);
		assert(question.ttl_ms >= 0 && question.ttl_ms <= FAILSAFE_TTL_MAX_MS);
	}
}

static void check_victims(const char *text, size_t len)
{
	struct victims first;
	struct victims second;
	_cleanup_(freep) char *again = NULL;

	if (record_victims_parse(text, len, &first, NULL) < 0)
		return;
	assert(first.n <= VICTIMS_MAX);
	again = record_victims_text(&first);
	assert(record_victims_parse(again, strlen(again), &second, NULL) == 0);
	assert(first.n == second.n);
}

static void check_own(const char *text, size_t len)
{
	char instance[NAME_SIZE];
	struct module_state module;
	uint32_t timeline = 0;
	_cleanup_(freep) char *copy = str_ndup(text ? text : "", len);

	check_victims(text, len);
	if (record_begun_parse(text, len, &timeline, instance, NULL) == 0)
		assert(timeline > 0 && strlen(instance) < sizeof(instance));
	record_module_parse(copy, &module);
	assert(module.presence != MODULE_READY || str_starts(module.page, "recognised"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	switch (data[0] % 16) {
	case 0:
		check_status(text, size - 1);
		break;
	case 1:
		check_request(text, size - 1);
		break;
	case 2:
		check_release(text, size - 1);
		break;
	case 3:
		check_history(text, size - 1);
		break;
	case 4:
		check_small(text, size - 1);
		break;
	case 8:
		check_failsafe(text, size - 1);
		break;
	case 9:
		check_own(text, size - 1);
		break;
	default:
		check_member(text, size - 1);
		break;
	}
	return 0;
}
