/* SPDX-License-Identifier: BSD-2-Clause */
/* The servers of all scorers: who is healthy, who has a free slot, and who waits for one. */
#include "scorer/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scorer/pool_private.h"

/* May any server be asked by a message? Called with the lock. */
static bool is_any_healthy(const struct pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++)
		if (pool->servers[i].healthy && !pool->servers[i].scorer->is_shadow)
			return true;
	return false;
}

/* Act on a change of health; called with the pool's lock. Returns what is to be said. */
static struct server_news follow_change(struct pool *pool, struct server *server,
	enum server_outcome outcome, enum server_change change, const char *why)
{
	struct server_news news = server_news_note(server, outcome, change, why);

	news.none_left = !is_any_healthy(pool);
	if (change == SERVER_SET_ASIDE)
		pool_reconsider_all(pool, server->scorer_index);
	pool_grant_slots(pool, server->scorer_index);
	return news;
}

/* Say it and wake the keeper, who keeps an eye on it; called without the lock. */
static void announce(struct pool *pool, const struct server *server, const struct server_news *news,
	enum server_change change)
{
	server_news_say(server, news);
	if (change != SERVER_SAME || news->kind != NEWS_NONE)
		keeper_wake(pool->keeper);
}

void pool_release(struct pool *pool, struct server *server, enum server_outcome outcome,
	int64_t started_us, const char *why)
{
	enum server_change change;
	struct server_news news;

	pthread_mutex_lock(&pool->lock);
	server->busy--;
	change = server_note(server, outcome, started_us, why);
	news = follow_change(pool, server, outcome, change, why);
	if (outcome == SERVER_ANSWERED)
		pool_shed_hopeless(pool, server->scorer_index);
	pthread_mutex_unlock(&pool->lock);
	announce(pool, server, &news, change);
}

void pool_note_silent(struct pool *pool, struct server *server, int64_t started_us, const char *why)
{
	enum server_change change;
	struct server_news news;

	pthread_mutex_lock(&pool->lock);
	change = server_note(server, SERVER_SILENT, started_us, why);
	news = follow_change(pool, server, SERVER_SILENT, change, why);
	pthread_mutex_unlock(&pool->lock);
	announce(pool, server, &news, change);
}

struct deadline pool_say_repeated(struct pool *pool, bool early)
{
	struct deadline next = deadline_never();

	for (size_t i = 0; i < pool->server_count; i++) {
		struct server *server = &pool->servers[i];
		struct server_news news;

		pthread_mutex_lock(&pool->lock);
		news = server_news_look(server, early);
		next = deadline_sooner(next, repeat_due(&server->trouble.repeat));
		pthread_mutex_unlock(&pool->lock);
		server_news_say(server, &news);
	}
	return next;
}

struct server *pool_probe_due(struct pool *pool, struct deadline *ret_next)
{
	struct server *due = NULL;

	*ret_next = deadline_never();
	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < pool->server_count && due == NULL; i++) {
		struct server *server = &pool->servers[i];

		if (server->healthy || server->probing)
			continue;
		if (deadline_passed(server->probe_at))
			due = server;
		else
			*ret_next = deadline_sooner(*ret_next, server->probe_at);
	}
	if (due != NULL)
		due->probing = true;
	pthread_mutex_unlock(&pool->lock);
	return due;
}

void pool_probe_done(struct pool *pool, struct server *server, const char *why)
{
	enum server_change change;
	struct server_news news;

	pthread_mutex_lock(&pool->lock);
	change = server_note_probe(server, why);
	news = follow_change(pool, server, SERVER_UNKNOWN, change, why);
	pthread_mutex_unlock(&pool->lock);
	announce(pool, server, &news, change);
}

/* The name of a server was found: it is worth a probe now. */
static void address_known(void *context, size_t index)
{
	struct pool *pool = context;

	pthread_mutex_lock(&pool->lock);
	pool->servers[index].pause_ms = PROBE_PAUSE_FIRST_MS;
	pool->servers[index].probe_at = deadline_after_ms(0);
	pthread_mutex_unlock(&pool->lock);
	keeper_wake(pool->keeper);
}

