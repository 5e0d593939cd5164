/* SPDX-License-Identifier: BSD-2-Clause */
/* The writing end of the quarantine: room, helper threads, and who waits for them. */
#include "quarantine/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/thread.h"
#include "quarantine/catalogue.h"
#include "quarantine/directory.h"
#include "quarantine/item_file.h"
#include "quarantine/limits.h"
#include "quarantine/store_count.h"
#include "quarantine/store_item.h"

/* A count is not repeated within this time when there is no room, microseconds. */
#define RECOUNT_PAUSE_US 2000000
/* A file in tmp this old has no writer any more, seconds: deadlines are far shorter. */
#define SWEEP_AGE_S 3600

enum job_state {
	JOB_WAITING,
	JOB_RUNNING,
	JOB_DONE,
};

/* One write; owned by who waits for it and by the queue or the thread that carries it out. */
struct job {
	unsigned owners;
	enum job_state state;
	bool abandoned; /* nobody waits any more: leave nothing behind */
	struct item_file file;
	char id[ITEM_ID_SIZE];
	int result;
	struct err err;
	pthread_cond_t done;
	struct job *next;
};

struct store {
	char *path;
	struct store_options options;
	pthread_mutex_t lock; /* everything below */
	pthread_cond_t work;
	unsigned owners; /* the one who opened it, and each thread */
	bool closing;
	struct job *first, *last;
	unsigned queued, idle, threads;
	uint64_t items, bytes;                 /* by the last count, and written since */
	uint64_t items_pending, bytes_pending; /* being written */
	int64_t counted_us;
	struct store_view view;
};

static void release_store(struct store *store)
{
	unsigned owners;

	pthread_mutex_lock(&store->lock);
	owners = --store->owners;
	pthread_mutex_unlock(&store->lock);
	if (owners > 0)
		return;
	pthread_cond_destroy(&store->work);
	pthread_mutex_destroy(&store->lock);
	free(store->path);
	free(store);
}

/* Called with the lock held. */
static void release_job(struct job *job)
{
	if (--job->owners > 0)
		return;
	item_file_free(&job->file);
	pthread_cond_destroy(&job->done);
	free(job);
}

int store_recount(struct store *store, struct err *err)
{
	struct directory directory;
	uint64_t items = 0, bytes = 0;
	int result;

	if (directory_open(store->path, DIRECTORY_WRITE, &directory, err) != 0)
		return -1;
	store_sweep(&directory, SWEEP_AGE_S);
	result = store_count(&directory, &items, &bytes, err);
	directory_close(&directory);
	if (result != 0)
		return -1;
	pthread_mutex_lock(&store->lock);
	store->items = items;
	store->bytes = bytes;
	store->counted_us = clock_now_us();
	pthread_mutex_unlock(&store->lock);
	return 0;
}

struct store *store_open(const struct store_options *options, struct err *err)
{
	struct directory directory;
	struct store *store;

	if (directory_open(options->directory, DIRECTORY_CREATE, &directory, err) != 0)
		return NULL;
	directory_close(&directory);
	store = calloc(1, sizeof(*store));
	if (store != NULL)
		store->path = strdup(options->directory);
	if (store == NULL || store->path == NULL) {
		free(store);
		err_set(err, "out of memory");
		return NULL;
	}
	store->options = *options;
	store->options.directory = store->path;
	store->owners = 1;
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->work, NULL);
	if (store_recount(store, err) != 0)
		store_free(&store);
	return store;
}

void store_free(struct store **store)
{
	struct store *gone = *store;

	*store = NULL;
	if (gone == NULL)
		return;
	pthread_mutex_lock(&gone->lock);
	gone->closing = true;
	pthread_cond_broadcast(&gone->work);
	pthread_mutex_unlock(&gone->lock);
	release_store(gone);
}

/* Called with the lock held: set room aside for one item. */
static bool take_room(struct store *store, uint64_t size)
{
	uint64_t items = store->items + store->items_pending;
	uint64_t bytes = store->bytes + store->bytes_pending;

	if (store->options.max_items != 0 && items + 1 > store->options.max_items)
		return false;
	if (store->options.max_bytes != 0 && bytes + size > store->options.max_bytes)
		return false;
	store->items_pending++;
	store->bytes_pending += size;
	return true;
}

