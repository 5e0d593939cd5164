/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slots of a pool's servers and the queues for them: what pool.c and slots.c share, for nobody
 * else. Every function here is called with the pool's lock.
 */
#ifndef SPAMBRIDGE_SCORER_SLOTS_H
#define SPAMBRIDGE_SCORER_SLOTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/queue.h>

#include "scorer/pool.h"

struct keeper;

TAILQ_HEAD(slot_queue, slot_waiter);

/* What one scorer's servers share. */
struct scorer_queue {
	struct slot_queue waiters;
	size_t waiting;
};

struct pool {
	atomic_uint owners;
	struct settings *settings;
	pthread_mutex_t lock;
	struct server *servers;
	size_t server_count;
	struct scorer_queue *queues; /* one a scorer */
	struct address_book *book;
	struct keeper *keeper;
};

/* Give free slots to who waits longest for one that it can use. */
void slots_grant(struct pool *pool, size_t scorer);

/* A server was set aside: whoever waits for its scorer looks whether there is one left for him. */
void slots_reconsider(struct pool *pool, size_t scorer);

/*
 * Those who joined before anybody knew how long a scan takes: show out, from the end, who would
 * not be served in time even if scans took half as long from now on.
 */
void slots_shed(struct pool *pool, size_t scorer);

#endif
