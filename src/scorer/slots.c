/* SPDX-License-Identifier: BSD-2-Clause */
/* The slots of the pool's servers: who gets one, and who waits in which queue. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/thread.h"
#include "scorer/pool_private.h"

/* A place in the queue of one scorer; lives as long as its request waits. */
struct slot_waiter {
	TAILQ_ENTRY(slot_waiter) link;
	struct slot_request *request;
	size_t scorer;
	bool queued;
	bool hopeless; /* shown out of the queue: it would not have been served in time */
	struct deadline deadline; /* what its answer is needed by */
	bool reconsider; /* a server of the scorer was set aside: is there still one for us? */
	pthread_cond_t changed;
};

static bool was_tried(const struct slot_request *request, const struct server *server)
{
	for (size_t i = 0; i < request->tried_count; i++)
		if (request->tried[i] == server)
			return true;
	return false;
}

static bool may_ask(const struct slot_request *request, const struct server *server, size_t scorer)
{
	return server->scorer_index == scorer && server->scorer->is_shadow == request->shadow &&
		server->healthy && !was_tried(request, server);
}

/* The least busy server with a free slot that the request may ask; NULL when there is none. */
static struct server *least_busy(
	struct pool *pool, const struct slot_request *request, size_t scorer)
{
	struct server *best = NULL;

	for (size_t i = 0; i < pool->server_count; i++) {
		struct server *server = &pool->servers[i];

		if (!may_ask(request, server, scorer) || !server_has_free_slot(server))
			continue;
		if (best == NULL || server->busy < best->busy ||
			(server->busy == best->busy && server->answered < best->answered))
			best = server;
	}
	return best;
}

/* The first scorer with a server that the request may ask, free or not; -1 when there is none. */
static long first_scorer(struct pool *pool, const struct slot_request *request)
{
	for (size_t scorer = 0; scorer < pool->settings->scorer_count; scorer++)
		for (size_t i = 0; i < pool->server_count; i++)
			if (may_ask(request, &pool->servers[i], scorer))
				return (long)scorer;
	return -1;
}

static void take_slot(struct slot_request *request, struct server *server)
{
	server->busy++;
	request->granted = server;
	request->tried[request->tried_count++] = server;
}

/* There is news for somebody in the queue. */
static void tell(struct slot_waiter *waiter)
{
	const uint64_t one = 1;

	pthread_cond_signal(&waiter->changed);
	if (waiter->request->wake >= 0)
		(void)!write(waiter->request->wake, &one, sizeof(one));
}

static void enqueue(struct pool *pool, struct slot_waiter *waiter)
{
	struct scorer_queue *queue = &pool->queues[waiter->scorer];

	TAILQ_INSERT_TAIL(&queue->waiters, waiter, link);
	queue->waiting++;
	waiter->queued = true;
	waiter->reconsider = waiter->hopeless = false;
}

static void dequeue(struct pool *pool, struct slot_waiter *waiter)
{
	struct scorer_queue *queue = &pool->queues[waiter->scorer];

	if (!waiter->queued)
		return;
	TAILQ_REMOVE(&queue->waiters, waiter, link);
	queue->waiting--;
	waiter->queued = false;
}

void pool_grant_slots(struct pool *pool, size_t scorer)
{
	struct slot_waiter *waiter = TAILQ_FIRST(&pool->queues[scorer].waiters);

	while (waiter != NULL) {
		struct slot_waiter *next = TAILQ_NEXT(waiter, link);
		struct server *server = least_busy(pool, waiter->request, scorer);

		if (server != NULL) {
			dequeue(pool, waiter);
			take_slot(waiter->request, server);
			tell(waiter);
		} else if (waiter->request->tried_count == 0) {
			return; /* who may ask any server got none: nobody gets one */
		}
		waiter = next;
	}
}

void pool_reconsider_all(struct pool *pool, size_t scorer)
{
	struct slot_waiter *waiter;

	TAILQ_FOREACH(waiter, &pool->queues[scorer].waiters, link)
	{
		waiter->reconsider = true;
		tell(waiter);
	}
}

/* What one scan takes lately, and how many run at the same time; 0: no server is healthy. */
static int64_t scorer_slots(const struct pool *pool, size_t scorer, int64_t *ret_latency_us)
{
	int64_t slots = 0;

	*ret_latency_us = 0;
	for (size_t i = 0; i < pool->server_count; i++) {
		const struct server *server = &pool->servers[i];

		if (server->scorer_index != scorer || !server->healthy)
			continue;
		slots += server->scorer->max_connections;
		if (server->latency_us > *ret_latency_us)
			*ret_latency_us = server->latency_us;
	}
	return slots;
}

void pool_shed_hopeless(struct pool *pool, size_t scorer)
{
	struct scorer_queue *queue = &pool->queues[scorer];
	int64_t latency_us, slots = scorer_slots(pool, scorer, &latency_us);
	struct slot_waiter *last;

	while (slots > 0 && (last = TAILQ_LAST(&queue->waiters, slot_queue)) != NULL &&
		(int64_t)(queue->waiting / (size_t)slots) * latency_us / 2 >
			deadline_us_left(last->deadline)) {
		dequeue(pool, last);
		last->hopeless = true;
		tell(last);
	}
}

/*
 * Can a request that joins the queue now be served in time? Judged by what answers took lately;
 * before the first answer everybody may hope.
 */
