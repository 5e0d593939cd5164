/* SPDX-License-Identifier: BSD-2-Clause */
/* What the whole daemon shares. */
#include "daemon/runtime.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/thread.h"
#include "daemon/process.h"
#include "daemon/store_watch.h"
#include "quarantine/directory.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct pool *pool;
	struct late_store *late;
	struct shadow *shadow;
	struct store *store;
	struct runtime_view view;
	bool stopping;
	struct deadline stop_by;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Late verdicts are of use only to who defers mail for want of one; the store itself is cheap. */
static void set_late_limits(const struct settings *settings)
{
	late_store_limits(state.late, settings->late_verdicts_ms, settings->late_verdict_limit);
}

static struct store_limits store_limits_of(const struct settings *settings)
{
	return (struct store_limits){ .max_bytes = settings->quarantine.max_size,
		.max_items = settings->quarantine.max_items,
		.reserve_bytes = settings->quarantine.reserve };
}

/* Is there one of former times? What it holds may still be released. */
static bool there_is_a_quarantine(const struct settings *settings)
{
	struct directory directory;

	if (directory_open(settings->quarantine.directory, DIRECTORY_WRITE, &directory, NULL) != 0)
		return false;
	directory_close(&directory);
	return true;
}

/* Open the quarantine when anything can be put there, or is there; once open it stays. */
static int open_store(const struct settings *settings, struct err *err)
{
	const struct store_limits limits = store_limits_of(settings);
	struct store *store;

	if (state.store != NULL ||
		(!settings_need_whole_message(settings) && !there_is_a_quarantine(settings)))
		return 0;
	store = store_open(settings->quarantine.directory, &limits, err);
	if (store == NULL || store_watch_start(store, err) != 0) {
		store_free(&store);
		return -1;
	}
	pthread_mutex_lock(&state.lock);
	state.store = store;
	pthread_mutex_unlock(&state.lock);
	return 0;
}

static void set_store_limits(const struct settings *settings)
{
	const struct store_limits limits = store_limits_of(settings);

	if (state.store != NULL)
		store_set_limits(state.store, &limits);
}

struct store *runtime_store(void)
{
	struct store *store;

	pthread_mutex_lock(&state.lock);
	store = state.store;
	pthread_mutex_unlock(&state.lock);
	return store;
}

int runtime_start(struct settings *settings, struct err *err)
{
	condition_init(&state.idle);
	state.late = late_store_new(err);
	if (state.late == NULL)
		return -1;
	set_late_limits(settings);
	if (open_store(settings, err) != 0)
		return -1;
	state.shadow = shadow_start(err);
	if (state.shadow == NULL)
		return -1;
	state.pool = pool_new(settings, NULL, err);
	state.view.started_at = state.view.loaded_at = time(NULL);
	state.view.reload_good = true;
	return state.pool == NULL ? -1 : 0;
}

struct pool *runtime_pool(void)
{
	struct pool *pool;

	pthread_mutex_lock(&state.lock);
	pool = pool_ref(state.pool);
	pthread_mutex_unlock(&state.lock);
	return pool;
}

struct late_store *runtime_late(void)
{
	return state.late;
}

struct shadow *runtime_shadow(void)
{
	return state.shadow;
}

/* Say what a reload cannot change. */
static void warn_fixed(const struct settings *before, const struct settings *after)
{
	if (strcmp(before->listen.text, after->listen.text) != 0)
		log_warn(NULL, "reload: listen stays %s until a restart", before->listen.text);
	if (before->log != after->log)
		log_warn(NULL, "reload: records go where they went (log) until a restart");
	if (strcmp(before->user, after->user) != 0)
		log_warn(NULL, "reload: user stays %s until a restart", before->user);
	if (strcmp(before->http_listen, after->http_listen) != 0)
		log_warn(NULL, "reload: http_listen stays \"%s\" until a restart",
			before->http_listen);
	if (strcmp(before->control, after->control) != 0)
		log_warn(NULL, "reload: control stays %s until a restart", before->control);
	if (state.store != NULL &&
		strcmp(before->quarantine.directory, after->quarantine.directory) != 0)
		log_warn(NULL, "reload: the quarantine's directory stays %s until a restart",
			before->quarantine.directory);
}

static int replace(struct strlist *errors)
{
	struct pool *before = runtime_pool(), *after, *current;
	struct settings *settings = settings_load(pool_settings(before)->path, errors);
	struct err err = ERR_INIT;

	if (settings == NULL) {
		pool_free(&before);
		return -1;
	}
	warn_fixed(pool_settings(before), settings);
	after = process_raise_descriptors(settings, &err) == 0 && open_store(settings, &err) == 0 ?
		pool_new(settings, before, &err) :
		NULL;
	if (after == NULL) {
		(void)strlist_add(errors, err.text);
	} else {
		log_set_level(settings->log_level);
		set_late_limits(settings);
		set_store_limits(settings);
		pthread_mutex_lock(&state.lock);
		current = state.pool;
		state.pool = after;
		state.view.loaded_at = time(NULL);
		pthread_mutex_unlock(&state.lock);
		pool_free(&current);
	}
	settings_free(&settings);
	pool_free(&before);
	return after == NULL ? -1 : 0;
}

int runtime_reload(struct strlist *errors)
{
	int64_t began_us = clock_now_us();
	int result = replace(errors);

	pthread_mutex_lock(&state.lock);
	state.view.reload_good = result == 0;
	if (result == 0)
		state.view.reload_us = clock_now_us() - began_us;
	pthread_mutex_unlock(&state.lock);
	return result;
}

bool runtime_session_begin(const struct settings *settings)
{
	bool room;

	pthread_mutex_lock(&state.lock);
	room = state.view.sessions < settings->max_sessions && !state.stopping;
	state.view.sessions += room;
	pthread_mutex_unlock(&state.lock);
	return room;
}

void runtime_session_end(void)
{
	pthread_mutex_lock(&state.lock);
	state.view.sessions--;
	pthread_mutex_unlock(&state.lock);
}

void runtime_message_begin(void)
{
	pthread_mutex_lock(&state.lock);
	state.view.messages++;
	state.view.begun++;
	pthread_mutex_unlock(&state.lock);
}

void runtime_message_end(void)
{
	pthread_mutex_lock(&state.lock);
	if (--state.view.messages == 0)
		pthread_cond_broadcast(&state.idle);
	pthread_mutex_unlock(&state.lock);
}

void runtime_look(struct runtime_view *ret_view)
{
	pthread_mutex_lock(&state.lock);
	*ret_view = state.view;
	pthread_mutex_unlock(&state.lock);
}

unsigned runtime_messages(void)
{
	struct runtime_view view;

	runtime_look(&view);
	return view.messages;
}

void runtime_stop_begin(struct deadline until)
{
	pthread_mutex_lock(&state.lock);
	state.stopping = true;
	state.stop_by = until;
	pthread_mutex_unlock(&state.lock);
}

struct deadline runtime_stop_by(void)
{
	struct deadline until;

	pthread_mutex_lock(&state.lock);
	until = state.stopping ? state.stop_by : deadline_never();
	pthread_mutex_unlock(&state.lock);
	return until;
}

bool runtime_wait_idle(struct deadline until)
{
	bool idle;

	pthread_mutex_lock(&state.lock);
	while (state.view.messages > 0 && condition_wait(&state.idle, &state.lock, until))
		;
	idle = state.view.messages == 0;
	pthread_mutex_unlock(&state.lock);
	return idle;
}
