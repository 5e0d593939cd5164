/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of the pool, for the two files that make it up: pool.c (health, life) and slots.c. */
#ifndef SPAMBRIDGE_SCORER_POOL_PRIVATE_H
#define SPAMBRIDGE_SCORER_POOL_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/queue.h>

#include "scorer/keeper.h"
#include "scorer/pool.h"
#include "scorer/server.h"
#include "scorer/server_news.h"

TAILQ_HEAD(slot_queue, slot_waiter);

/* What one scorer's servers share. */
struct scorer_queue {
	struct slot_queue waiters;
	size_t waiting;
};

struct pool {
	atomic_uint owners;
	struct settings *settings;
	bool learns; /* made to have messages learnt */
	pthread_mutex_t lock;
	struct server *servers;
	size_t server_count;
	struct scorer_queue *queues; /* one a scorer */
	struct address_book *book;
	struct keeper *keeper;
};

/* Give free slots to who waits longest for one that it can use; with the pool's lock. */
void pool_grant_slots(struct pool *pool, size_t scorer);

/* A server was set aside: whoever waits looks whether there is still one for it; with the lock. */
void pool_reconsider_all(struct pool *pool, size_t scorer);

/*
 * Those who joined before anybody knew how long a scan takes: show out, from the end, who would
 * not be served in time even if scans took half as long from now on. With the pool's lock.
 */
void pool_shed_hopeless(struct pool *pool, size_t scorer);

#endif
