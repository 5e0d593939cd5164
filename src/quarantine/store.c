/* SPDX-License-Identifier: BSD-2-Clause */
/* The writing end of the quarantine: room, writes, and how it is. */
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
#include "quarantine/errand.h"
#include "quarantine/item_file.h"
#include "quarantine/store_count.h"
#include "quarantine/store_item.h"

/* A count is not repeated within this time when there is no room, microseconds. */
#define RECOUNT_PAUSE_US 2000000
/* A file in tmp this old has no writer any more, seconds: deadlines are far shorter. */
#define SWEEP_AGE_S 3600
/* The store is said to fill up when no more than this part of a limit is left: a tenth. */
#define FILLING_PART 10

struct store {
	char *path;
	struct errands *errands;
	pthread_mutex_t lock; /* everything below */
	pthread_cond_t changed;
	unsigned owners; /* the one who opened it, and each job */
	struct store_limits limits;
	uint64_t items, bytes;                 /* by the last count, and written since */
	uint64_t items_pending, bytes_pending; /* being written */
	int64_t counted_us;
	struct store_view view; /* but for items, bytes, limits and filling */
};

/* One write. */
struct job {
	struct errand errand; /* the first member */
	struct store *store;  /* a reference */
	struct item_file file;
	char id[ITEM_ID_SIZE];
	char domain[DIRECTORY_DOMAIN_SIZE]; /* into whose Maildir; "": the common one */
};

static void release_store(struct store *store)
{
	unsigned owners;

	pthread_mutex_lock(&store->lock);
	owners = --store->owners;
	pthread_mutex_unlock(&store->lock);
	if (owners > 0)
		return;
	errands_free(&store->errands);
	pthread_cond_destroy(&store->changed);
	pthread_mutex_destroy(&store->lock);
	free(store->path);
	free(store);
}

static int count_all(struct store *store, const struct directory *directory, struct err *err)
{
	struct store_counted counted;

	if (store_count(directory, SWEEP_AGE_S, &counted, err) != 0)
		return -1;
	pthread_mutex_lock(&store->lock);
	store->items = counted.items;
	store->bytes = counted.bytes;
	store->counted_us = clock_now_us();
	pthread_mutex_unlock(&store->lock);
	return 0;
}

static int recount(struct store *store, struct err *err)
{
	struct directory directory;
	int result;

	if (directory_open(store->path, DIRECTORY_WRITE, &directory, err) != 0)
		return -1;
	result = count_all(store, &directory, err);
	directory_close(&directory);
	return result;
}

static struct store *new_store(const char *path, const struct store_limits *limits)
{
	struct store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	store->owners = 1;
	store->limits = *limits;
	pthread_mutex_init(&store->lock, NULL);
	condition_init(&store->changed);
	store->path = strdup(path);
	store->errands = errands_new();
	if (store->path == NULL || store->errands == NULL)
		store_free(&store);
	return store;
}

struct store *store_open(const char *path, const struct store_limits *limits, struct err *err)
{
	struct directory directory;
	struct store *store;

	if (directory_open(path, DIRECTORY_CREATE, &directory, err) != 0)
		return NULL;
	directory_close(&directory);
	store = new_store(path, limits);
	if (store == NULL)
		err_set(err, "out of memory");
	else if (recount(store, err) != 0)
		store_free(&store);
	else
		(void)store_check(
			store, false, NULL); /* that it is full must not keep us from starting */
	return store;
}

void store_free(struct store **store)
{
	struct store *gone = *store;

	*store = NULL;
	if (gone != NULL)
		release_store(gone);
}

void store_set_limits(struct store *store, const struct store_limits *limits)
{
	pthread_mutex_lock(&store->lock);
	store->limits = *limits;
	pthread_mutex_unlock(&store->lock);
}

const char *store_path(const struct store *store)
{
	return store->path;
}

struct errands *store_errands(struct store *store)
{
	return store->errands;
}

/* Called with the lock held: is there room for so many items and bytes more? */
static int check_room(const struct store *store, uint64_t items, uint64_t bytes, struct err *err)
{
	const struct store_limits *limits = &store->limits;

	if (limits->max_items != 0 &&
		store->items + store->items_pending + items > limits->max_items)
		return err_set(err, "the quarantine is full: max_items is reached");
	if (limits->max_bytes != 0 &&
		store->bytes + store->bytes_pending + bytes > limits->max_bytes)
		return err_set(err, "the quarantine is full: max_size is reached");
	return 0;
}

