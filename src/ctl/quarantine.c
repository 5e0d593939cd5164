/* SPDX-License-Identifier: BSD-2-Clause */
/* "spambridgectl quarantine": its commands, and what they share. */
#include "ctl/quarantine.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/score.h"
#include "config/units.h"
#include "quarantine/item_json.h"
#include "quarantine/words.h"

static const struct command commands[] = {
	{ "quarantine list",
		"[--domain D] [--to T] [--from F] [--subject S] [--since WHEN]\n"
		"                     [--before WHEN] [--score MIN[..MAX]] [--state STATE] "
		"[--limit N]",
		"List held mail, newest first.",
		"spambridgectl quarantine list --domain example.com --since 2d", quarantine_list },
	{ "quarantine search", "[--body] [filters of list] TEXT",
		"List held mail in whose envelope, From, Subject or ids a text stands.",
		"spambridgectl quarantine search invoice", quarantine_search },
	{ "quarantine show", "[--lines N] [--raw [--output FILE]] ID...",
		"Show what is known of an item and the beginning of its text.",
		"spambridgectl quarantine show mfzwi3d6mu", quarantine_show },
	{ "quarantine release",
		"[--to RECIPIENT]... [--again] [--learn-ham] [--route R] [--no-mark]\n"
		"                     [--yes] ID...",
		"Send items to their recipients, as they came; they are removed when all have "
		"theirs.",
		"spambridgectl quarantine release mfzwi3d6mu", quarantine_release },
	{ "quarantine delete", "[--learn-spam] [--yes] ID...", "Remove items for good.",
		"spambridgectl quarantine delete mfzwi3d6mu", quarantine_delete },
	{ "quarantine learn", "--ham|--spam [--yes] ID...", "Have the scorer learn from items.",
		"spambridgectl quarantine learn --spam mfzwi3d6mu", quarantine_learn },
	{ "quarantine expire", "[--older-than AGE] [--now] [--dry-run] [--yes]",
		"Remove items that are older than the configuration keeps them.",
		"spambridgectl quarantine expire --dry-run", quarantine_expire },
	{ "quarantine digest",
		"[--to RECIPIENT] [--send [--again]]\n"
		"                     [--from A] [--route R]",
		"Show, or send, each recipient's list of what is held for him.",
		"spambridgectl quarantine digest --to alice@example.com", quarantine_digest },
	{ "quarantine verify", "[ID...]", "Check that items are what was stored, to the bit.",
		"spambridgectl quarantine verify", quarantine_verify },
	{ "quarantine stats", "", "Count items by domain, age and score.",
		"spambridgectl quarantine stats", quarantine_stats },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	puts("usage: spambridgectl [-c FILE] quarantine COMMAND [--directory DIR] [--json] "
	     "[ARGUMENTS]\n\ncommands:");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("\n  %s %s\n      %s\n      example: %s\n",
			commands[i].name + strlen("quarantine "), commands[i].arguments,
			commands[i].summary, commands[i].example);
	puts("\nAn ID may be cut as long as no other item begins with the same letters. WHEN is "
	     "an\n"
	     "age (2d, 12h) or a day (2026-01-31).");
	return EXIT_DONE;
}

int command_quarantine(struct tool *tool, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return print_help();
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name + strlen("quarantine "), name) == 0) {
			tool->command = &commands[i];
			return commands[i].run(tool, argc - 1, argv + 1);
		}
	}
	if (name[0] == '\0')
		tool_fail("quarantine what? See spambridgectl quarantine --help");
	else
		tool_fail(
			"unknown command quarantine %s; see spambridgectl quarantine --help", name);
	return EXIT_USAGE;
}

static bool name_of(uid_t uid, char *name, size_t size)
{
	char room[4096];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(uid, &entry, room, sizeof(room), &found) != 0 || found == NULL)
		return false;
	snprintf(name, size, "%s", found->pw_name);
	return true;
}

/*
 * Who is it? The login that the kernel keeps through su and sudo, where it keeps one; else what
 * sudo says when we are root; else whom we run as.
 */
static void find_reviewer(char *name, size_t size)
{
	const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
	FILE *file = fopen("/proc/self/loginuid", "re");
	unsigned login = (unsigned)-1;
	char digits[16] = "";
	uint64_t number = (unsigned)-1;

	if (file != NULL) {
		if (fgets(digits, sizeof(digits), file) != NULL) {
			struct cursor cursor = cursor_over(digits, strlen(digits));

			if (cursor_number(&cursor, UINT32_MAX, &number))
				login = (unsigned)number;
		}
		fclose(file);
	}
	if (login != (unsigned)-1 && name_of(login, name, size))
		return;
	if (sudo != NULL && sudo[0] != '\0')
		snprintf(name, size, "%s", sudo);
	else if (!name_of(getuid(), name, size))
		snprintf(name, size, "uid %u", (unsigned)getuid());
}

/* Decisions are logged where the daemon logs; a tool's standard error is no trail. */
static void start_audit(const struct settings *settings)
{
	enum log_target target = settings == NULL ? LOG_TARGET_AUTO : settings->log;

	if (target == LOG_TARGET_AUTO)
		target = LOG_TARGET_SYSLOG;
	log_setup("spambridgectl", target, LOG_LEVEL_INFO);
}

