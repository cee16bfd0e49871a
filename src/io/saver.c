/* SPDX-License-Identifier: PostgreSQL */
/*
 * saver - writes the files of statefile.h without holding the loop
 */
#include "io/saver.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "io/statefile.h"
#include "io/worker.h"

#define FLUSH_MS 1000

struct outcome {
	struct outcome *next;
	uint64_t ticket;
	struct err err;
};

/* What the thread and the loop share. It outlives the saver when the thread hangs. */
struct desk {
	pthread_mutex_t lock; /* never held while the disk is waited for */
	struct outcome *first;
	struct outcome **last;
	int fd; /* readable while there are outcomes */
	char *state_dir;
	char *id;
};

struct saver {
	struct desk *desk;
	struct worker *worker;
	struct loop_source *source;
	saver_fn saved;
	void *ctx;
};

enum what { WHAT_SAVE, WHAT_CACHE, WHAT_DUMP };

struct save_job {
	enum what what;
	struct desk *desk;
	uint64_t ticket;
	struct durable durable;
	char *name; /* data directory, or why */
	struct buf text;
};

static void desk_free(void *job)
{
	struct desk *desk = job;

	while (desk->first) {
		struct outcome *outcome = desk->first;

		desk->first = outcome->next;
		free(outcome);
	}
	pthread_mutex_destroy(&desk->lock);
	closep(&desk->fd);
	free(desk->state_dir);
	free(desk->id);
	free(desk);
}

static void put_outcome(struct desk *desk, uint64_t ticket, const struct err *err)
{
	struct outcome *outcome = mem_new(1, sizeof(*outcome));
	uint64_t one = 1;

	outcome->ticket = ticket;
	outcome->err = *err;
	pthread_mutex_lock(&desk->lock);
	*desk->last = outcome;
	desk->last = &outcome->next;
	pthread_mutex_unlock(&desk->lock);
	(void)!write(desk->fd, &one, sizeof(one));
}

static struct outcome *take_outcome(struct desk *desk)
{
	struct outcome *outcome;

	pthread_mutex_lock(&desk->lock);
	outcome = desk->first;
	if (outcome)
		desk->first = outcome->next;
	if (!desk->first)
		desk->last = &desk->first;
	pthread_mutex_unlock(&desk->lock);
	return outcome;
}

static void on_outcome(void *ctx, int fd, uint32_t ready _unused_)
{
	struct saver *saver = ctx;
	struct outcome *outcome;
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
	while ((outcome = take_outcome(saver->desk)) != NULL) {
		saver->saved(saver->ctx, outcome->ticket,
			     outcome->err.code ? &outcome->err : NULL);
		free(outcome);
	}
}

static void job_free(struct save_job *job)
{
	free(job->name);
	buf_done(&job->text);
	free(job);
}

/* In the thread. */
static void run(void *ctx)
{
	struct save_job *job = ctx;
	struct desk *desk = job->desk;
	struct err err = { 0 };

	switch (job->what) {
	case WHAT_SAVE:
		if (statefile_save(desk->state_dir, desk->id, &job->durable, &err) == 0)
			err = (struct err){ 0 };
		put_outcome(desk, job->ticket, &err);
		break;
	case WHAT_CACHE:
		if (statefile_save_dynamic(desk->state_dir, desk->id, job->name, job->text.data,
					   &err) < 0)
			log_warning("the dynamic configuration is not cached: %s", err.msg);
		break;
	case WHAT_DUMP:
		statefile_dump(desk->state_dir, desk->id, job->name, job->text.data,
			       job->text.len);
		break;
	}
	job_free(job);
}

static bool hand_over(struct saver *saver, struct save_job *job)
{
	job->desk = saver->desk;
	if (worker_do(saver->worker, run, job, sizeof(*job) + job->text.len))
		return true;
	job_free(job);
	return false;
}

void saver_save(struct saver *saver, uint64_t ticket, const struct durable *durable)
{
	struct save_job *job = mem_new(1, sizeof(*job));
	struct err err = { 0 };

	job->what = WHAT_SAVE;
	job->ticket = ticket;
	job->durable = *durable;
	if (hand_over(saver, job))
		return;
	(void)err_set(&err, ERR_TIMEOUT, "the disk of '%s' stands still", saver->desk->state_dir);
	put_outcome(saver->desk, ticket, &err);
}

void saver_cache(struct saver *saver, const char *data_dir, const char *json)
{
	struct save_job *job = mem_new(1, sizeof(*job));

	job->what = WHAT_CACHE;
	job->name = str_dup(data_dir);
	buf_str(&job->text, json);
	if (!hand_over(saver, job))
		log_warning("the dynamic configuration is not cached: the disk of '%s' stands "
			    "still", saver->desk->state_dir);
}

void saver_dump(struct saver *saver, const char *why, const char *text, size_t len)
{
	struct save_job *job = mem_new(1, sizeof(*job));

	job->what = WHAT_DUMP;
	job->name = str_dup(why);
	buf_add(&job->text, text, len);
	(void)hand_over(saver, job);
}

int saver_new(struct loop *loop, const char *state_dir, const char *id, saver_fn saved, void *ctx,
	      struct saver **ret, struct err *err)
{
	struct saver *saver = mem_new(1, sizeof(*saver));
	struct desk *desk = mem_new(1, sizeof(*desk));
	int rc = 0;

	saver->desk = desk;
	saver->saved = saved;
	saver->ctx = ctx;
	saver->worker = worker_new(SAVER_JOBS_MAX, SAVER_BYTES_MAX);
	desk->last = &desk->first;
	desk->state_dir = str_dup(state_dir);
	desk->id = str_dup(id);
	pthread_mutex_init(&desk->lock, NULL);
	desk->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (desk->fd < 0)
		rc = err_set(err, ERR_IO, "cannot make an eventfd");
	if (rc >= 0)
		rc = loop_fd_new(loop, "saver", desk->fd, LOOP_READ, on_outcome, saver,
				 &saver->source, err);
	if (rc < 0) {
		saver_free(saver);
		return rc;
	}
	*ret = saver;
	return 0;
}

void saver_free(struct saver *saver)
{
	if (!saver)
		return;
	loop_source_free(saver->source);
	(void)worker_free(saver->worker, FLUSH_MS, desk_free, saver->desk);
	free(saver);
}
