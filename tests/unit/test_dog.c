/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_dog - the watchdog is petted for renewals alone, and left alone when Postgres lives on
 *
 * A pipe takes the place of the device: what was written to it is what the device would have got.
 */
#include "guard/dog.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static char dir[] = "/tmp/pgha-test-dog-XXXXXX";
static char path[64];
static int reader = -1;

static void make_pipe(void)
{
	cr_assert_not_null(mkdtemp(dir));
	(void)str_printf(path, sizeof(path), "%s/dog", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(reader, 0);
}

static void remove_pipe(void)
{
	closep(&reader);
	(void)unlink(path);
	(void)rmdir(dir);
}

TestSuite(dog, .init = make_pipe, .fini = remove_pipe);

/* What came out of the pipe since the last look. */
static const char *heard(void)
{
	static char text[256];
	ssize_t len = read(reader, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

static struct watch page(bool armed, int64_t asked_at_ms)
{
	struct watch w = { .known = true };

	w.facts = (struct leasepage_facts){ .armed = armed,
					    .asked_at_ms = asked_at_ms,
					    .ttl_ms = 30000,
					    .watchdog_mode = LEASEPAGE_WATCHDOG_REQUIRED,
					    .watchdog_margin_s = 5,
					    .watchdog_testing = true };
	str_clip(w.facts.watchdog_device, sizeof(w.facts.watchdog_device), path);
	return w;
}

static void turn(struct dog *dog, const struct watch *w, enum watch_verdict verdict, bool dead,
		 int64_t now_ms)
{
	struct say say = { 0 };

	dog_turn(dog, w, verdict, dead, now_ms, &say);
}

Test(dog, gets_its_timeout_then_one_pet_for_each_renewal)
{
	struct dog dog = DOG_CLOSED;
	struct watch w = page(true, 1000);

	turn(&dog, &w, WATCH_ARMED, false, 1100);
	cr_assert_eq(dog.state, GUARDPAGE_DOG_ACTIVE);
	cr_assert_str_eq(heard(), "Ctimeout=25\n1");
	turn(&dog, &w, WATCH_ARMED, false, 1350);
	cr_assert_str_eq(heard(), "");
	w = page(true, 6000);
	turn(&dog, &w, WATCH_ARMED, false, 6100);
	cr_assert_str_eq(heard(), "1");
	closep(&dog.fd);
}

Test(dog, is_not_petted_once_the_term_is_over_until_postgres_is_dead)
{
	struct dog dog = DOG_CLOSED;
	struct watch w = page(true, 1000);

	turn(&dog, &w, WATCH_ARMED, false, 1100);
	(void)heard();
	w = page(true, 2000);
	turn(&dog, &w, WATCH_DUE, false, 25000);
	turn(&dog, &w, WATCH_DUE, false, 25500);
	cr_assert_str_eq(heard(), "");
	cr_assert_eq(dog.state, GUARDPAGE_DOG_ACTIVE);
	turn(&dog, &w, WATCH_DUE, true, 25600);
	cr_assert_str_eq(heard(), "V");
	cr_assert_lt(dog.fd, 0);
	cr_assert_eq(dog.state, GUARDPAGE_DOG_READY);
}

Test(dog, is_disarmed_with_the_page)
{
	struct dog dog = DOG_CLOSED;
	struct watch w = page(true, 1000);

	turn(&dog, &w, WATCH_ARMED, false, 1100);
	(void)heard();
	w = page(false, 1000);
	turn(&dog, &w, WATCH_DISARMED, false, 1500);
	cr_assert_str_eq(heard(), "V");
	cr_assert_eq(dog.state, GUARDPAGE_DOG_READY);
}

Test(dog, of_half_the_term_and_none_without_room)
{
	struct watch w = page(true, 1000);

	cr_assert_eq(dog_timeout_s(&w.facts), 25);
	w.facts.watchdog_margin_s = -1;
	cr_assert_eq(dog_timeout_s(&w.facts), 15);
	w.facts.ttl_ms = 5000;
	cr_assert_eq(dog_timeout_s(&w.facts), 2);
	w.facts.watchdog_margin_s = 5;
	cr_assert_eq(dog_timeout_s(&w.facts), 0);
	w.facts.watchdog_margin_s = 60;
	cr_assert_eq(dog_timeout_s(&w.facts), 0);
}

Test(dog, fails_without_room_and_without_a_device)
{
	struct dog dog = DOG_CLOSED;
	struct watch w = page(true, 1000);

	w.facts.ttl_ms = 5000;
	turn(&dog, &w, WATCH_ARMED, false, 1100);
	cr_assert_eq(dog.state, GUARDPAGE_DOG_FAILED);
	cr_assert_str_eq(heard(), "");
	w = page(false, 1000);
	str_clip(w.facts.watchdog_device, 64, "/nonexistent/watchdog");
	turn(&dog, &w, WATCH_DISARMED, false, 1100);
	cr_assert_eq(dog.state, GUARDPAGE_DOG_FAILED);
	w.facts.armed = true;
	turn(&dog, &w, WATCH_ARMED, false, 1200);
	cr_assert_eq(dog.state, GUARDPAGE_DOG_FAILED);
}

Test(dog, is_tried_again_a_second_after_it_failed)
{
	struct dog dog = DOG_CLOSED;
	struct watch w = page(true, 1000);

	closep(&reader); /* nobody listens */
	turn(&dog, &w, WATCH_ARMED, false, 1100);
	cr_assert_eq(dog.state, GUARDPAGE_DOG_FAILED);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	turn(&dog, &w, WATCH_ARMED, false, 2099);
	cr_assert_eq(dog.state, GUARDPAGE_DOG_FAILED);
	turn(&dog, &w, WATCH_ARMED, false, 2100);
	cr_assert_eq(dog.state, GUARDPAGE_DOG_ACTIVE);
	closep(&dog.fd);
}

Test(dog, that_is_not_wanted_is_not_touched)
{
	struct dog dog = DOG_CLOSED;
	struct watch w = page(true, 1000);

	w.facts.watchdog_mode = LEASEPAGE_WATCHDOG_OFF;
	turn(&dog, &w, WATCH_ARMED, false, 1100);
	cr_assert_eq(dog.state, GUARDPAGE_DOG_OFF);
	cr_assert_str_eq(heard(), "");
}

Test(dog, another_device_takes_over_in_good_order)
{
	struct dog dog = DOG_CLOSED;
	struct watch w = page(true, 1000);

	turn(&dog, &w, WATCH_ARMED, false, 1100);
	(void)heard();
	str_clip(w.facts.watchdog_device, 64, "/nonexistent/watchdog");
	turn(&dog, &w, WATCH_ARMED, false, 1200);
	cr_assert_str_eq(heard(), "V");
	cr_assert_eq(dog.state, GUARDPAGE_DOG_FAILED);
}