/* Room by our own limits; what others removed is looked for before there is none. */
static int reserve(struct store *store, uint64_t size, struct err *err)
{
	bool taken, stale;

	pthread_mutex_lock(&store->lock);
	taken = take_room(store, size);
	stale = clock_now_us() - store->counted_us >= RECOUNT_PAUSE_US;
	pthread_mutex_unlock(&store->lock);
	if (!taken && stale && store_recount(store, err) == 0) {
		pthread_mutex_lock(&store->lock);
		taken = take_room(store, size);
		pthread_mutex_unlock(&store->lock);
	}
	if (taken)
		return 0;
	return err_set(err, "the quarantine is full: max_size or max_items is reached");
}

/* The end of a reservation. */
static void settle(struct store *store, uint64_t size, bool written)
{
	pthread_mutex_lock(&store->lock);
	store->items_pending--;
	store->bytes_pending -= size;
	if (written) {
		store->items++;
		store->bytes += size;
	}
	pthread_mutex_unlock(&store->lock);
}

static int check_disk(const struct store *store, const struct directory *directory, uint64_t size,
	struct err *err)
{
	struct statvfs disk;

	if (fstatvfs(directory->base, &disk) != 0)
		return err_set_errno(err, errno, "cannot examine the quarantine's file system");
	if ((uint64_t)disk.f_bavail * disk.f_frsize < size + store->options.reserve_bytes)
		return err_set(err, "the quarantine's file system is full");
	return 0;
}

static bool is_abandoned(struct store *store, const struct job *job)
{
	bool abandoned;

	pthread_mutex_lock(&store->lock);
	abandoned = job->abandoned;
	pthread_mutex_unlock(&store->lock);
	return abandoned;
}

static int write_to(struct store *store, const struct job *job, const struct directory *directory,
	struct err *err)
{
	if (check_disk(store, directory, item_file_size(&job->file), err) != 0 ||
		item_file_write(&job->file, directory, err) != 0)
		return -1;
	if (is_abandoned(store, job)) {
		item_file_discard(&job->file, directory);
		return err_set(err, "the disk is too slow");
	}
	return item_file_publish(&job->file, directory, err);
}

/* From a prepared file to a durable item. */
static int carry_out(struct store *store, const struct job *job, struct err *err)
{
	struct directory directory;
	int result;

	if (directory_open(store->path, DIRECTORY_WRITE, &directory, err) != 0)
		return -1;
	result = write_to(store, job, &directory, err);
	directory_close(&directory);
	return result;
}

/* The item of a job whose waiter has gone was just published: the mail was deferred meanwhile. */
static void take_back(struct store *store, const struct job *job)
{
	struct directory directory;

	if (directory_open(store->path, DIRECTORY_WRITE, &directory, NULL) != 0)
		return;
	(void)catalogue_remove(&directory, job->id, NULL);
	directory_close(&directory);
}

static void note(struct store *store, int result, const struct err *err)
{
	struct store_view *view = &store->view;

	if (result == 0) {
		view->written++;
		view->last_error[0] = '\0';
		return;
	}
	view->failed++;
	memcpy(view->last_error, err->text, sizeof(view->last_error));
	view->last_error_s = time(NULL);
}

/* Do one job in this thread. */
static void run(struct store *store, struct job *job)
{
	uint64_t size = item_file_size(&job->file);
	struct err err = ERR_INIT;
	int result = reserve(store, size, &err);
	bool late;

	if (result == 0) {
		result = carry_out(store, job, &err);
		settle(store, size, result == 0);
	}
	pthread_mutex_lock(&store->lock);
	late = job->abandoned && result == 0;
	job->state = JOB_DONE;
	job->result = result;
	job->err = err;
	if (!job->abandoned)
		note(store, result, &err);
	if (late) {
		store->items--;
		store->bytes -= size;
	}
	pthread_cond_signal(&job->done);
	pthread_mutex_unlock(&store->lock);
	if (late)
		take_back(store, job);
}

/* Called with the lock held. */
static struct job *next_job(struct store *store)
{
	struct job *job;

