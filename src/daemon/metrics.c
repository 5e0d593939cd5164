/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon counts, and its form for Prometheus. */
#include "daemon/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/runtime.h"
#include "daemon/store_watch.h"
#include "daemon/threads.h"
#include "daemon/upkeep.h"

/* Pairs of action and reason: both are words of our own, so a few dozen at most. */
#define COUNTERS 64

/* Actions: action_word() has fewer words. */
#define OBSERVED 16

/* Upper bounds of the histograms, milliseconds; the last bucket is without bound. */
static const int64_t bounds_ms[] = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 20000,
	60000 };
#define BOUNDS (sizeof(bounds_ms) / sizeof(bounds_ms[0]))

struct histogram {
	uint64_t buckets[BOUNDS + 1];
	int64_t sum_us;
	uint64_t count;
};

static struct {
	pthread_mutex_t lock;
	struct metrics_counter counters[COUNTERS];
	size_t count;
	struct observed {
		const char *action; /* NULL: free */
		uint64_t count;
	} observed[OBSERVED];
	struct histogram scan, total;
	uint64_t marks[RELEASE_UNSURE + 1]; /* by what became of them */
} metrics = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void observe(struct histogram *histogram, int64_t us)
{
	size_t bucket = 0;

	while (bucket < BOUNDS && us > bounds_ms[bucket] * 1000)
		bucket++;
	histogram->buckets[bucket]++;
	histogram->sum_us += us;
	histogram->count++;
}

static struct metrics_counter *find_counter(const char *action, const char *reason)
{
	for (size_t i = 0; i < metrics.count; i++)
		if (strcmp(metrics.counters[i].action, action) == 0 &&
			strcmp(metrics.counters[i].reason, reason) == 0)
			return &metrics.counters[i];
	if (metrics.count == COUNTERS)
		return &metrics.counters[COUNTERS - 1];
	metrics.counters[metrics.count] = (struct metrics_counter){ action, reason, 0 };
	return &metrics.counters[metrics.count++];
}

static void count_observed(const char *action)
{
	size_t i = 0;

	while (i < OBSERVED - 1 && metrics.observed[i].action != NULL &&
		strcmp(metrics.observed[i].action, action) != 0)
		i++;
	metrics.observed[i].action = action;
	metrics.observed[i].count++;
}

void metrics_count(const struct judgement *judgement)
{
	pthread_mutex_lock(&metrics.lock);
	if (judgement->action.would != NULL)
		count_observed(judgement->action.would);
	metrics.marks[judgement->mark]++;
	find_counter(action_word(&judgement->action), judgement->reason)->count++;
	for (size_t i = 0; i < judgement->verdict_count; i++)
		if (judgement->verdicts[i].scan_us > 0 && !judgement->verdicts[i].late)
			observe(&metrics.scan, judgement->verdicts[i].scan_us);
	observe(&metrics.total, judgement->total_us);
	pthread_mutex_unlock(&metrics.lock);
}

size_t metrics_counters(struct metrics_counter *counters, size_t room)
{
	size_t count;

	pthread_mutex_lock(&metrics.lock);
	count = metrics.count;
	memcpy(counters, metrics.counters, (count < room ? count : room) * sizeof(*counters));
	pthread_mutex_unlock(&metrics.lock);
	return count;
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(
		out, "# HELP spambridge_%s %s\n# TYPE spambridge_%s %s\n", name, help, name, type);
}

static void single(
	struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	head(out, name, type, help);
	buf_printf(out, "spambridge_%s %llu\n", name, (unsigned long long)value);
}

static void print_histogram(
	struct buf *out, const char *name, const char *help, const struct histogram *histogram)
{
	uint64_t below = 0;

	head(out, name, "histogram", help);
	for (size_t i = 0; i < BOUNDS; i++) {
		below += histogram->buckets[i];
		buf_printf(out, "spambridge_%s_bucket{le=\"%g\"} %llu\n", name,
			(double)bounds_ms[i] / 1000, (unsigned long long)below);
	}
	buf_printf(out, "spambridge_%s_bucket{le=\"+Inf\"} %llu\n", name,
		(unsigned long long)histogram->count);
	buf_printf(out, "spambridge_%s_sum %.6f\n", name, (double)histogram->sum_us / 1000000);
	buf_printf(out, "spambridge_%s_count %llu\n", name, (unsigned long long)histogram->count);
}

/* Called with the lock held. */
static void print_marks(struct buf *out)
{
	static const struct {
		enum release_check check;
		const char *result;
	} rows[] = { { RELEASE_PASSES, "passed" }, { RELEASE_REFUSED, "refused" },
		{ RELEASE_UNSURE, "deferred" } };

	head(out, "release_marks_total", "counter",
		"Messages with the mark of a release, by what became of them.");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		buf_printf(out, "spambridge_release_marks_total{result=\"%s\"} %llu\n",
			rows[i].result, (unsigned long long)metrics.marks[rows[i].check]);
}