/* Set room aside for one item. */
static int take_room(struct store *store, uint64_t size, struct err *err)
{
	int result;

	pthread_mutex_lock(&store->lock);
	result = check_room(store, 1, size, err);
	if (result == 0) {
		store->items_pending++;
		store->bytes_pending += size;
	}
	pthread_mutex_unlock(&store->lock);
	return result;
}

static bool is_stale(struct store *store)
{
	int64_t counted_us;

	pthread_mutex_lock(&store->lock);
	counted_us = store->counted_us;
	pthread_mutex_unlock(&store->lock);
	return clock_now_us() - counted_us >= RECOUNT_PAUSE_US;
}

/* Room by our own limits; what others removed is looked for before there is none. */
static int reserve(struct store *store, uint64_t size, struct err *err)
{
	if (take_room(store, size, NULL) == 0)
		return 0;
	if (is_stale(store) && recount(store, err) != 0)
		return -1;
	return take_room(store, size, err);
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

/* Would so many bytes leave others their share of the file system? */
static int check_disk(
	struct store *store, const struct directory *directory, uint64_t size, struct err *err)
{
	struct statvfs disk;
	uint64_t left, reserved;

	if (fstatvfs(directory->base, &disk) != 0)
		return err_set_errno(err, errno, "cannot examine the quarantine's file system");
	if ((disk.f_flag & ST_RDONLY) != 0)
		return err_set_errno(err, EROFS, "cannot write to the quarantine");
	left = (uint64_t)disk.f_bavail * disk.f_frsize;
	pthread_mutex_lock(&store->lock);
	store->view.free_bytes = left;
	reserved = store->limits.reserve_bytes;
	pthread_mutex_unlock(&store->lock);
	if (left < size + reserved)
		return err_set(err,
			"the quarantine's file system is full: no more than the reserve is free");
	return 0;
}

static int write_to(struct job *job, const struct directory *directory, struct err *err)
{
	struct store *store = job->store;

	if (check_disk(store, directory, item_file_size(&job->file), err) != 0 ||
		item_file_write(&job->file, directory, err) != 0)
		return -1;
	if (errand_is_abandoned(store->errands, &job->errand)) {
		item_file_discard(&job->file, directory);
		return err_set(err, "the disk is too slow");
	}
	return item_file_publish(&job->file, directory, err);
}

/* Into the Maildir of its domain, which is made when it is the first of it. */
static int write_within(struct job *job, const struct directory *whole, struct err *err)
{
	struct directory directory;
	int result = directory_enter(whole, job->domain, DIRECTORY_WRITE, &directory, err);

	if (result > 0)
		result = directory_enter(whole, job->domain, DIRECTORY_CREATE, &directory, err);
	if (result != 0)
		return -1;
	result = write_to(job, &directory, err);
	directory_leave(&directory);
	return result;
}

/* From a prepared file to a durable item. */
static int write_item(struct job *job, struct err *err)
{
	struct directory directory;
	int result;

	if (directory_open(job->store->path, DIRECTORY_WRITE, &directory, err) != 0)
		return -1;
	result = write_within(job, &directory, err);
	directory_close(&directory);
	return result;
}

static int run_job(struct errand *errand, struct err *err)
{
	struct job *job = (struct job *)errand;
	uint64_t size = item_file_size(&job->file);
	int result = reserve(job->store, size, err);

	if (result != 0)
		return -1;
	result = write_item(job, err);
	settle(job->store, size, result == 0);
	return result;
}

/* The item was published although nobody waited for it any more: the mail was deferred. */
static void take_back(struct errand *errand)
{
	struct job *job = (struct job *)errand;
	struct store *store = job->store;
	struct directory directory;

	pthread_mutex_lock(&store->lock);
	store->items--;
	store->bytes -= item_file_size(&job->file);
	pthread_mutex_unlock(&store->lock);
	if (directory_open(store->path, DIRECTORY_WRITE, &directory, NULL) != 0)
		return;
	(void)catalogue_remove(&directory, job->id, NULL);
	directory_close(&directory);
}

static void destroy_job(struct errand *errand)
{
	struct job *job = (struct job *)errand;

	item_file_free(&job->file);
	release_store(job->store);
	free(job);
}

static struct job *new_job(
	struct store *store, const struct store_request *request, struct err *err)
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
	if (request->by_domain)
		store_item_domain(request->recipients, job->domain);
	job->errand.run = run_job;
	job->errand.undo = take_back;
	job->errand.destroy = destroy_job;
	job->store = store;
	pthread_mutex_lock(&store->lock);
	store->owners++;
	pthread_mutex_unlock(&store->lock);
	return job;
}

