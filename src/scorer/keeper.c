/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that probes servers which were set aside and says what was counted. */
#include "scorer/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/thread.h"
#include "scorer/exchange.h"

/*
 * A probe that is not answered by then has failed, milliseconds; and one not even connected: a lost
 * packet to a server that is back is sent again only after a second.
 */
#define PROBE_MS         2000
#define PROBE_CONNECT_MS 400

/* Probes under way at the same time: more wait for a place. */
#define PROBES 32

struct probe {
	struct server *server;
	struct exchange *exchange;
	struct deadline connect_by, done_by;
};

struct keeper {
	struct pool *pool; /* borrowed: the pool stops us before it goes */
	pthread_t thread;
	int wake;
	atomic_bool stopping;
	struct probe probes[PROBES];
	size_t count;
};

static void end_probe(struct keeper *keeper, size_t index, const char *why)
{
	struct probe *probe = &keeper->probes[index];

	pool_probe_done(keeper->pool, probe->server, why);
	exchange_free(&probe->exchange);
	keeper->probes[index] = keeper->probes[--keeper->count];
}

/* Encryption takes several journeys to the server and back before the connection is up. */
static int connect_ms(const struct server *server)
{
	return server_setting(server)->transport == TRANSPORT_TLS ? PROBE_MS : PROBE_CONNECT_MS;
}

static void begin_probe(struct keeper *keeper, struct server *server)
{
	struct probe *probe = &keeper->probes[keeper->count];
	struct exchange_target target;

	if (!server_target(keeper->pool, server, &target)) {
		pool_probe_done(keeper->pool, server, "its host name is not known yet");
		return;
	}
	*probe = (struct probe){ server, exchange_start(&target, NULL),
		deadline_after_ms(connect_ms(server)), deadline_after_ms(PROBE_MS) };
	if (probe->exchange == NULL)
		pool_probe_done(keeper->pool, server, "out of memory");
	else
		keeper->count++;
}

/* Start what is due. Returns when to look again. */
static struct deadline begin_probes(struct keeper *keeper)
{
	struct deadline next = deadline_never();
	struct server *server;

	while (keeper->count < PROBES && (server = pool_probe_due(keeper->pool, &next)) != NULL)
		begin_probe(keeper, server);
	return next;
}

static struct deadline probe_deadline(const struct probe *probe)
{
	return probe->exchange->connected ? probe->done_by :
					    deadline_sooner(probe->connect_by, probe->done_by);
}

static void step_probe(struct keeper *keeper, size_t index)
{
	struct probe *probe = &keeper->probes[index];
	struct exchange *exchange = probe->exchange;

	exchange_step(exchange);
	if (exchange->done && exchange->verdict.status == VERDICT_NONE)
		end_probe(keeper, index, NULL);
	else if (exchange->done)
		end_probe(keeper, index, exchange->verdict.err.text);
	else if (deadline_passed(probe_deadline(probe)))
		end_probe(keeper, index,
			exchange->connected ? "it does not answer a probe" :
					      "it does not take a connection");
}

static void wait_for_events(struct keeper *keeper, struct deadline until)
{
	struct pollfd set[1 + PROBES * EXCHANGE_POLL_MAX];
	nfds_t count = 1;
	uint64_t counter;

	set[0] = (struct pollfd){ .fd = keeper->wake, .events = POLLIN };
	for (size_t i = 0; i < keeper->count; i++) {
		int timeout_ms;

		count += exchange_poll_set(keeper->probes[i].exchange, set + count, &timeout_ms);
		if (timeout_ms >= 0)
			until = deadline_sooner(until, deadline_after_ms(timeout_ms));
		until = deadline_sooner(until, probe_deadline(&keeper->probes[i]));
	}
	(void)poll(set, count, until.at_us == INT64_MAX ? -1 : deadline_ms_left(until));
	if (set[0].revents != 0)
		(void)!read(keeper->wake, &counter, sizeof(counter));
}

static void *keeper_main(void *argument)
{
	struct keeper *keeper = argument;

	while (!atomic_load(&keeper->stopping)) {
		struct deadline next = pool_say_repeated(keeper->pool, false);

		wait_for_events(keeper, deadline_sooner(next, begin_probes(keeper)));
		for (size_t i = keeper->count; i > 0; i--)
			step_probe(keeper, i - 1);
	}
	while (keeper->count > 0)
		end_probe(keeper, 0, "stopping");
	return NULL;
}

struct keeper *keeper_start(struct pool *pool, struct err *err)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int errnum;

	if (keeper == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	keeper->pool = pool;
	keeper->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	errnum = keeper->wake < 0 ? errno : thread_start(&keeper->thread, keeper_main, keeper);
	if (errnum == 0)
		return keeper;
	err_set_errno(err, errnum, "cannot start the thread that probes servers");
	if (keeper->wake >= 0)
		close(keeper->wake);
	free(keeper);
	return NULL;
}

void keeper_wake(struct keeper *keeper)
{
	const uint64_t one = 1;

	if (keeper != NULL)
		(void)!write(keeper->wake, &one, sizeof(one));
}

void keeper_stop(struct keeper **keeper)
{
	struct keeper *gone = *keeper;

	*keeper = NULL;
	if (gone == NULL)
		return;
	atomic_store(&gone->stopping, true);
	keeper_wake(gone);
	pthread_join(gone->thread, NULL);
	close(gone->wake);
	free(gone);
}
