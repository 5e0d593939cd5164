/* SPDX-License-Identifier: BSD-2-Clause */
/* The care for held mail: expiry at quiet times, and an eye on the digests. */
#include "daemon/upkeep.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "daemon/runtime.h"
#include "judge/keeping.h"
#include "quarantine/digest_record.h"
#include "quarantine/directory.h"
#include "quarantine/expire.h"

/* Between two looks through the quarantine, milliseconds. */
#define EVERY_MS (3600 * INT64_C(1000))

/* Little enough for the mail, and not so little that a busy host never comes to it; nice(1). */
#define NICENESS 10

/* How long each item waits for scans to find a server, and how often it looks, milliseconds. */
#define GIVE_WAY_MS 1000
#define LOOK_MS     10

/* A trouble that stays is said again after this, seconds. */
#define AGAIN_S 86400

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	bool expiry_wanted, digests_wanted;
	struct upkeep_view view;
	int64_t error_said_s, overdue_said_s; /* only for the thread */
} upkeep = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool scans_wait(void)
{
	struct server_view *views;
	struct pool *pool;
	unsigned waiting = 0;
	size_t count;

	if (runtime_messages() == 0)
		return false;
	pool = runtime_pool();
	views = pool_view(pool, &count);
	for (size_t i = 0; views != NULL && i < count; i++)
		waiting += views[i].waiting;
	free(views);
	pool_free(&pool);
	return waiting > 0;
}

/* Before each item: mail that waits comes first, but an overloaded host's disk fills up, too. */
static bool give_way(size_t done, size_t total, void *unused)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct deadline until = deadline_after_ms(GIVE_WAY_MS);

	(void)done;
	(void)total;
	(void)unused;
	while (!deadline_passed(until) && scans_wait())
		nanosleep(&pause, NULL);
	return runtime_stop_by().at_us == deadline_never().at_us;
}

/* Note what is wrong, or nothing; said when it is news, and once a day. */
static void note_error(const char *text)
{
	int64_t now_s = time(NULL);
	bool news;

	pthread_mutex_lock(&upkeep.lock);
	news = strcmp(text, upkeep.view.last_error) != 0;
	snprintf(upkeep.view.last_error, sizeof(upkeep.view.last_error), "%s", text);
	pthread_mutex_unlock(&upkeep.lock);
	if (text[0] == '\0' || (!news && now_s - upkeep.error_said_s < AGAIN_S))
		return;
	upkeep.error_said_s = now_s;
	log_warn(NULL, "quarantine: upkeep: %s", text);
}

static void note_result(const struct expire_result *result)
{
	struct upkeep_view *view = &upkeep.view;

	pthread_mutex_lock(&upkeep.lock);
	view->removed += result->removed;
	view->announced += result->announced;
	view->failed += result->failed;
	view->looked_s = time(NULL);
	pthread_mutex_unlock(&upkeep.lock);
	if (result->removed + result->announced > 0)
		log_info(NULL, "quarantine: %zu expired items removed, %zu will be in a day",
			result->removed, result->announced);
}

static int expire(
	const struct settings *settings, const struct directory *directory, struct err *err)
{
	const struct list_filter filter = { .progress = give_way };
	const struct expire_options options = { .keep_of = keeping_time,
		.context = settings,
		.notice_s = EXPIRE_NOTICE_S,
		.now_s = time(NULL),
		.by = "spambridge" };
	struct expire_result result;
	struct store *store = runtime_store();

	if (expire_items(directory, &filter, &options, NULL, NULL, &result, err) != 0)
		return -1;
	note_result(&result);
	if (result.failed > 0)
		return err_set(err, "%zu expired items could not be removed", result.failed);
	/* So that there is room for others at once; whether it is enough, the store's alarm tells. */
	if (result.removed > 0 && store != NULL)
		(void)store_check(store, true, NULL);
	return 0;
}

