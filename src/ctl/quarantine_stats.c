/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine stats: items by domain, age and score. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ctl/quarantine.h"
#include "quarantine/address.h"

/* Domains that are shown as text; --json has all. */
#define DOMAINS_SHOWN 20
#define BAR_WIDTH     50
/* Bars of the histogram: two points each from below 0 to 40 and more. */
#define BAR_COUNT 22
#define BAR_MILLI 2000

static const struct {
	const char *name;
	int64_t below_s;
} ages[] = { { "< 1 hour", 3600 }, { "< 1 day", 86400 }, { "< 7 days", 7 * 86400 },
	{ "< 30 days", 30 * 86400 }, { "older", INT64_MAX } };

#define AGE_COUNT (sizeof(ages) / sizeof(ages[0]))

struct stats {
	int64_t now_s;
	uint64_t items, bytes, damaged, unscored;
	uint64_t by_age[AGE_COUNT];
	uint64_t bars[BAR_COUNT];
	uint64_t states[RECIPIENT_DEFERRED + 1];
	json_t *domains; /* domain to number of items */
};

static void count_domains(struct stats *stats, const struct item *item)
{
	const struct strlist *recipients = &item->envelope.recipients;

	for (size_t i = 0; i < recipients->count; i++) {
		AUTO(string_free)
		char *domain = address_folded(address_domain(recipients->items[i]));
		bool again = false;

		for (size_t j = 0; j < i && !again; j++)
			again = strcasecmp(address_domain(recipients->items[j]),
					address_domain(recipients->items[i])) == 0;
		if (domain == NULL || again)
			continue;
		/* What is no UTF-8 is no domain either. */
		json_object_set_new(stats->domains, domain,
			json_integer(
				1 + json_integer_value(json_object_get(stats->domains, domain))));
	}
}

static void count_score(struct stats *stats, const struct verdict *verdict)
{
	int bar = verdict->score < 0 ? 0 : 1 + verdict->score / BAR_MILLI;

	if (verdict->status != VERDICT_SCORED)
		stats->unscored++;
	else
		stats->bars[bar < BAR_COUNT ? bar : BAR_COUNT - 1]++;
}

static bool count(const struct list_line *line, void *context)
{
	struct stats *stats = context;
	int64_t age_s = stats->now_s - line->stored->entry.time_us / 1000000;
	size_t age = 0;

	stats->items++;
	stats->bytes += line->stored->size;
	while (age_s >= ages[age].below_s)
		age++;
	stats->by_age[age]++;
	if (line->result != STORED_GOOD) {
		stats->damaged++;
		return true;
	}
	if (line->review != NULL)
		stats->states[review_summary(line->review)]++;
	count_score(stats, &line->stored->item.verdict);
	count_domains(stats, &line->stored->item);
	return true;
}

static void bar(uint64_t number, uint64_t most)
{
	uint64_t width = most == 0 ? 0 : (number * BAR_WIDTH + most - 1) / most;

	for (uint64_t i = 0; i < width; i++)
		putchar('#');
	putchar('\n');
}

static uint64_t largest(const uint64_t *numbers, size_t length)
{
	uint64_t most = 0;

	for (size_t i = 0; i < length; i++)
		if (numbers[i] > most)
			most = numbers[i];
	return most;
}

static void print_scores(const struct stats *stats)
{
	uint64_t most = largest(stats->bars, BAR_COUNT);
	size_t first = 0, last = BAR_COUNT;

	puts("\nScores");
	while (first < BAR_COUNT && stats->bars[first] == 0)
		first++;
	while (last > first && stats->bars[last - 1] == 0)
		last--;
	for (size_t i = first; i < last; i++) {
		if (i == 0)
			printf("     below 0");
		else if (i == BAR_COUNT - 1)
			printf(" %3d or more", (int)(i - 1) * BAR_MILLI / 1000);
		else
			printf("   %3d - %3d", (int)(i - 1) * BAR_MILLI / 1000,
				(int)i * BAR_MILLI / 1000);
		printf(" %7llu ", (unsigned long long)stats->bars[i]);
		bar(stats->bars[i], most);
	}
	if (stats->unscored > 0)
		printf("  not scored %7llu\n", (unsigned long long)stats->unscored);
}

struct domain_count {
	const char *name;
	json_int_t items;
};