static void print_messages(struct buf *out)
{
	head(out, "messages_total", "counter", "Messages answered, by action and reason.");
	pthread_mutex_lock(&metrics.lock);
	for (size_t i = 0; i < metrics.count; i++)
		buf_printf(out, "spambridge_messages_total{action=\"%s\",reason=\"%s\"} %llu\n",
			metrics.counters[i].action, metrics.counters[i].reason,
			(unsigned long long)metrics.counters[i].count);
	head(out, "observed_total", "counter",
		"Messages to recipients with mode = observe, by what would have been done.");
	for (size_t i = 0; i < OBSERVED && metrics.observed[i].action != NULL; i++)
		buf_printf(out, "spambridge_observed_total{action=\"%s\"} %llu\n",
			metrics.observed[i].action, (unsigned long long)metrics.observed[i].count);
	print_marks(out);
	print_histogram(out, "scan_seconds", "Time from asking a scorer to its verdict or failure.",
		&metrics.scan);
	print_histogram(out, "message_seconds", "Time from end of message to the judgement.",
		&metrics.total);
	pthread_mutex_unlock(&metrics.lock);
}

/* A label's value: names come from the configuration. */
static void label(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *value);
	}
	buf_putc(out, '"');
}

static void server_sample(struct buf *out, const char *metric, const struct server_view *view,
	const char *result, uint64_t value)
{
	buf_printf(out, "spambridge_%s{", metric);
	label(out, "scorer", view->scorer);
	buf_putc(out, ',');
	label(out, "server", view->server);
	if (result != NULL) {
		buf_putc(out, ',');
		label(out, "result", result);
	}
	buf_printf(out, "} %llu\n", (unsigned long long)value);
}

static void print_servers(struct buf *out)
{
	struct pool *pool = runtime_pool();
	size_t count;
	struct server_view *views = pool_view(pool, &count);

	head(out, "scans_total", "counter", "Scans ended, by scorer, server and result.");
	for (size_t i = 0; i < count; i++) {
		server_sample(out, "scans_total", &views[i], "answered", views[i].answered);
		server_sample(out, "scans_total", &views[i], "refused", views[i].refused);
		server_sample(out, "scans_total", &views[i], "malformed", views[i].nonsense);
		server_sample(out, "scans_total", &views[i], "silent", views[i].silent);
	}
	head(out, "server_healthy", "gauge", "1 while the server may be asked.");
	for (size_t i = 0; i < count; i++)
		server_sample(out, "server_healthy", &views[i], NULL, views[i].healthy);
	head(out, "slots_used", "gauge", "Scans under way at the server.");
	for (size_t i = 0; i < count; i++)
		server_sample(out, "slots_used", &views[i], NULL, views[i].busy);
	head(out, "slots", "gauge", "Most scans at the same time (max_connections).");
	for (size_t i = 0; i < count; i++)
		server_sample(out, "slots", &views[i], NULL, views[i].slots);
	head(out, "scans_waiting", "gauge", "Scans that wait for a slot of the server's scorer.");
	for (size_t i = 0; i < count; i++)
		server_sample(out, "scans_waiting", &views[i], NULL, views[i].waiting);
	free(views);
	pool_free(&pool);
}

static void print_upkeep(struct buf *out)
{
	struct upkeep_view view;

	upkeep_look(&view);
	single(out, "expired_total", "counter", "Held messages removed because they had expired.",
		view.removed);
	single(out, "expiry_announced_total", "counter",
		"Held messages named in the log before they expire.", view.announced);
	single(out, "expiry_failed_total", "counter", "Expired messages that could not be removed.",
		view.failed);
	single(out, "expiry_timestamp_seconds", "gauge",
		"When the quarantine was last looked through for what has expired, 0: never.",
		(uint64_t)view.looked_s);
	single(out, "digest_timestamp_seconds", "gauge",
		"When digests of held mail went out last, 0: never.", (uint64_t)view.digest_s);
	single(out, "digest_overdue", "gauge", "1 while mail is held too long without a digest.",
		view.overdue);
}

bool metrics_print(struct buf *out)
{
	struct late_view late;

	late_store_view(runtime_late(), &late);
	print_messages(out);
	print_servers(out);
	store_metrics(out, runtime_store());
	single(out, "sessions", "gauge", "Open connections of mail servers.", runtime_sessions());
	single(out, "messages_under_way", "gauge",
		"Messages that have begun and have no answer yet.", runtime_messages());
	single(out, "threads_wanted", "gauge", "Sessions that wait for a thread.",
		threads_waiting());
	single(out, "late_scans", "gauge", "Scans that go on after their deadline.", late.running);
	single(out, "late_verdicts", "gauge", "Late verdicts kept for a retry.", late.kept);
	single(out, "late_verdicts_used_total", "counter", "Retries answered by a late verdict.",
		late.used);
	print_upkeep(out);
	single(out, "log_dropped_total", "counter",
		"Log records dropped because the log was too slow.", log_dropped());
	single(out, "config_loaded_timestamp_seconds", "gauge",
		"When the configuration in use was loaded.", (uint64_t)runtime_loaded_at());
	return !out->failed;
}
