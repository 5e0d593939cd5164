/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the scorers about one message within one deadline. */
#include "scorer/scan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

/* One question on its way to its verdict. */
struct run {
	const struct scan *scan;
	struct scan_question *question;
	struct slot_request slots;
	struct asked asked[2];
	size_t asked_count;
	struct deadline hedge_at;
	int64_t started_us;
	int64_t wait_us;        /* until a server was asked; -1: none was */
	int64_t winner_us;      /* when the exchange that brought the verdict began */
	struct verdict failure; /* of the last server that failed */
	bool ended;             /* the verdict of the question is there */
};

/*
 * All questions of a scan. They go on side by side: each has a slot or a place in the queue of its
 * own, and gives its slot back as soon as it is answered, so that it never waits for another one
 * that waits for it.
 */
struct runs {
	const struct scan *scan;
	struct run *items;
	size_t count;
	struct listener_clock clock;
	int wake; /* tells of slots while others are being asked; -1: there is but one question */
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
		exchange = exchange_start(&target, run->question->request);
	if (exchange == NULL) {
		pool_release(run->scan->pool, server, SERVER_UNKNOWN, clock_now_us(), NULL);
		fail(run, VERDICT_ERROR, "out of memory");
		return;
	}
	if (run->wait_us < 0)
		run->wait_us = clock_now_us() - run->started_us;
	run->asked[run->asked_count++] = (struct asked){ server, exchange, target, 1 };
}

static int64_t hedge_after_ms(const struct run *run)
{
	int64_t wanted = server_scorer(run->asked[0].server)->hedge_after_ms;

	if (wanted < 0)
		return pool_settings(run->scan->pool)->deadline_ms / 2;
	return wanted;
}

/*
 * Get a slot, waiting for one until `until`, and ask the server that it is for. False when nobody
 * can be asked (any more).
 */