/* The scorer that is asked first. */
static size_t first_in_use(const struct pool *pool)
{
	return pool->settings->scorers[0].is_shadow ? 1 : 0;
}

/* The servers of a scorer that the pool asks. */
static struct server_list servers_of(const struct pool *pool, size_t index)
{
	const struct scorer_setting *scorer = &pool->settings->scorers[index];

	if (!pool->learns)
		return scorer->servers;
	if (index != first_in_use(pool))
		return (struct server_list){ 0 };
	return scorer->protocol == SCORER_RSPAMD ? scorer->learn_servers : scorer->servers;
}

static size_t count_servers(const struct pool *pool)
{
	size_t count = 0;

	for (size_t i = 0; i < pool->settings->scorer_count; i++)
		count += servers_of(pool, i).count;
	return count;
}

/* What was counted about the server by the pool before, if that knew it. */
static struct tally *find_tally(const struct pool *before, const struct server *server)
{
	for (size_t i = 0; before != NULL && i < before->server_count; i++) {
		const struct server *other = &before->servers[i];

		if (strcmp(other->scorer->name, server->scorer->name) == 0 &&
			strcmp(other->setting->text, server->setting->text) == 0)
			return tally_ref(other->tally);
	}
	return tally_new();
}

/* False when out of memory. */
static bool enter_server(struct pool *pool, const struct pool *before, size_t index,
	const struct server_setting *setting)
{
	const struct scorer_setting *scorer = &pool->settings->scorers[index];
	struct server *server = &pool->servers[pool->server_count];

	*server = (struct server){ .scorer = scorer,
		.setting = setting,
		.scorer_index = index,
		.index = pool->server_count,
		.pause_ms = PROBE_PAUSE_FIRST_MS,
		.probe_at = deadline_never() };
	server->tally = find_tally(before, server);
	/* spamd ends the connection behind each answer. */
	if (scorer->protocol != SCORER_SPAMD)
		server->idle = idle_store_new(scorer->max_connections);
	pool->server_count++;
	return server->tally != NULL && address_book_add(pool->book, setting) == 0 &&
		(server->idle != NULL || scorer->protocol == SCORER_SPAMD);
}

/* Enter every server. One whose name is yet to be looked up begins as not healthy. */
static bool enter_servers(struct pool *pool, const struct pool *before)
{
	for (size_t s = 0; s < pool->settings->scorer_count; s++) {
		const struct server_list list = servers_of(pool, s);

		TAILQ_INIT(&pool->queues[s].waiters);
		for (size_t i = 0; i < list.count; i++)
			if (!enter_server(pool, before, s, &list.items[i]))
				return false;
	}
	if (before != NULL)
		address_book_inherit(pool->book, before->book);
	for (size_t i = 0; i < pool->server_count; i++)
		pool->servers[i].healthy = address_book_count(pool->book, i) > 0;
	return true;
}

static struct pool *make(
	struct settings *settings, const struct pool *before, bool learns, struct err *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	atomic_init(&pool->owners, 1);
	pthread_mutex_init(&pool->lock, NULL);
	pool->settings = settings_ref(settings);
	pool->learns = learns;
	pool->servers = calloc(count_servers(pool) + 1, sizeof(*pool->servers));
	pool->queues = calloc(settings->scorer_count + 1, sizeof(*pool->queues));
	pool->book = address_book_new(address_known, pool);
	if (pool->servers == NULL || pool->queues == NULL || pool->book == NULL ||
		!enter_servers(pool, before))
		err_set(err, "out of memory");
	else
		pool->keeper = keeper_start(pool, err);
	if (pool->keeper == NULL ||
		address_book_start(pool->book, (int)settings->resolve_every_ms, err) != 0)
		pool_free(&pool);
	return pool;
}

struct pool *pool_new(struct settings *settings, const struct pool *before, struct err *err)
{
	return make(settings, before, false, err);
}

struct pool *pool_new_to_learn(struct settings *settings, struct err *err)
{
	struct pool *pool = make(settings, NULL, true, err);

