/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's status answer for a person. */
#include "ctl/status_report.h"

#include <stdio.h>
#include <string.h>

#include "ctl/tool.h"

#define ROW_SIZE 4096

static long long number(const json_t *object, const char *name)
{
	return (long long)json_number_value(json_object_get(object, name));
}

static const char *text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value == NULL ? "" : value;
}

static size_t healthy_servers(const json_t *servers)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(servers); i++)
		count += json_is_true(json_object_get(json_array_get(servers, i), "healthy"));
	return count;
}

static bool is_troubled(const json_t *quarantine)
{
	return text(quarantine, "trouble")[0] != '\0';
}

const char *status_health(const json_t *status)
{
	static const char *const words[] = { "healthy", "degraded", "down" };
	const char *word = text(status, "health");

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(word, words[i]) == 0)
			return words[i];
	return "down";
}

/* "3d 4h", "12m 5s": the two largest units. */
static void span(long long seconds, char *row, size_t size)
{
	long long minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

	if (days > 0)
		snprintf(row, size, "%lldd %lldh", days, hours % 24);
	else if (hours > 0)
		snprintf(row, size, "%lldh %lldm", hours, minutes % 60);
	else if (minutes > 0)
		snprintf(row, size, "%lldm %llds", minutes, seconds % 60);
	else
		snprintf(row, size, "%llds", seconds < 0 ? 0 : seconds);
}

/* Why it is not healthy. */
static void print_reasons(const json_t *reasons)
{
	for (size_t i = 0; i < json_array_size(reasons); i++) {
		const char *reason = json_string_value(json_array_get(reasons, i));

		say_row("", reason == NULL ? "" : reason);
	}
}

static void print_head(const json_t *status, time_t now)
{
	const json_t *servers = json_object_get(status, "servers");
	char row[ROW_SIZE], since[64];

	snprintf(row, sizeof(row), "%zu of %zu servers answer, %lld messages under way",
		healthy_servers(servers), json_array_size(servers), number(status, "messages"));
	say_row(status_health(status), row);
	print_reasons(json_object_get(status, "reasons"));
	span(number(status, "uptime_s"), since, sizeof(since));
	snprintf(row, sizeof(row), "version %s, process %lld, up %s, %lld connections",
		text(status, "program_version"), number(status, "pid"), since,
		number(status, "sessions"));
	say_row("daemon", row);
	span((long long)now - number(status, "loaded_at"), since, sizeof(since));
	snprintf(row, sizeof(row), "%s, read %s ago", text(status, "config"), since);
	say_row("configuration", row);
}

static void print_server(const json_t *server, time_t now)
{
	char row[ROW_SIZE], since[64];

	snprintf(row, sizeof(row), "%s %s: %s", text(server, "scorer"), text(server, "server"),
		json_is_true(json_object_get(server, "healthy")) ? "answers" : "SET ASIDE");
	say_row("server", row);
	snprintf(row, sizeof(row), "%lld of %lld in use, %lld waiting, usually %.1f ms",
		number(server, "busy"), number(server, "slots"), number(server, "waiting"),
		json_number_value(json_object_get(server, "latency_ms")));
	say_row("", row);
	snprintf(row, sizeof(row), "%lld answered, %lld refused, %lld nonsense, %lld silent",
		number(server, "answered"), number(server, "refused"), number(server, "nonsense"),
		number(server, "silent"));
	say_row("", row);
	if (number(server, "last_error_at") == 0)
		return;
	span((long long)now - number(server, "last_error_at"), since, sizeof(since));
	snprintf(row, sizeof(row), "last error %s ago: %s", since, text(server, "last_error"));
	say_row("", row);
}

/* "9.8G": three digits at most, as the configuration writes sizes. */
static void size(long long bytes, char *row, size_t room)
{
	const char *unit = " KMGT";
	double value = (double)bytes;

	while (value >= 1000 && unit[1] != '\0') {
		value /= 1024;
		unit++;
	}
	if (*unit == ' ')
		snprintf(row, room, "%lld", bytes);
	else
		snprintf(row, room, "%.*f%c", value < 10 ? 1 : 0, value, *unit);
}

