/* SPDX-License-Identifier: BSD-2-Clause */
/* Late verdicts: unfinished scans go on in the background, and retries are answered from them. */
#include "scorer/late.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"

/* A background scan is given up after this long: spamd's own --timeout-child, milliseconds. */
#define LATE_SCAN_MS 300000

/* Background scans at the same time: each keeps a descriptor and a server's slot. */
#define LATE_RUNNING_MAX 256

struct late_entry {
	TAILQ_ENTRY(late_entry) link; /* oldest first */
	unsigned char digest[DIGEST_SIZE];
	struct exchange *exchange; /* running; NULL: done */
	struct pool *pool;
	struct server *server;
	struct deadline until; /* of the scan, then of the verdict */
	struct verdict verdict;
};

TAILQ_HEAD(late_list, late_entry);

/*
 * The thread steps exchanges without the lock; it is the only one that ends or removes a running
 * entry, so an entry that it looks at cannot go away. The pool's lock may be taken inside ours.
 */
struct late_store {
	pthread_mutex_t lock;
	pthread_cond_t finished;
	pthread_t thread;
	int wake;
	int64_t keep_ms;
	size_t max_entries;
	struct late_list entries;
	size_t count;
	struct late_view view;
};

/* Give back the slot of an exchange that has left its entry, and end it. */
static void close_exchange(struct late_entry *gone, enum server_outcome outcome, const char *why)
{
	pool_release(gone->pool, gone->server, outcome, gone->exchange->started_us, why);
	exchange_free(&gone->exchange);
	pool_free(&gone->pool);
}

/* Remove an entry that is not running; called with the lock. */
static void forget(struct late_store *store, struct late_entry *entry)
{
	TAILQ_REMOVE(&store->entries, entry, link);
	store->count--;
	verdict_free(&entry->verdict);
	free(entry);
}

static struct late_entry *find_entry(struct late_store *store, const unsigned char *digest)
{
	struct late_entry *entry;

	TAILQ_FOREACH(entry, &store->entries, link)
	if (memcmp(entry->digest, digest, DIGEST_SIZE) == 0)
		return entry;
	return NULL;
}

/* Forget verdicts that are too old, and the oldest ones beyond `room`; called with the lock. */
static void trim(struct late_store *store, size_t room)
{
	struct late_entry *entry = TAILQ_FIRST(&store->entries);

	while (entry != NULL) {
		struct late_entry *next = TAILQ_NEXT(entry, link);

		if (entry->exchange == NULL &&
			(store->count > room || deadline_passed(entry->until)))
			forget(store, entry);
		entry = next;
	}
}

/* The running entries, for the thread. Returns their number. */
static size_t running_entries(struct late_store *store, struct late_entry **entries)
{
	struct late_entry *entry;
	size_t count = 0;

	TAILQ_FOREACH(entry, &store->entries, link)
	if (entry->exchange != NULL && count < LATE_RUNNING_MAX)
		entries[count++] = entry;
	return count;
}

static void keep_verdict(struct late_store *store, struct late_entry *entry)
{
	verdict_move(&entry->verdict, &entry->exchange->verdict);
	entry->verdict.scan_us = clock_now_us() - entry->exchange->started_us;
	entry->verdict.late = true;
	entry->verdict.scorer = strdup(server_scorer(entry->server)->name);
	entry->verdict.server = strdup(server_setting(entry->server)->text);
	entry->until = deadline_after_ms(store->keep_ms);
	store->view.finished++;
	log_info(NULL, "a late verdict came after %lld ms: score %ld/1000",
		(long long)(entry->verdict.scan_us / 1000), (long)entry->verdict.score);
}

/* End a scan that is done or out of time. */
static void settle(struct late_store *store, struct late_entry *entry)
{
	bool good = entry->exchange->done && entry->exchange->verdict.status == VERDICT_SCORED;
	const char *why = entry->exchange->done ? entry->exchange->verdict.err.text :
						  "no answer to a late scan";
	struct late_entry gone = {
		.exchange = entry->exchange, .pool = entry->pool, .server = entry->server
	};

	/* In one step from running to kept or forgotten: whoever has the lock may remove it then. */
	pthread_mutex_lock(&store->lock);
	if (good)
		keep_verdict(store, entry);
	entry->exchange = NULL;
	entry->pool = NULL;
	store->view.running--;
	if (!good)
		forget(store, entry);
	pthread_cond_broadcast(&store->finished);
	pthread_mutex_unlock(&store->lock);
	/* The slot goes back without our lock: the pool has its own. */
	close_exchange(&gone, good ? SERVER_ANSWERED : SERVER_UNKNOWN, good ? NULL : why);
}

static void wait_for_events(struct late_store *store, struct late_entry **entries, size_t count)
{
	struct pollfd set[1 + LATE_RUNNING_MAX * EXCHANGE_POLL_MAX];
	struct deadline until = deadline_never();
	nfds_t used = 1;
	uint64_t counter;

	set[0] = (struct pollfd){ .fd = store->wake, .events = POLLIN };
	for (size_t i = 0; i < count; i++) {
		int timeout_ms;

		used += exchange_poll_set(entries[i]->exchange, set + used, &timeout_ms);
		if (timeout_ms >= 0)
			until = deadline_sooner(until, deadline_after_ms(timeout_ms));
		until = deadline_sooner(until, entries[i]->until);
	}
	(void)poll(set, used, until.at_us == INT64_MAX ? -1 : deadline_ms_left(until));
	if (set[0].revents != 0)
		(void)!read(store->wake, &counter, sizeof(counter));
}