/* Called with the lock held: the store is in trouble, or (NULL) well again. */
static void note_trouble(struct store *store, const struct err *err)
{
	struct store_view *view = &store->view;
	const char *text = err == NULL ? "" : err->text;

	if (strcmp(view->trouble, text) == 0)
		return;
	if ((view->trouble[0] == '\0') != (text[0] == '\0')) {
		view->trouble_since_s = time(NULL);
		pthread_cond_broadcast(&store->changed);
	}
	memcpy(view->trouble, text, strlen(text) + 1);
}

static void note_write(struct store *store, enum errand_result result, const struct err *err)
{
	pthread_mutex_lock(&store->lock);
	store->view.written += result == ERRAND_GOOD;
	store->view.failed += result != ERRAND_GOOD;
	store->view.abandoned += result == ERRAND_ABANDONED;
	note_trouble(store, result == ERRAND_GOOD ? NULL : err);
	pthread_mutex_unlock(&store->lock);
}

int store_write(struct store *store, const struct store_request *request, char ret_id[ITEM_ID_SIZE],
	struct err *err)
{
	struct job *job = new_job(store, request, err);
	struct err why = ERR_INIT;
	int result;

	if (job == NULL)
		return -1;
	result = run_job(&job->errand, &why);
	note_write(store, result == 0 ? ERRAND_GOOD : ERRAND_FAILED, &why);
	if (result == 0)
		memcpy(ret_id, job->id, ITEM_ID_SIZE);
	destroy_job(&job->errand);
	return result == 0 ? 0 : err_set(err, "%s", why.text);
}

int store_write_within(struct store *store, const struct store_request *request,
	const struct errand_patience *patience, char ret_id[ITEM_ID_SIZE], struct err *err)
{
	struct job *job = new_job(store, request, err);
	struct err why = ERR_INIT;
	enum errand_result result;
	struct errand *errand;

	if (job == NULL)
		return -1;
	errand = &job->errand;
	result = errands_do(store->errands, errand, patience, &why);
	note_write(store, result, &why);
	if (result == ERRAND_GOOD)
		memcpy(ret_id, job->id, ITEM_ID_SIZE);
	errand_release(store->errands, &errand);
	return result == ERRAND_GOOD ? 0 : err_set(err, "%s", why.text);
}

static int check(struct store *store, bool count, struct err *err)
{
	struct directory directory;
	int result;

	if (directory_open(store->path, DIRECTORY_WRITE, &directory, err) != 0)
		return -1;
	result = count ? count_all(store, &directory, err) : 0;
	if (result == 0)
		result = check_disk(store, &directory, 0, err);
	directory_close(&directory);
	return result;
}

int store_check(struct store *store, bool count, struct err *err)
{
	struct err why = ERR_INIT;
	int result = check(store, count, &why);

	pthread_mutex_lock(&store->lock);
	if (result == 0)
		result = check_room(store, 1, 0, &why);
	note_trouble(store, result == 0 ? NULL : &why);
	pthread_mutex_unlock(&store->lock);
	return result == 0 ? 0 : err_set(err, "%s", why.text);
}

static bool is_filling(uint64_t used, uint64_t limit)
{
	return limit != 0 && used >= limit - limit / FILLING_PART;
}

/* Called with the lock held. */
static void look(const struct store *store, struct store_view *ret_view)
{
	*ret_view = store->view;
	ret_view->items = store->items;
	ret_view->bytes = store->bytes;
	ret_view->limits = store->limits;
	ret_view->filling = is_filling(store->items, store->limits.max_items) ||
		is_filling(store->bytes, store->limits.max_bytes);
}

void store_look(struct store *store, struct store_view *ret_view)
{
	pthread_mutex_lock(&store->lock);
	look(store, ret_view);
	pthread_mutex_unlock(&store->lock);
}

void store_await_change(
	struct store *store, bool troubled, struct deadline until, struct store_view *ret_view)
{
	pthread_mutex_lock(&store->lock);
	while ((store->view.trouble[0] != '\0') == troubled &&
		condition_wait(&store->changed, &store->lock, until))
		;
	look(store, ret_view);
	pthread_mutex_unlock(&store->lock);
}