static bool ask_next(struct run *run, struct deadline until)
{
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

/* The descriptors of one run, and the time at which it is to be looked at without them. */
static size_t poll_set(const struct run *run, struct pollfd *set, struct deadline *until)
{
	size_t count = 0;

	if (run->asked_count == 1)
		*until = deadline_sooner(*until, run->hedge_at);
	for (size_t i = 0; i < run->asked_count; i++) {
		int timeout_ms;

		count += exchange_poll_set(run->asked[i].exchange, set + count, &timeout_ms);
		if (timeout_ms >= 0)
			*until = deadline_sooner(*until, deadline_after_ms(timeout_ms));
	}
	return count;
}

static void wait_for_events(const struct runs *runs)
{
	struct pollfd set[1 + LIMIT_SCORE_USERS * 2 * EXCHANGE_POLL_MAX];
	struct deadline until = deadline_sooner(runs->scan->deadline, runs->clock.next);
	nfds_t count = 0;
	uint64_t news;

	if (runs->wake >= 0)
		set[count++] = (struct pollfd){ .fd = runs->wake, .events = POLLIN };
	for (size_t i = 0; i < runs->count; i++)
		count += poll_set(&runs->items[i], set + count, &until);
	if (count == 0)
		return; /* the single question waits in the queue, and did so already */
	(void)poll(set, count, deadline_ms_left(until));
	if (runs->wake >= 0 && set[0].revents != 0)
		(void)!read(runs->wake, &news, sizeof(news));
}

/* A host of several addresses could not be reached at one: go on at the next. */
static bool try_other_address(struct run *run, struct asked *asked)
{
	struct exchange *exchange;

	if (asked->exchange->connected || asked->exchange->verdict.status != VERDICT_REFUSED ||
		!server_other_address(
			run->scan->pool, asked->server, asked->addresses, &asked->target))
		return false;
	exchange = exchange_start(&asked->target, run->question->request);
	if (exchange == NULL)
		return false;
	exchange_free(&asked->exchange);
	asked->exchange = exchange;
	asked->addresses++;
	return true;
}

/* Step both servers; true when one brought a verdict. */
static bool step(struct run *run)
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
			verdict_move(run->question->verdict, verdict);
			drop(run, i - 1, outcome, NULL);
			return true;
		}
		verdict_free(&run->failure);
		verdict_move(&run->failure, verdict);
		drop(run, i - 1, outcome, why.text);
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
			(void)late_store_adopt(scan->late, run->question->identity, scan->pool,
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

static void begin_run(struct runs *runs, struct scan_question *question)
{
	struct run *run = &runs->items[runs->count++];

	*run = (struct run){ .scan = runs->scan,
		.question = question,
		.hedge_at = deadline_never(),
		.wait_us = -1,
		.started_us = clock_now_us() };
	verdict_init(question->verdict);
	verdict_init(&run->failure);
	slot_request_init(&run->slots, runs->scan->pool);
	run->slots.shadow = runs->scan->shadow;
	run->slots.wake = runs->wake;
}

/* The question has its answer, or will have none; what is held for it is given back. */
static void end_run(struct run *run)
{
	struct verdict *verdict = run->question->verdict;

	if (verdict->status == VERDICT_NONE) {
		give_up(run);
		verdict_move(verdict, &run->failure);
	}
	drop_loser(run);
	slot_request_free(&run->slots);
	verdict_free(&run->failure);
	verdict->scan_us = clock_now_us() - run->started_us;
	verdict->wait_us = run->wait_us < 0 ? verdict->scan_us : run->wait_us;
	verdict->truncated = scan_request_truncated(run->question->request);
	run->ended = true;
}

/* Everybody who is not being asked asks for a slot. Returns how many questions are open. */
static size_t ask_all(struct runs *runs)
{
	struct deadline until = deadline_after_ms(0);
	size_t open = 0;

	/* A single question waits right in the queue. */
	if (runs->count == 1)
		until = deadline_sooner(runs->scan->deadline, runs->clock.next);
	for (size_t i = 0; i < runs->count; i++) {
		struct run *run = &runs->items[i];

		if (!run->ended && run->asked_count == 0 && !ask_next(run, until))
			end_run(run);
		open += !run->ended;
	}
	return open;
}

/* Ask until every question has its verdict or nobody to ask, or until there is no time. */
static void ask_until_answered(struct runs *runs)
{
	while (!deadline_passed(runs->scan->deadline) && ask_all(runs) > 0) {
		wait_for_events(runs);
		for (size_t i = 0; i < runs->count; i++) {
			struct run *run = &runs->items[i];

			if (run->ended)
				continue;
			if (step(run))
				end_run(run);
			else
				hedge(run);
		}
		listener_tell(&runs->clock);
	}
}

/* No question could be put. */
static void refuse_all(struct scan_question *questions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		verdict_init(questions[i].verdict);
		questions[i].verdict->status = VERDICT_ERROR;
		err_set(&questions[i].verdict->err, "out of memory");
	}
}

void scan_run(const struct scan *scan, struct scan_question *questions, size_t count)
{
	struct runs runs = { .scan = scan, .clock = listener_begin(scan->listener), .wake = -1 };

	/* Not on the stack, which every connection keeps at its deepest. */
	runs.items = calloc(count, sizeof(*runs.items));
	if (runs.items == NULL) {
		refuse_all(questions, count);
		return;
	}
	if (count > 1)
		runs.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (size_t i = 0; i < count; i++)
		begin_run(&runs, &questions[i]);
	if (count == 1 || runs.wake >= 0)
		ask_until_answered(&runs);
	for (size_t i = 0; i < count; i++) {
		if (runs.wake < 0 && count > 1)
			fail(&runs.items[i], VERDICT_OVERLOADED, "no descriptor is left");
		if (!runs.items[i].ended)
			end_run(&runs.items[i]);
	}
	if (runs.wake >= 0)
		close(runs.wake);
	free(runs.items);
}