static void *late_main(void *argument)
{
	struct late_store *store = argument;
	struct late_entry *entries[LATE_RUNNING_MAX];

	for (;;) {
		size_t count;

		pthread_mutex_lock(&store->lock);
		count = running_entries(store, entries);
		pthread_mutex_unlock(&store->lock);
		wait_for_events(store, entries, count);
		for (size_t i = 0; i < count; i++) {
			exchange_step(entries[i]->exchange);
			if (entries[i]->exchange->done || deadline_passed(entries[i]->until))
				settle(store, entries[i]);
		}
	}
	return NULL;
}

static void wake(struct late_store *store)
{
	const uint64_t one = 1;

	(void)!write(store->wake, &one, sizeof(one));
}

struct late_store *late_store_new(struct err *err)
{
	struct late_store *store = calloc(1, sizeof(*store));
	int errnum;

	if (store == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&store->lock, NULL);
	condition_init(&store->finished);
	TAILQ_INIT(&store->entries);
	store->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	errnum = store->wake < 0 ? errno : thread_start(&store->thread, late_main, store);
	if (errnum == 0)
		return store;
	err_set_errno(err, errnum, "cannot start the thread for late verdicts");
	if (store->wake >= 0)
		close(store->wake);
	free(store);
	return NULL;
}

void late_store_limits(struct late_store *store, int64_t keep_ms, size_t max_entries)
{
	pthread_mutex_lock(&store->lock);
	store->keep_ms = keep_ms;
	store->max_entries = max_entries;
	trim(store, keep_ms == 0 ? 0 : max_entries);
	pthread_mutex_unlock(&store->lock);
}

/* Make room and enter; called with the lock. NULL when there is no room. */
static struct late_entry *enter(struct late_store *store, const unsigned char *digest)
{
	struct late_entry *entry;

	if (store->keep_ms == 0 || store->max_entries == 0 ||
		store->view.running >= LATE_RUNNING_MAX || find_entry(store, digest) != NULL)
		return NULL;
	trim(store, store->max_entries - 1);
	if (store->count >= store->max_entries)
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	memcpy(entry->digest, digest, DIGEST_SIZE);
	verdict_init(&entry->verdict);
	entry->until = deadline_after_ms(LATE_SCAN_MS);
	TAILQ_INSERT_TAIL(&store->entries, entry, link);
	store->count++;
	store->view.running++;
	store->view.adopted++;
	return entry;
}

bool late_store_adopt(struct late_store *store, const unsigned char digest[DIGEST_SIZE],
	struct pool *pool, struct server *server, struct exchange *exchange)
{
	struct late_entry *entry;

	pthread_mutex_lock(&store->lock);
	entry = enter(store, digest);
	if (entry != NULL) {
		/* Said before the thread can settle it: an answer is the newer news. */
		pool_note_silent(pool, server, exchange->started_us, "no answer by the deadline");
		entry->pool = pool_ref(pool);
		entry->server = server;
		entry->exchange = exchange;
	}
	pthread_mutex_unlock(&store->lock);
	if (entry == NULL) {
		pool_release(pool, server, SERVER_SILENT, exchange->started_us,
			"no answer by the deadline");
		exchange_free(&exchange);
		return false;
	}
	wake(store);
	return true;
}

/* Wait, with the lock, until the entry's scan has ended; returns it, or NULL when it is gone. */
static struct late_entry *await(struct late_store *store, const unsigned char *digest,
	struct deadline until, struct listener listener)
{
	struct listener_clock clock = listener_begin(listener);
	struct late_entry *entry = find_entry(store, digest);

	while (entry != NULL && entry->exchange != NULL && !deadline_passed(until)) {
		(void)condition_wait(
			&store->finished, &store->lock, deadline_sooner(until, clock.next));
		listener_tell(&clock);
		entry = find_entry(store, digest);
	}
	return entry;
}

enum late_result late_store_find(struct late_store *store, const unsigned char digest[DIGEST_SIZE],
	struct deadline until, struct listener listener, struct verdict *ret_verdict)
{
	enum late_result result = LATE_NONE;
	struct late_entry *entry;

	pthread_mutex_lock(&store->lock);
	trim(store, store->max_entries);
	entry = await(store, digest, until, listener);
	if (entry != NULL && entry->exchange != NULL)
		result = LATE_RUNNING;
	else if (entry != NULL && verdict_copy(ret_verdict, &entry->verdict))
		result = LATE_FOUND;
	if (result == LATE_FOUND)
		store->view.used++;
	pthread_mutex_unlock(&store->lock);
	return result;
}

void late_store_view(struct late_store *store, struct late_view *ret_view)
{
	pthread_mutex_lock(&store->lock);
	*ret_view = store->view;
	ret_view->kept = store->count - store->view.running;
	pthread_mutex_unlock(&store->lock);
}
