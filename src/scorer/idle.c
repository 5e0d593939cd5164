/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections to one server that wait for the next request. */
#include "scorer/idle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * Most drivers that are kept where the server closes every connection (rspamd does): those that
 * one message gives and the next takes are few, however many are under way.
 */
#define BARE_MOST 8

struct idle_entry {
	struct curl_driver *driver;
	struct server_address address;
	struct deadline until;
};

/* The one that came last stands last and is used first, so that the rest can grow old. */
struct idle_store {
	pthread_mutex_t lock;
	struct idle_entry *entries;
	size_t count, most;
};

struct idle_store *idle_store_new(size_t most)
{
	struct idle_store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	store->entries = calloc(most, sizeof(*store->entries));
	if (store->entries == NULL) {
		free(store);
		return NULL;
	}
	pthread_mutex_init(&store->lock, NULL);
	store->most = most;
	return store;
}

void idle_store_free(struct idle_store **store)
{
	struct idle_store *gone = *store;

	*store = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++)
		curl_driver_free(&gone->entries[i].driver);
	pthread_mutex_destroy(&gone->lock);
	free(gone->entries);
	free(gone);
}

/* Take entry `index` out; called with the lock. */
static struct curl_driver *remove_entry(struct idle_store *store, size_t index)
{
	struct curl_driver *driver = store->entries[index].driver;

	store->count--;
	memmove(&store->entries[index], &store->entries[index + 1],
		(store->count - index) * sizeof(*store->entries));
	return driver;
}

/*
 * One that is too old, or NULL. Closing it (perhaps with a TLS farewell) is done without the lock.
 */
static struct curl_driver *take_old(struct idle_store *store)
{
	struct curl_driver *driver = NULL;

	pthread_mutex_lock(&store->lock);
	if (store->count > 0 && deadline_passed(store->entries[0].until))
		driver = remove_entry(store, 0);
	pthread_mutex_unlock(&store->lock);
	return driver;
}

static bool same_address(const struct server_address *a, const struct server_address *b)
{
	return a->length == b->length && memcmp(&a->address, &b->address, a->length) == 0;
}

static struct curl_driver *take_newest(
	struct idle_store *store, const struct server_address *address)
{
	struct curl_driver *driver = NULL;

	pthread_mutex_lock(&store->lock);
	for (size_t i = store->count; driver == NULL && i > 0; i--)
		if (same_address(&store->entries[i - 1].address, address))
			driver = remove_entry(store, i - 1);
	pthread_mutex_unlock(&store->lock);
	return driver;
}

struct curl_driver *idle_store_take(struct idle_store *store, const struct server_address *address)
{
	struct curl_driver *driver;

	if (store == NULL)
		return NULL;
	while ((driver = take_old(store)) != NULL)
		curl_driver_free(&driver);
	while ((driver = take_newest(store, address)) != NULL) {
		if (curl_driver_again(driver))
			return driver;
		curl_driver_free(&driver);
	}
	return NULL;
}

void idle_store_give(
	struct idle_store *store, struct curl_driver **driver, const struct server_address *address)
{
	if (store != NULL) {
		size_t most = store->most;

		if (curl_driver_is_bare(*driver) && most > BARE_MOST)
			most = BARE_MOST;
		pthread_mutex_lock(&store->lock);
		if (store->count < most) {
			store->entries[store->count++] = (struct idle_entry){ *driver, *address,
				deadline_after_ms(IDLE_KEEP_MS) };
			*driver = NULL;
		}
		pthread_mutex_unlock(&store->lock);
	}
	curl_driver_free(driver);
}