	if (pool != NULL && pool->server_count == 0) {
		err_set(err, "scorer \"%s\" has no learn_servers",
			settings->scorers[first_in_use(pool)].name);
		pool_free(&pool);
	}
	return pool;
}

struct pool *pool_ref(struct pool *pool)
{
	atomic_fetch_add(&pool->owners, 1);
	return pool;
}

void pool_free(struct pool **pool)
{
	struct pool *gone = *pool;

	*pool = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->owners, 1) != 1)
		return;
	/* The book wakes the keeper, and the keeper reads the book. */
	if (gone->book != NULL)
		address_book_quiet(gone->book);
	keeper_stop(&gone->keeper);
	(void)pool_say_repeated(gone, true);
	address_book_free(&gone->book);
	for (size_t i = 0; i < gone->server_count; i++) {
		idle_store_free(&gone->servers[i].idle);
		tally_free(&gone->servers[i].tally);
	}
	settings_free(&gone->settings);
	pthread_mutex_destroy(&gone->lock);
	free(gone->servers);
	free(gone->queues);
	free(gone);
}

const struct settings *pool_settings(const struct pool *pool)
{
	return pool->settings;
}

const struct scorer_setting *server_scorer(const struct server *server)
{
	return server->scorer;
}

const struct server_setting *server_setting(const struct server *server)
{
	return server->setting;
}

bool server_target(struct pool *pool, struct server *server, struct exchange_target *ret_target)
{
	unsigned number;

	ret_target->scorer = server->scorer;
	ret_target->server = server->setting;
	ret_target->idle = server->idle;

	pthread_mutex_lock(&pool->lock);
	number = server->address;
	pthread_mutex_unlock(&pool->lock);
	return address_book_get(pool->book, server->index, number, &ret_target->address);
}

bool server_other_address(
	struct pool *pool, struct server *server, unsigned tried, struct exchange_target *target)
{
	if (tried >= address_book_count(pool->book, server->index))
		return false;
	pthread_mutex_lock(&pool->lock);
	if (server->address == target->address.number) /* else another message was here before us */
		server->address++;
	pthread_mutex_unlock(&pool->lock);
	return server_target(pool, server, target);
}

struct server_view *pool_view(struct pool *pool, size_t *ret_count)
{
	struct server_view *views = calloc(pool->server_count + 1, sizeof(*views));

	*ret_count = 0;
	if (views == NULL)
		return NULL;
	*ret_count = pool->server_count;
	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < *ret_count; i++) {
		const struct server *server = &pool->servers[i];
		struct server_view *view = &views[i];

		*view = (struct server_view){ .scorer = server->scorer->name,
			.server = server->setting->text,
			.healthy = server->healthy,
			.is_shadow = server->scorer->is_shadow,
			.busy = server->busy,
			.slots = server->scorer->max_connections,
			.waiting = (unsigned)pool->queues[server->scorer_index].waiting,
			.answered = atomic_load(&server->tally->answered),
			.refused = atomic_load(&server->tally->refused),
			.nonsense = atomic_load(&server->tally->nonsense),
			.silent = atomic_load(&server->tally->silent),
			.given_up = atomic_load(&server->tally->given_up),
			.latency_us = server->latency_us,
			.last_error_s = server->last_error_s };
		snprintf(view->last_error, sizeof(view->last_error), "%s", server->last_error);
	}
	pthread_mutex_unlock(&pool->lock);
	return views;
}

/* How often pool_wait_ready() looks, microseconds. */
#define READY_STEP_US 10000

static bool first_scorer_ready(struct pool *pool)
{
	bool ready = false;

	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < pool->server_count; i++)
		ready = ready ||
			(pool->servers[i].healthy &&
				pool->servers[i].scorer_index == first_in_use(pool));
	pthread_mutex_unlock(&pool->lock);
	return ready;
}

void pool_wait_ready(struct pool *pool, struct deadline until)
{
	while (!first_scorer_ready(pool) && !deadline_passed(until))
		usleep(READY_STEP_US);
}
