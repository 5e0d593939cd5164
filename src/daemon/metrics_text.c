/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters and gauges in the text format of Prometheus; names as its guide wants them: a unit, in
 * base units, and _total for what only grows.
 */
#include "daemon/metrics_text.h"

#include <stdlib.h>

#include "base/log.h"
#include "config.h"
#include "daemon/health.h"
#include "daemon/metrics.h"
#include "daemon/runtime.h"
#include "daemon/threads.h"
#include "daemon/upkeep.h"
#include "quarantine/store.h"

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

static void print_histogram(struct buf *out, const char *name, const char *help,
	const struct metrics_histogram *histogram)
{
	uint64_t below = 0;

	head(out, name, "histogram", help);
	for (size_t i = 0; i < METRICS_BOUNDS; i++) {
		below += histogram->buckets[i];
		buf_printf(out, "spambridge_%s_bucket{le=\"%g\"} %llu\n", name,
			(double)metrics_bounds_ms[i] / 1000, (unsigned long long)below);
	}
	buf_printf(out, "spambridge_%s_bucket{le=\"+Inf\"} %llu\n", name,
		(unsigned long long)histogram->count);
	buf_printf(out, "spambridge_%s_sum %.6f\n", name, (double)histogram->sum_us / 1000000);
	buf_printf(out, "spambridge_%s_count %llu\n", name, (unsigned long long)histogram->count);
}

static void print_actions(struct buf *out, const struct metrics_view *view)
{
	head(out, "messages_total", "counter", "Messages answered, by action and reason.");
	for (size_t i = 0; i < view->count; i++)
		buf_printf(out, "spambridge_messages_total{action=\"%s\",reason=\"%s\"} %llu\n",
			view->counters[i].action, view->counters[i].reason,
			(unsigned long long)view->counters[i].count);
	head(out, "observed_messages_total", "counter",
		"Messages to recipients with mode = observe, by what would have been done.");
	for (size_t i = 0; i < METRICS_OBSERVED && view->observed[i].action != NULL; i++)
		buf_printf(out, "spambridge_observed_messages_total{action=\"%s\"} %llu\n",
			view->observed[i].action, (unsigned long long)view->observed[i].count);
}

static void print_marks(struct buf *out, const struct metrics_view *view)
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
			rows[i].result, (unsigned long long)view->marks[rows[i].check]);
}

static void print_messages(struct buf *out)
{
	struct metrics_view view;
	struct runtime_view runtime;

	metrics_look(&view);
	runtime_look(&runtime);
	single(out, "messages_begun_total", "counter", "Messages that a mail server began.",
		view.begun);
	single(out, "messages_received_total", "counter", "Messages received to their end.",
		view.received);
	single(out, "messages_without_id_total", "counter",
		"Messages received without a queue id: the mail server sends no macro i.",
		view.without_id);
	single(out, "messages_abandoned_total", "counter",
		"Messages that the mail server gave up before their end.", view.abandoned);
	single(out, "messages_under_way", "gauge",
		"Messages that have begun and have no answer yet.", runtime.messages);
	print_actions(out, &view);
	print_marks(out, &view);
	print_histogram(out, "scan_duration_seconds",
		"Time from asking for a verdict to having one, or none; waiting included.",
		&view.scan);
	print_histogram(out, "queue_wait_seconds",
		"Time that messages waited for a server to have a free slot.", &view.wait);
	print_histogram(out, "message_duration_seconds",
		"Time from the end of a message to the decision.", &view.total);
	single(out, "sessions", "gauge", "Open connections of mail servers.", runtime.sessions);
	single(out, "sessions_put_off_total", "counter",
		"Connections put off because max_sessions were open.", view.put_off);
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

static void print_scans(struct buf *out, const struct server_view *views, size_t count)
{
	head(out, "scans_total", "counter", "Scans ended, by scorer, server and result.");
	for (size_t i = 0; i < count; i++) {
		const struct server_view *view = &views[i];

		server_sample(out, "scans_total", view, "answered", view->answered);
		server_sample(out, "scans_total", view, "refused", view->refused);
		server_sample(out, "scans_total", view, "malformed", view->nonsense);
		server_sample(out, "scans_total", view, "timeout", view->silent);
		server_sample(out, "scans_total", view, "given_up", view->given_up);
	}
}

/* Scans wait for any server of a scorer, whose servers stand together. */
static void print_waiting(struct buf *out, const struct server_view *views, size_t count)
{
	head(out, "scans_waiting", "gauge",
		"Scans that wait for a slot of a server of the scorer.");
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && views[i].scorer == views[i - 1].scorer)
			continue;
		buf_puts(out, "spambridge_scans_waiting{");
		label(out, "scorer", views[i].scorer);
		buf_printf(out, "} %u\n", views[i].waiting);
	}
}