	while (store->first == NULL && !store->closing) {
		store->idle++;
		pthread_cond_wait(&store->work, &store->lock);
		store->idle--;
	}
	job = store->first;
	if (job == NULL)
		return NULL;
	store->first = job->next;
	if (store->first == NULL)
		store->last = NULL;
	store->queued--;
	job->state = JOB_RUNNING;
	return job;
}

static void *writer(void *context)
{
	struct store *store = context;
	struct job *job;

	pthread_mutex_lock(&store->lock);
	while ((job = next_job(store)) != NULL) {
		bool abandoned = job->abandoned;

		pthread_mutex_unlock(&store->lock);
		if (!abandoned)
			run(store, job);
		pthread_mutex_lock(&store->lock);
		release_job(job);
	}
	pthread_mutex_unlock(&store->lock);
	release_store(store);
	return NULL;
}

/* Called with the lock held. */
static int start_writer(struct store *store)
{
	pthread_t thread;
	int error = thread_start(&thread, writer, store);

	if (error != 0)
		return error;
	pthread_detach(thread);
	store->owners++;
	store->threads++;
	return 0;
}

static struct job *new_job(const struct store_request *request, struct err *err)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	if (store_item_prepare(&job->file, request, job->id, err) != 0) {
		free(job);
		return NULL;
	}
	job->owners = 1;
	condition_init(&job->done);
	return job;
}

/* Called with the lock held: the outcome for the caller, who gives the job up. */
static int take_outcome(struct job *job, char ret_id[ITEM_ID_SIZE], struct err *err)
{
	int result = job->result;

	if (result == 0)
		memcpy(ret_id, job->id, ITEM_ID_SIZE);
	else
		err_set(err, "%s", job->err.text);
	release_job(job);
	return result;
}

int store_write(struct store *store, const struct store_request *request, char ret_id[ITEM_ID_SIZE],
	struct err *err)
{
	struct job *job = new_job(request, err);
	int result;

	if (job == NULL)
		return -1;
	run(store, job);
	pthread_mutex_lock(&store->lock);
	result = take_outcome(job, ret_id, err);
	pthread_mutex_unlock(&store->lock);
	return result;
}

/* Called with the lock held. */
static int enqueue(struct store *store, struct job *job)
{
	if (store->queued >= LIMIT_WRITE_QUEUE)
		return err_set(&job->err, "the disk is too slow: too many writes are waiting");
	if (store->idle <= store->queued && store->threads < LIMIT_WRITERS) {
		int error = start_writer(store);

		if (error != 0 && store->threads == 0)
			return err_set_errno(&job->err, error, "cannot start a thread");
	}
	job->owners++;
	if (store->last == NULL)
		store->first = job;
	else
		store->last->next = job;
	store->last = job;
	store->queued++;
	pthread_cond_signal(&store->work);
	return 0;
}

/* Called with the lock held: wait until the job is done or given up. */
static void await(struct store *store, struct job *job, struct deadline deadline)
{
	struct timespec until = deadline_timespec(deadline);
	int error = 0;

	while (job->state != JOB_DONE && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&job->done, &store->lock, &until);
	if (job->state == JOB_DONE)
		return;
	job->abandoned = true;
	job->result = err_set(&job->err, "the disk is too slow: no answer by the deadline");
	store->view.abandoned++;
	note(store, -1, &job->err);
}

int store_write_within(struct store *store, const struct store_request *request,
	struct deadline deadline, char ret_id[ITEM_ID_SIZE], struct err *err)
{
	struct job *job = new_job(request, err);
	int result;

	if (job == NULL)
		return -1;
	pthread_mutex_lock(&store->lock);
	job->result = enqueue(store, job);
	if (job->result == 0)
		await(store, job, deadline);
	else
		note(store, -1, &job->err);
	/* The lock was not given up since: the thread of an abandoned job notes its own outcome. */
	result = take_outcome(job, ret_id, err);
	pthread_mutex_unlock(&store->lock);
	return result;
}

void store_look(struct store *store, struct store_view *ret_view)
{
	pthread_mutex_lock(&store->lock);
	*ret_view = store->view;
	ret_view->items = store->items;
	ret_view->bytes = store->bytes;
	pthread_mutex_unlock(&store->lock);
}
