/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the scorers about one message within one deadline. */
#include "scorer/scan.h"

#include <stdlib.h>
#include <string.h>

#include "scorer/exchange.h"

/* When no second server is free at the time to hedge, look again this often, milliseconds. */
#define HEDGE_RETRY_MS 100

/* A server that was asked: the first one, and the hedge. */
struct asked {
	struct server *server;
	struct exchange *exchange;
	struct exchange_target target;
	unsigned addresses; /* of the host, tried so far */
};

struct run {
	const struct scan *scan;
	struct slot_request slots;
	struct asked asked[2];
	size_t asked_count;
	struct deadline hedge_at;
	struct listener_clock clock;
	int64_t started_us;
	int64_t winner_us;      /* when the exchange that brought the verdict began */
	struct verdict failure; /* of the last server that failed */
};

static enum server_outcome outcome_of(const struct exchange *exchange)
{
	switch (exchange->verdict.status) {
	case VERDICT_SCORED:
		return SERVER_ANSWERED;
	case VERDICT_REFUSED:
		return exchange->connected ? SERVER_BROKEN : SERVER_REFUSED;
	case VERDICT_MALFORMED:
		return SERVER_NONSENSE;
	case VERDICT_TIMEOUT:
		return SERVER_SILENT;
	case VERDICT_NONE:
	case VERDICT_OVERLOADED:
	case VERDICT_OVERSIZE:
	case VERDICT_ERROR:
		break;
	}
	return SERVER_UNKNOWN;
}

/* What a message is told when everybody is set aside. */
static enum verdict_status status_of_trouble(enum server_outcome trouble)
{
	switch (trouble) {
	case SERVER_SILENT:
		return VERDICT_TIMEOUT;
	case SERVER_NONSENSE:
		return VERDICT_MALFORMED;
	case SERVER_REFUSED:
	case SERVER_BROKEN:
	case SERVER_ANSWERED:
	case SERVER_UNKNOWN:
		break;
	}
	return VERDICT_REFUSED;
}

/* Note which server a verdict or a failure is from. */
static void sign(struct verdict *verdict, struct server *server)
{
	free(verdict->scorer);
	free(verdict->server);
	verdict->scorer = strdup(server_scorer(server)->name);
	verdict->server = strdup(server_setting(server)->text);
}

/* Take one server out of the run and give its slot back. */
static void drop(struct run *run, size_t index, enum server_outcome outcome, const char *why)
{
	struct asked *asked = &run->asked[index];

	pool_release(run->scan->pool, asked->server, outcome, asked->exchange->started_us, why);
	exchange_free(&asked->exchange);
	run->asked[index] = run->asked[--run->asked_count];
}

static void fail(struct run *run, enum verdict_status status, const char *why)
{
	if (run->failure.status != VERDICT_NONE)
		return;
	run->failure.status = status;
	err_set(&run->failure.err, "%s", why);
}

/* Ask `server`, whose slot is ours. */
static void begin(struct run *run, struct server *server)
{
	struct exchange_target target;
	struct exchange *exchange = NULL;

	if (server_target(run->scan->pool, server, &target))
		exchange = exchange_start(&target, run->scan->request);
	if (exchange == NULL) {
		pool_release(run->scan->pool, server, SERVER_UNKNOWN, clock_now_us(), NULL);
		fail(run, VERDICT_ERROR, "out of memory");
		return;
	}
	run->asked[run->asked_count++] = (struct asked){ server, exchange, target, 1 };
}

static int64_t hedge_after_ms(const struct run *run)
{
	int64_t wanted = server_scorer(run->asked[0].server)->hedge_after_ms;

	if (wanted < 0)
		return pool_settings(run->scan->pool)->deadline_ms / 2;
	return wanted;
}

/* Get a slot and ask the server that it is for. False when nobody can be asked (any more). */
static bool ask_next(struct run *run)
{
	struct deadline until = deadline_sooner(run->scan->deadline, run->clock.next);
	struct server *server = NULL;

	switch (slot_request_wait(&run->slots, until, run->scan->deadline, &server)) {
	case SLOT_GRANTED:
		begin(run, server);
		if (run->asked_count > 0) {
			int64_t after_ms = hedge_after_ms(run);

			run->hedge_at =
				after_ms == 0 ? deadline_never() : deadline_after_ms(after_ms);
		}
		return true;
	case SLOT_WAITING:
		return true;
	case SLOT_NONE_HEALTHY:
		fail(run, status_of_trouble(run->slots.trouble), "no scorer is healthy");
		return false;
	case SLOT_OVERLOADED:
		break;
	}
	fail(run, VERDICT_OVERLOADED, "the scorers have more to do than fits into the deadline");
	return false;
}

/* The first server has been silent for long: ask a second one as well. */
static void hedge(struct run *run)
{
	struct server *second;

	if (run->asked_count != 1 || !deadline_passed(run->hedge_at))
		return;
	second = slot_request_second(&run->slots, run->asked[0].server);
	run->hedge_at = second == NULL ? deadline_after_ms(HEDGE_RETRY_MS) : deadline_never();
	if (second != NULL)
		begin(run, second);
}