int desk_open(struct tool *tool, struct desk *desk, const char *path, enum directory_use use,
	bool need_settings)
{
	struct err err = ERR_INIT;

	*desk = (struct desk){ .path = path, .directory = DIRECTORY_INIT };
	if (path == NULL || need_settings) {
		desk->settings = tool_settings(tool);
		if (desk->settings == NULL)
			return EXIT_REFUSED;
	}
	if (path == NULL)
		desk->path = desk->settings->quarantine.directory;
	find_reviewer(desk->reviewer, sizeof(desk->reviewer));
	if (directory_open(desk->path, use, &desk->directory, &err) != 0) {
		settings_free(&desk->settings);
		return tool_fail("%s", err.text);
	}
	if (use != DIRECTORY_READ)
		start_audit(desk->settings);
	return EXIT_DONE;
}

bool desk_confirm(bool yes, const char *question, size_t count)
{
	char answer[16] = "";

	if (yes)
		return true;
	if (!isatty(STDIN_FILENO)) {
		tool_fail("%s %zu items? Say --yes when that is meant", question, count);
		return false;
	}
	fflush(stdout);
	fprintf(stderr, "%s %zu items? [y/N] ", question, count);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
		(answer[0] == 'y' || answer[0] == 'Y');
}

int desk_ids(struct tool *tool, int argc, char **argv, const struct tool_option *options,
	const bool *yes, const char *question)
{
	int first = tool_options(tool, argc, argv, options);
	size_t count = (size_t)(argc - first);

	if (count == 0)
		tool_usage(tool, "which item?");
	return count <= MASS_ACTION || desk_confirm(*yes, question, count) ? first : -1;
}

void desk_close(struct desk *desk)
{
	directory_close(&desk->directory);
	settings_free(&desk->settings);
}

/* The line of progress on the terminal: when it was renewed, and its columns; 0: none is there. */
static struct {
	time_t at;
	int columns;
	int terminal; /* 1: standard error is one, -1: it is not, 0: nobody has asked */
} progress;

void desk_progress_hide(void)
{
	if (progress.columns > 0)
		fprintf(stderr, "\r%*s\r", progress.columns, "");
	progress.columns = 0;
}

void desk_progress(const char *what, size_t done, size_t total)
{
	time_t now = time(NULL);

	/* Asked once: this is called for each of many items. */
	if (progress.terminal == 0)
		progress.terminal = isatty(STDERR_FILENO) ? 1 : -1;
	if (progress.terminal < 0)
		return;
	if (progress.at == 0)
		progress.at = now; /* nothing that is over within a second shows any */
	if (done == total) {
		desk_progress_hide();
		progress.at = 0;
	} else if (now != progress.at) {
		desk_progress_hide();
		progress.at = now;
		progress.columns = fprintf(stderr, "%s %zu of %zu", what, done, total);
		fflush(stderr);
	}
}

bool desk_list_progress(size_t done, size_t total, void *what)
{
	desk_progress(what, done, total);
	return true;
}

enum stored_result desk_item(const struct desk *desk, const struct catalogue *catalogue,
	const char *prefix, struct stored *ret)
{
	const struct catalogue_entry *entry;
	enum stored_result result;
	struct err err = ERR_INIT;

	entry = catalogue_find(catalogue, prefix, &err);
	if (entry == NULL) {
		tool_fail("%s", err.text);
		return STORED_GONE;
	}
	result = stored_open(&desk->directory, entry, ret, &err);
	if (result == STORED_GOOD)
		return result;
	tool_fail("%s: %s", entry->id, err.text);
	if (result != STORED_DAMAGED)
		stored_close(ret);
	return result;
}

const char *day_time(int64_t time_s, char text[DAY_TIME_SIZE])
{
	time_t seconds = (time_t)time_s;
	struct tm parts;

	if (localtime_r(&seconds, &parts) == NULL ||
		strftime(text, DAY_TIME_SIZE, "%Y-%m-%d %H:%M", &parts) == 0)
		snprintf(text, DAY_TIME_SIZE, "-");
	return text;
}

char *readable(const char *text)
{
	char *decoded = words_decode(text == NULL ? "" : text);

	return decoded != NULL ? decoded : calloc(1, 1);
}

static json_t *states_as_json(const struct item *item, const struct review *review)
{
	json_t *array = json_array();

	for (size_t i = 0; i < review->count; i++) {
		const struct review_line *line = &review->lines[i];
		json_t *one = json_pack("{s:o,s:s}", "recipient",
			item_json_text(item->envelope.recipients.items[i]), "state",
			recipient_state_name(line->state));

		if (line->by != NULL) {
			json_object_set_new(one, "time", json_integer(line->time_s));
			json_object_set_new(one, "by", json_text(line->by));
			json_object_set_new(one, "reply", json_text(line->note));
		}
		json_array_append_new(array, one);
	}
	return array;
}