static bool served_in_time(struct pool *pool, size_t scorer, struct deadline deadline)
{
	int64_t latency_us, slots = scorer_slots(pool, scorer, &latency_us);

	if (slots == 0 || pool->queues[scorer].waiting >= LIMIT_SCAN_QUEUE)
		return false;
	/* Those ahead of it take their turns, then it takes its own. */
	return (int64_t)(pool->queues[scorer].waiting / (size_t)slots + 1) * latency_us <=
		deadline_us_left(deadline);
}

/*
 * Why the server that was set aside last was; UNKNOWN when none was (a name that is not known
 * yet).
 */
static enum server_outcome last_trouble(const struct pool *pool, bool shadow)
{
	enum server_outcome trouble = SERVER_UNKNOWN;
	int64_t latest_us = 0;

	for (size_t i = 0; i < pool->server_count; i++)
		if (!pool->servers[i].healthy && pool->servers[i].aside_us > latest_us &&
			pool->servers[i].scorer->is_shadow == shadow) {
			latest_us = pool->servers[i].aside_us;
			trouble = pool->servers[i].aside_for;
		}
	return trouble;
}

/* Take a slot at once, or join the queue of the scorer that is to be asked. */
static enum slot_result ask(
	struct pool *pool, struct slot_request *request, struct deadline deadline)
{
	struct slot_waiter *waiter = request->waiter;
	long scorer = first_scorer(pool, request);
	struct server *server;

	if (scorer < 0) {
		request->trouble = last_trouble(pool, request->shadow);
		return SLOT_NONE_HEALTHY;
	}
	server = pool->queues[scorer].waiting == 0 || request->tried_count > 0 ?
		least_busy(pool, request, (size_t)scorer) :
		NULL;
	if (server != NULL) {
		take_slot(request, server);
		return SLOT_GRANTED;
	}
	if (!served_in_time(pool, (size_t)scorer, deadline))
		return SLOT_OVERLOADED;
	waiter->scorer = (size_t)scorer;
	waiter->deadline = deadline;
	enqueue(pool, waiter);
	return SLOT_WAITING;
}

static bool make_waiter(struct slot_request *request)
{
	struct slot_waiter *waiter;

	if (request->waiter != NULL)
		return true;
	waiter = calloc(1, sizeof(*waiter));
	if (waiter == NULL)
		return false;
	waiter->request = request;
	condition_init(&waiter->changed);
	request->waiter = waiter;
	return true;
}

void slot_request_init(struct slot_request *request, struct pool *pool)
{
	*request = (struct slot_request){ .pool = pool, .wake = -1 };
}

/* Wait in the queue; called with the pool's lock, the waiter queued. */
static enum slot_result wait_queued(
	struct slot_request *request, struct deadline until, struct deadline deadline)
{
	struct slot_waiter *waiter = request->waiter;
	bool timed_out = false;

	while (request->granted == NULL) {
		if (waiter->hopeless)
			return SLOT_OVERLOADED;
		if (waiter->reconsider) {
			enum slot_result result;

			dequeue(request->pool, waiter);
			result = ask(request->pool, request, deadline);
			if (result != SLOT_WAITING)
				return result;
		}
		if (timed_out)
			return SLOT_WAITING;
		timed_out = !condition_wait(&waiter->changed, &request->pool->lock, until);
	}
	return SLOT_GRANTED;
}

enum slot_result slot_request_wait(struct slot_request *request, struct deadline until,
	struct deadline deadline, struct server **ret_server)
{
	struct pool *pool = request->pool;
	enum slot_result result = SLOT_WAITING;

	if (request->tried == NULL)
		request->tried = calloc(pool->server_count, sizeof(struct server *));
	if (request->tried == NULL || !make_waiter(request))
		return SLOT_OVERLOADED;
	pthread_mutex_lock(&pool->lock);
	if (request->granted == NULL && !request->waiter->queued)
		result = ask(pool, request, deadline);
	if (result == SLOT_WAITING)
		result = wait_queued(request, until, deadline);
	*ret_server = request->granted;
	request->granted = NULL;
	pthread_mutex_unlock(&pool->lock);
	return result;
}

struct server *slot_request_second(struct slot_request *request, const struct server *first)
{
	struct pool *pool = request->pool;
	struct server *server = NULL;

	pthread_mutex_lock(&pool->lock);
	/* A hedge never overtakes a message that nobody has been asked about yet. */
	if (pool->queues[first->scorer_index].waiting == 0)
		server = least_busy(pool, request, first->scorer_index);
	if (server != NULL) {
		take_slot(request, server);
		request->granted = NULL;
	}
	pthread_mutex_unlock(&pool->lock);
	return server;
}

void slot_request_free(struct slot_request *request)
{
	struct slot_waiter *waiter = request->waiter;

	if (waiter != NULL) {
		pthread_mutex_lock(&request->pool->lock);
		dequeue(request->pool, waiter);
		if (request->granted != NULL) { /* it came when nobody wanted it any more */
			request->granted->busy--;
			pool_grant_slots(request->pool, request->granted->scorer_index);
		}
		pthread_mutex_unlock(&request->pool->lock);
		pthread_cond_destroy(&waiter->changed);
		free(waiter);
	}
	free(request->tried);
	*request = (struct slot_request){ 0 };
}