static void wait_for_events(struct run *run)
{
	struct pollfd set[2 * EXCHANGE_POLL_MAX];
	struct deadline until = deadline_sooner(run->scan->deadline, run->clock.next);
	nfds_t count = 0;

	if (run->asked_count == 1)
		until = deadline_sooner(until, run->hedge_at);
	for (size_t i = 0; i < run->asked_count; i++) {
		int timeout_ms;

		count += exchange_poll_set(run->asked[i].exchange, set + count, &timeout_ms);
		if (timeout_ms >= 0)
			until = deadline_sooner(until, deadline_after_ms(timeout_ms));
	}
	(void)poll(set, count, deadline_ms_left(until));
}

/* A host of several addresses could not be reached at one: go on at the next. */
static bool try_other_address(struct run *run, struct asked *asked)
{
	struct exchange *exchange;

	if (asked->exchange->connected || asked->exchange->verdict.status != VERDICT_REFUSED ||
		!server_other_address(
			run->scan->pool, asked->server, asked->addresses, &asked->target))
		return false;
	exchange = exchange_start(&asked->target, run->scan->request);
	if (exchange == NULL)
		return false;
	exchange_free(&asked->exchange);
	asked->exchange = exchange;
	asked->addresses++;
	return true;
}

/* Step all; true when one brought a verdict, which is then in *ret_verdict. */
static bool step_all(struct run *run, struct verdict *ret_verdict)
{
	for (size_t i = run->asked_count; i > 0; i--) {
		struct asked *asked = &run->asked[i - 1];
		struct verdict *verdict;
		enum server_outcome outcome;
		struct err why;

		exchange_step(asked->exchange);
		if (!asked->exchange->done || try_other_address(run, asked))
			continue;
		verdict = &asked->exchange->verdict;
		outcome = outcome_of(asked->exchange);
		why = verdict->err;
		sign(verdict, asked->server);
		if (verdict->status == VERDICT_SCORED) {
			run->winner_us = asked->exchange->started_us;
			verdict_move(ret_verdict, verdict);
			drop(run, i - 1, outcome, NULL);
			return true;
		}
		verdict_free(&run->failure);
		verdict_move(&run->failure, verdict);
		drop(run, i - 1, outcome, why.text);
	}
	return false;
}

/* Ask until there is a verdict (true), nobody to ask, or no time. */
static bool ask_until_answered(struct run *run, struct verdict *ret_verdict)
{
	while (!deadline_passed(run->scan->deadline)) {
		if (run->asked_count == 0 && !ask_next(run))
			return false;
		if (run->asked_count > 0)
			wait_for_events(run);
		if (step_all(run, ret_verdict))
			return true;
		hedge(run);
		listener_tell(&run->clock);
	}
	return false;
}

/* The deadline has passed: what is fully asked may go on in the background, the rest ends. */
static void give_up(struct run *run)
{
	const struct scan *scan = run->scan;

	if (run->asked_count == 0)
		fail(run, VERDICT_OVERLOADED, "no slot was free by the deadline");
	while (run->asked_count > 0) {
		struct asked *asked = &run->asked[run->asked_count - 1];
		bool connected = asked->exchange->connected;

		verdict_free(&run->failure);
		fail(run, VERDICT_TIMEOUT,
			connected ? "no answer by the deadline" : "no connection by the deadline");
		sign(&run->failure, asked->server);
		if (scan->late != NULL && asked->exchange->sent) {
			(void)late_store_adopt(scan->late, scan->identity, scan->pool,
				asked->server, asked->exchange);
			run->asked_count--;
		} else {
			drop(run, run->asked_count - 1, SERVER_SILENT, run->failure.err.text);
		}
	}
}

/* The other server of a hedge: only the one that was overtaken by a later one has been silent. */
static void drop_loser(struct run *run)
{
	while (run->asked_count > 0)
		drop(run, 0,
			run->asked[0].exchange->started_us < run->winner_us ? SERVER_SILENT :
									      SERVER_UNKNOWN,
			"it was silent while another server answered");
}

void scan_run(const struct scan *scan, struct verdict *ret_verdict)
{
	struct run run = { .scan = scan,
		.clock = listener_begin(scan->listener),
		.hedge_at = deadline_never(),
		.started_us = clock_now_us() };

	verdict_init(ret_verdict);
	verdict_init(&run.failure);
	slot_request_init(&run.slots, scan->pool);
	run.slots.shadow = scan->shadow;
	if (!ask_until_answered(&run, ret_verdict)) {
		give_up(&run);
		verdict_move(ret_verdict, &run.failure);
	}
	drop_loser(&run);
	slot_request_free(&run.slots);
	verdict_free(&run.failure);
	ret_verdict->scan_us = clock_now_us() - run.started_us;
	ret_verdict->truncated = scan_request_truncated(scan->request);
}