static void print_quarantine(const json_t *quarantine, time_t now)
{
	char row[ROW_SIZE], used[32], most[32], left[32], since[64];

	if (!json_is_object(quarantine))
		return;
	size(number(quarantine, "bytes"), used, sizeof(used));
	size(number(quarantine, "max_size"), most, sizeof(most));
	size(number(quarantine, "free_bytes"), left, sizeof(left));
	snprintf(row, sizeof(row), "%lld of %lld messages, %s of %s bytes%s; %s bytes free on disk",
		number(quarantine, "items"), number(quarantine, "max_items"), used, most,
		json_is_true(json_object_get(quarantine, "filling")) ? ", NEARLY FULL" : "", left);
	say_row("quarantine", row);
	if (is_troubled(quarantine)) {
		span((long long)now - number(quarantine, "trouble_since"), since, sizeof(since));
		snprintf(row, sizeof(row), "ALARM for %s, such mail is put off: %s", since,
			text(quarantine, "trouble"));
		say_row("", row);
	}
	if (number(quarantine, "failed") == 0)
		return;
	snprintf(row, sizeof(row), "%lld stored, %lld put off, %lld of these for a slow disk",
		number(quarantine, "written"), number(quarantine, "failed"),
		number(quarantine, "too_slow"));
	say_row("", row);
}

static void print_late(const json_t *late)
{
	char row[ROW_SIZE];

	snprintf(row, sizeof(row), "%lld running, %lld kept, %lld used by retries",
		number(late, "running"), number(late, "kept"), number(late, "used"));
	say_row("late verdicts", row);
}

static void print_digest(const json_t *digest, time_t now)
{
	char row[ROW_SIZE], last[80] = "never", since[64] = "";
	bool overdue = json_is_true(json_object_get(digest, "overdue"));

	if (!json_is_true(json_object_get(digest, "wanted")))
		return;
	if (number(digest, "last_at") != 0) {
		span((long long)now - number(digest, "last_at"), since, sizeof(since));
		snprintf(last, sizeof(last), "%s ago", since);
	}
	span((long long)now - number(digest, "waiting_since"), since, sizeof(since));
	snprintf(row, sizeof(row), "%slast sent %s%s%s", overdue ? "OVERDUE: " : "", last,
		overdue ? "; mail has been held for " : "", overdue ? since : "");
	say_row("digests", row);
}

static void print_upkeep(const json_t *upkeep, time_t now)
{
	const json_t *expiry = json_object_get(upkeep, "expiry");
	char row[ROW_SIZE], since[64];

	print_digest(json_object_get(upkeep, "digest"), now);
	if (number(expiry, "looked_at") != 0) {
		span((long long)now - number(expiry, "looked_at"), since, sizeof(since));
		snprintf(row, sizeof(row), "looked %s ago; %lld removed, %lld announced", since,
			number(expiry, "removed"), number(expiry, "announced"));
		say_row("expiry", row);
	}
	if (text(upkeep, "last_error")[0] != '\0')
		say_row("upkeep", text(upkeep, "last_error"));
}

/* "action_reason": count, in the order of the answer. */
static void print_counters(json_t *counters)
{
	const char *name, *label = "messages";
	json_t *count;

	json_object_foreach(counters, name, count)
	{
		char row[ROW_SIZE];

		snprintf(
			row, sizeof(row), "%10lld  %s", (long long)json_integer_value(count), name);
		say_row(label, row);
		label = "";
	}
}

void status_print(const json_t *status, time_t now)
{
	const json_t *servers = json_object_get(status, "servers");
	char row[ROW_SIZE];

	print_head(status, now);
	for (size_t i = 0; i < json_array_size(servers); i++)
		print_server(json_array_get(servers, i), now);
	print_quarantine(json_object_get(status, "quarantine"), now);
	print_late(json_object_get(status, "late"));
	print_upkeep(json_object_get(status, "upkeep"), now);
	print_counters(json_object_get(status, "counters"));
	if (number(status, "log_dropped") == 0)
		return;
	snprintf(row, sizeof(row),
		"%lld records were dropped: the log is too slow or cannot be written",
		number(status, "log_dropped"));
	say_row("log", row);
}