/* The alarm: loudly at first, then once a day. */
static void warn_overdue(const struct digest_state *state, int64_t now_s)
{
	char since[32] = "never";
	time_t last = (time_t)state->last_s;
	struct tm parts;

	if (now_s - upkeep.overdue_said_s < AGAIN_S)
		return;
	upkeep.overdue_said_s = now_s;
	if (last != 0 && localtime_r(&last, &parts) != NULL)
		strftime(since, sizeof(since), "%Y-%m-%d %H:%M", &parts);
	log_warn(NULL,
		"quarantine: the digest is overdue: last sent %s, and mail is held for %lld hours; "
		"is spambridge-digest.timer enabled?",
		since, (long long)(now_s - state->waiting_s) / 3600);
}

static int look_at_digests(
	const struct settings *settings, const struct directory *directory, struct err *err)
{
	bool wanted = settings->quarantine.digest_from[0] != '\0';
	struct upkeep_view *view = &upkeep.view;
	int64_t now_s = time(NULL);
	struct digest_state state;
	bool overdue;

	if (digest_state(directory, now_s, &state, err) != 0)
		return -1;
	overdue = wanted && digest_is_overdue(&state, now_s);
	pthread_mutex_lock(&upkeep.lock);
	view->digests = wanted;
	view->digest_s = state.last_s;
	view->waiting_s = state.waiting_s;
	view->overdue = overdue;
	pthread_mutex_unlock(&upkeep.lock);
	if (overdue)
		warn_overdue(&state, now_s);
	else
		upkeep.overdue_said_s = 0;
	return 0;
}

/* A quarantine that nothing was ever put into need not be there. */
static bool is_absent(const struct settings *settings)
{
	return runtime_store() == NULL && access(settings->quarantine.directory, F_OK) != 0 &&
		errno == ENOENT;
}

static void work(bool expiry)
{
	struct directory directory = DIRECTORY_INIT;
	struct pool *pool = runtime_pool();
	const struct settings *settings = pool_settings(pool);
	struct err err = ERR_INIT;

	if (!is_absent(settings) &&
		directory_open(settings->quarantine.directory, DIRECTORY_WRITE, &directory, &err) ==
			0) {
		if (expiry)
			(void)expire(settings, &directory, &err);
		(void)look_at_digests(settings, &directory, &err);
	}
	note_error(err.text);
	directory_close(&directory);
	pool_free(&pool);
}

/* Wait until it is time or somebody wants something. True: expiry is due. */
static bool wait_for_work(struct deadline until)
{
	bool expiry;

	pthread_mutex_lock(&upkeep.lock);
	while (!upkeep.expiry_wanted && !upkeep.digests_wanted &&
		condition_wait(&upkeep.wanted, &upkeep.lock, until))
		;
	expiry = upkeep.expiry_wanted || deadline_passed(until);
	upkeep.expiry_wanted = upkeep.digests_wanted = false;
	pthread_mutex_unlock(&upkeep.lock);
	return expiry;
}

static void *upkeep_main(void *unused)
{
	struct deadline next = deadline_after_ms(0);

	(void)unused;
	/*
	 * Of this thread alone. The disk scheduler takes its lead from this, too (ionice(1)). Where
	 * a filter of system calls refuses it, as the unit's does, expiry is as urgent as the rest.
	 */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
	for (;;) {
		bool expiry = wait_for_work(next);

		work(expiry);
		if (expiry)
			next = deadline_after_ms(EVERY_MS);
	}
	return NULL;
}

int upkeep_start(struct err *err)
{
	pthread_t thread;
	int errnum;

	condition_init(&upkeep.wanted);
	errnum = thread_start(&thread, upkeep_main, NULL);
	if (errnum != 0)
		return err_set_errno(err, errnum, "cannot start the thread for upkeep");
	pthread_detach(thread);
	return 0;
}

void upkeep_wake(void)
{
	pthread_mutex_lock(&upkeep.lock);
	upkeep.expiry_wanted = true;
	pthread_cond_signal(&upkeep.wanted);
	pthread_mutex_unlock(&upkeep.lock);
}

void upkeep_look(struct upkeep_view *ret_view)
{
	pthread_mutex_lock(&upkeep.lock);
	*ret_view = upkeep.view;
	upkeep.digests_wanted = true;
	pthread_cond_signal(&upkeep.wanted);
	pthread_mutex_unlock(&upkeep.lock);
}