static int most_first(const void *a, const void *b)
{
	const struct domain_count *left = a, *right = b;

	if (left->items != right->items)
		return left->items > right->items ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void print_domains(const struct stats *stats)
{
	size_t total = json_object_size(stats->domains), at = 0;
	struct domain_count *counts = calloc(total + 1, sizeof(*counts));
	const char *name;
	json_t *value;

	if (counts == NULL)
		return;
	json_object_foreach(stats->domains, name, value) counts[at++] =
		(struct domain_count){ name, json_integer_value(value) };
	qsort(counts, at, sizeof(*counts), most_first);
	puts("\nDomains");
	for (size_t i = 0; i < at && i < DOMAINS_SHOWN; i++) {
		printf("  %10lld ", (long long)counts[i].items);
		say_untrusted(counts[i].name[0] == '\0' ? "(no domain)" : counts[i].name);
		putchar('\n');
	}
	if (at > DOMAINS_SHOWN)
		printf("             and %zu more\n", at - DOMAINS_SHOWN);
	free(counts);
}

static void print_stats(const struct stats *stats)
{
	uint64_t most = largest(stats->by_age, AGE_COUNT);

	printf("%llu items, %llu bytes", (unsigned long long)stats->items,
		(unsigned long long)stats->bytes);
	if (stats->damaged > 0)
		printf(", %llu damaged", (unsigned long long)stats->damaged);
	putchar('\n');
	if (stats->items == 0)
		return;
	puts("\nAge");
	for (size_t i = 0; i < AGE_COUNT; i++) {
		printf("  %10s %7llu ", ages[i].name, (unsigned long long)stats->by_age[i]);
		bar(stats->by_age[i], most);
	}
	print_scores(stats);
	puts("\nStates");
	for (int i = RECIPIENT_HELD; i <= RECIPIENT_DEFERRED; i++)
		if (stats->states[i] > 0)
			printf("  %10s %7llu\n", recipient_state_name((enum recipient_state)i),
				(unsigned long long)stats->states[i]);
	print_domains(stats);
}

static json_t *numbers_json(const uint64_t *numbers, size_t length)
{
	json_t *array = json_array();

	for (size_t i = 0; i < length; i++)
		json_array_append_new(array, json_integer((json_int_t)numbers[i]));
	return array;
}

static json_t *stats_json(const struct stats *stats)
{
	json_t *by_age = json_object(), *states = json_object();

	for (size_t i = 0; i < AGE_COUNT; i++)
		json_object_set_new(
			by_age, ages[i].name, json_integer((json_int_t)stats->by_age[i]));
	for (int i = RECIPIENT_HELD; i <= RECIPIENT_DEFERRED; i++)
		json_object_set_new(states, recipient_state_name((enum recipient_state)i),
			json_integer((json_int_t)stats->states[i]));
	return json_pack("{s:I,s:I,s:I,s:I,s:o,s:o,s:O,s:{s:f,s:o}}", "items",
		(json_int_t)stats->items, "bytes", (json_int_t)stats->bytes, "damaged",
		(json_int_t)stats->damaged, "not_scored", (json_int_t)stats->unscored, "ages",
		by_age, "states", states, "domains", stats->domains, "scores", "step",
		BAR_MILLI / 1000.0, "counts_from_below_zero", numbers_json(stats->bars, BAR_COUNT));
}

int quarantine_stats(struct tool *tool, int argc, char **argv)
{
	const char *directory = NULL;
	const struct tool_option options[] = {
		{ "directory", TAKES_TEXT, &directory },
		{ NULL, TAKES_NOTHING, NULL },
	};
	struct stats stats = { .now_s = time(NULL), .domains = json_object() };
	struct list_filter filter = { .progress = desk_list_progress,
		.progress_context = (void *)"counted" };
	struct err err = ERR_INIT;
	struct desk desk;
	int code;

	if (tool_options(tool, argc, argv, options) < argc)
		tool_usage(tool, "stats takes no operand");
	code = desk_open(tool, &desk, directory, DIRECTORY_READ, false);
	if (code != EXIT_DONE) {
		json_decref(stats.domains);
		return code;
	}
	if (list_items(&desk.directory, &filter, count, &stats, &err) != 0)
		code = tool_fail("%s", err.text);
	else if (tool->json)
		say_json(stats_json(&stats));
	else
		print_stats(&stats);
	json_decref(stats.domains);
	desk_close(&desk);
	return code;
}