static void print_servers(struct buf *out)
{
	struct pool *pool = runtime_pool();
	size_t count;
	struct server_view *views = pool_view(pool, &count);

	print_scans(out, views, count);
	print_waiting(out, views, count);
	head(out, "server_healthy", "gauge", "1 while messages may be sent to the server.");
	for (size_t i = 0; i < count; i++)
		server_sample(out, "server_healthy", &views[i], NULL, views[i].healthy);
	head(out, "slots_used", "gauge", "Scans under way at the server.");
	for (size_t i = 0; i < count; i++)
		server_sample(out, "slots_used", &views[i], NULL, views[i].busy);
	head(out, "slots", "gauge", "Most scans at the same time (max_connections).");
	for (size_t i = 0; i < count; i++)
		server_sample(out, "slots", &views[i], NULL, views[i].slots);
	single(out, "sessions_limit", "gauge", "Most connections of mail servers (max_sessions).",
		pool_settings(pool)->max_sessions);
	free(views);
	pool_free(&pool);
}

static void print_late(struct buf *out)
{
	struct late_view late;

	late_store_view(runtime_late(), &late);
	single(out, "late_scans", "gauge", "Scans that go on after their deadline.", late.running);
	single(out, "late_scans_total", "counter", "Scans that went on after their deadline.",
		late.adopted);
	single(out, "late_verdicts", "gauge", "Late verdicts kept for a retry.", late.kept);
	single(out, "late_verdicts_total", "counter", "Verdicts that came after their deadline.",
		late.finished);
	single(out, "late_verdicts_used_total", "counter", "Retries answered by a late verdict.",
		late.used);
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

static void print_process(struct buf *out)
{
	struct runtime_view runtime;
	struct strlist reasons = { 0 };

	runtime_look(&runtime);
	head(out, "build_info", "gauge", "Always 1; the version is a label.");
	buf_puts(out, "spambridge_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	single(out, "health", "gauge", "0 healthy, 1 degraded, 2 down.", health_look(&reasons));
	strlist_free(&reasons);
	single(out, "start_time_seconds", "gauge", "When the daemon started.",
		(uint64_t)runtime.started_at);
	single(out, "config_last_reload_successful", "gauge",
		"1 unless the last reading of the configuration failed.", runtime.reload_good);
	single(out, "config_last_reload_success_timestamp_seconds", "gauge",
		"When the configuration in use was read.", (uint64_t)runtime.loaded_at);
	head(out, "config_last_reload_duration_seconds", "gauge",
		"How long the last good reload took.");
	buf_printf(out, "spambridge_config_last_reload_duration_seconds %.6f\n",
		(double)runtime.reload_us / 1000000);
	single(out, "sessions_without_thread", "gauge",
		"Sessions that wait since the system gives no more threads.", threads_waiting());
	single(out, "log_dropped_total", "counter",
		"Log records dropped: the log was too slow or could not be written.",
		log_dropped());
}

static void print_store(struct buf *out)
{
	struct store *store = runtime_store();
	struct store_view view;

	if (store == NULL)
		return;
	store_look(store, &view);
	single(out, "quarantine_alarm", "gauge",
		"1 while nothing can be held and such mail is put off.", view.trouble[0] != '\0');
	single(out, "quarantine_items", "gauge", "Messages held.", view.items);
	single(out, "quarantine_max_items", "gauge", "Most messages held.", view.limits.max_items);
	single(out, "quarantine_bytes", "gauge", "Bytes of all messages held.", view.bytes);
	single(out, "quarantine_max_bytes", "gauge", "Most bytes held.", view.limits.max_bytes);
	single(out, "quarantine_free_bytes", "gauge", "Bytes free in the quarantine's file system.",
		view.free_bytes);
	single(out, "quarantine_reserve_bytes", "gauge", "Bytes of it that are left to others.",
		view.limits.reserve_bytes);
	single(out, "quarantine_stored_total", "counter", "Messages that were stored.",
		view.written);
	single(out, "quarantine_failed_total", "counter",
		"Messages put off as they could not be stored.", view.failed);
	single(out, "quarantine_too_slow_total", "counter",
		"The part of these that missed its deadline.", view.abandoned);
}

bool metrics_print(struct buf *out)
{
	print_process(out);
	print_messages(out);
	print_servers(out);
	print_late(out);
	print_store(out);
	print_upkeep(out);
	return !out->failed;
}