json_t *item_as_json(const struct stored *stored, enum stored_result result,
	const struct review *review, const char *trouble)
{
	json_t *json = result == STORED_GOOD ? item_json(&stored->item) : json_object();

	json_object_set_new(json, "id", json_string(stored->entry.id));
	json_object_set_new(json, "time", json_integer(stored->entry.time_us / 1000000));
	json_object_set_new(json, "damaged", json_boolean(result != STORED_GOOD));
	json_object_set_new(json, "trouble",
		trouble == NULL || trouble[0] == '\0' ? json_null() : json_text(trouble));
	if (result != STORED_GOOD)
		return json;
	/* The item's own numbers are thousandths; the tool's are decimal throughout. */
	if (stored->item.verdict.status == VERDICT_SCORED)
		json_object_set_new(json_object_get(json, "verdict"), "score",
			json_score(stored->item.verdict.score));
	json_object_set_new(json, "size", json_integer((json_int_t)stored->item.length));
	json_object_set_new(json, "sha256", json_string(stored->item.digest));
	if (review != NULL) {
		json_object_set_new(
			json, "state", json_string(recipient_state_name(review_summary(review))));
		json_object_set_new(json, "states", states_as_json(&stored->item, review));
	}
	return json;
}

bool parse_age(const char *text, int64_t *ret_s)
{
	int64_t ms = 0;

	if (!duration_parse(text, &ms) || ms < 0)
		return false;
	*ret_s = ms / 1000;
	return true;
}

/* "2026-01-31" (midnight in local time) or an age. */
static bool parse_when(const char *text, int64_t *ret_s)
{
	struct cursor cursor = cursor_over(text, strlen(text));
	uint64_t year, month, day;
	int64_t age_s;

	if (parse_age(text, &age_s)) {
		*ret_s = time(NULL) - age_s;
		return true;
	}
	if (!cursor_number(&cursor, 9999, &year) || !cursor_byte(&cursor, '-') ||
		!cursor_number(&cursor, 12, &month) || !cursor_byte(&cursor, '-') ||
		!cursor_number(&cursor, 31, &day) || !cursor_at_end(&cursor) || month == 0 ||
		day == 0 || year < 1970)
		return false;
	struct tm parts = { .tm_year = (int)year - 1900,
		.tm_mon = (int)month - 1,
		.tm_mday = (int)day,
		.tm_isdst = -1 };

	*ret_s = mktime(&parts);
	return *ret_s != -1;
}

/* "5", "5..", "..7.5" or "5..7.5" */
static bool parse_scores(const char *text, struct list_filter *filter)
{
	const char *dots = strstr(text, "..");
	size_t first = dots == NULL ? strlen(text) : (size_t)(dots - text);

	filter->has_min = first > 0;
	filter->has_max = dots != NULL && dots[2] != '\0';
	return (filter->has_min || filter->has_max) &&
		(!filter->has_min || score_parse(text, first, &filter->min_score)) &&
		(!filter->has_max || score_parse(dots + 2, strlen(dots + 2), &filter->max_score));
}

void filter_options(struct filter_words *words, struct tool_option *options)
{
	const struct tool_option all[FILTER_OPTIONS] = {
		{ "domain", TAKES_TEXT, &words->domain },
		{ "to", TAKES_TEXT, &words->to },
		{ "from", TAKES_TEXT, &words->from },
		{ "subject", TAKES_TEXT, &words->subject },
		{ "since", TAKES_TEXT, &words->since },
		{ "before", TAKES_TEXT, &words->before },
		{ "score", TAKES_TEXT, &words->score },
		{ "state", TAKES_TEXT, &words->state },
		{ "limit", TAKES_TEXT, &words->limit },
	};

	memcpy(options, all, sizeof(all));
}

void filter_take(
	const struct tool *tool, const struct filter_words *words, struct list_filter *ret_filter)
{
	struct list_filter filter = { .domain = words->domain,
		.to = words->to,
		.from = words->from,
		.subject = words->subject,
		.progress = desk_list_progress,
		.progress_context = (void *)"looked at" };
	struct cursor limit = cursor_over(words->limit == NULL ? "0" : words->limit,
		words->limit == NULL ? 1 : strlen(words->limit));
	uint64_t number = 0;

	if (words->since != NULL && !parse_when(words->since, &filter.since_s))
		tool_usage(tool, "--since wants an age (2d, 12h) or a day (2026-01-31)");
	if (words->before != NULL && !parse_when(words->before, &filter.before_s))
		tool_usage(tool, "--before wants an age (2d, 12h) or a day (2026-01-31)");
	if (words->score != NULL && !parse_scores(words->score, &filter))
		tool_usage(tool, "--score wants MIN, MIN..MAX or ..MAX");
	filter.has_state = words->state != NULL;
	if (filter.has_state && !recipient_state_parse(words->state, &filter.state))
		tool_usage(tool, "--state is held, released, unsure, refused or deferred");
	if (!cursor_number(&limit, 1000000000, &number) || !cursor_at_end(&limit))
		tool_usage(tool, "--limit wants a number");
	filter.limit = (size_t)number;
	*ret_filter = filter;
}
