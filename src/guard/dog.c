/* SPDX-License-Identifier: PostgreSQL */
/*
 * dog - the watchdog device, which reboots the host when nobody pets it
 */
#include "guard/dog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"

#define RETRY_MS 1000
/* What disarms a device at its close; any other byte pets it. */
#define MAGIC_CLOSE "V"
#define PET	    "1"

int64_t dog_timeout_s(const struct leasepage_facts *page)
{
	int64_t ttl_s = page->ttl_ms / 1000;

	if (page->watchdog_margin_s < 0)
		return ttl_s / 2;
	return MAX_OF(ttl_s - page->watchdog_margin_s, 0);
}

static bool put(const struct dog *dog, const char *text)
{
	size_t len = strlen(text);

	return write(dog->fd, text, len) == (ssize_t)len;
}

/* Patroni's test driver: what would be an ioctl is a line. */
static bool set_timeout(struct dog *dog, int64_t want_s, int64_t *ret_s)
{
	int seconds = (int)want_s;
	char line[40];

	*ret_s = want_s;
	if (dog->testing) {
		(void)str_printf(line, sizeof(line), "Ctimeout=%d\n", seconds);
		return put(dog, line);
	}
	if (ioctl(dog->fd, WDIOC_SETTIMEOUT, &seconds) < 0 && errno != EOPNOTSUPP &&
	    errno != ENOTTY)
		return false;
	if (ioctl(dog->fd, WDIOC_GETTIMEOUT, &seconds) < 0)
		return false;
	*ret_s = seconds;
	return true;
}

static void fail(struct dog *dog, struct say *say, int64_t now_ms, const char *why)
{
	/* Said once: it is tried again every second. */
	if (dog->state != GUARDPAGE_DOG_FAILED)
		say_line(say, SAY_WARNING, "watchdog '%s': %s", dog->device, why);
	if (dog->fd >= 0)
		dog_release(dog, say);
	dog->state = GUARDPAGE_DOG_FAILED;
	dog->retry_at_ms = now_ms + RETRY_MS;
}

static void begin(struct dog *dog, const struct leasepage_facts *page, int64_t now_ms,
		  struct say *say)
{
	int64_t want_s = dog_timeout_s(page);
	int64_t have_s = 0;

	if (want_s < 1) {
		fail(dog, say, now_ms,
		     "ttl less safety_margin leaves it no time: set watchdog.safety_margin to -1");
		return;
	}
	/* Opening starts most of them. A pipe without a reader fails instead of waiting. */
	dog->fd = open(dog->device, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (dog->fd < 0) {
		fail(dog, say, now_ms, "cannot be opened");
		return;
	}
	if (!set_timeout(dog, want_s, &have_s)) {
		fail(dog, say, now_ms, "does not take a timeout");
		return;
	}
	if (have_s > want_s && page->watchdog_mode == LEASEPAGE_WATCHDOG_REQUIRED) {
		fail(dog, say, now_ms, "its shortest timeout outlasts the term");
		return;
	}
	dog->timeout_s = have_s;
	dog->proof_at_ms = 0;
	dog->state = GUARDPAGE_DOG_ACTIVE;
	say_line(say, SAY_NOTICE,
		 "watchdog '%s' is armed: the host goes down %" PRId64
		 " s after the last renewal%s",
		 dog->device, have_s, have_s > want_s ? ", which is longer than wanted" : "");
}

/* Only what the page shows as renewed is worth a pet: an old promise is none. */
static void pet(struct dog *dog, const struct leasepage_facts *page, int64_t now_ms,
		struct say *say)
{
	if (page->asked_at_ms == dog->proof_at_ms)
		return;
	if (!put(dog, PET)) {
		say_line(say, SAY_ERROR, "watchdog '%s' cannot be petted", dog->device);
		return;
	}
	dog->proof_at_ms = page->asked_at_ms;
	dog->petted_at_ms = now_ms;
}

void dog_release(struct dog *dog, struct say *say)
{
	if (dog->fd < 0)
		return;
	if (put(dog, MAGIC_CLOSE))
		say_line(say, SAY_NOTICE, "watchdog '%s' is disarmed", dog->device);
	else
		say_line(say, SAY_ERROR,
			 "watchdog '%s' cannot be disarmed: the host may go down in %" PRId64
			 " s",
			 dog->device, dog->timeout_s);
	closep(&dog->fd);
	dog->state = GUARDPAGE_DOG_OFF;
	dog->timeout_s = 0;
}

static bool same_device(const struct dog *dog, const struct leasepage_facts *page)
{
	return str_eq(dog->device, page->watchdog_device) &&
	       dog->testing == page->watchdog_testing;
}

void dog_turn(struct dog *dog, const struct watch *watch, enum watch_verdict verdict, bool dead,
	      int64_t now_ms, struct say *say)
{
	const struct leasepage_facts *page = &watch->facts;
	bool wanted = watch->known && page->watchdog_mode != LEASEPAGE_WATCHDOG_OFF;
	bool armed = verdict == WATCH_ARMED || verdict == WATCH_DUE;

	if (!wanted || !armed || (verdict == WATCH_DUE && dead) || !same_device(dog, page))
		dog_release(dog, say);
	if (!wanted) {
		dog->state = GUARDPAGE_DOG_OFF;
		return;
	}
	if (!same_device(dog, page)) {
		str_clip(dog->device, sizeof(dog->device), page->watchdog_device);
		dog->testing = page->watchdog_testing;
		dog->retry_at_ms = 0;
		dog->state = GUARDPAGE_DOG_OFF;
	}
	if (!armed || (verdict == WATCH_DUE && dog->fd < 0)) {
		dog->state = access(dog->device, W_OK) == 0 ? GUARDPAGE_DOG_READY :
							      GUARDPAGE_DOG_FAILED;
		return;
	}
	if (dog->fd < 0 && now_ms >= dog->retry_at_ms)
		begin(dog, page, now_ms, say);
	if (dog->fd >= 0 && verdict == WATCH_ARMED)
		pet(dog, page, now_ms, say);
}
