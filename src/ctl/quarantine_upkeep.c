/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine expire and verify: what an administrator does for all items. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/quarantine.h"
#include "judge/keeping.h"
#include "quarantine/expire.h"

struct expire_command {
	const char *directory, *older_than;
	bool dry_run, now, yes;
	bool silent;  /* what goes was shown already */
	json_t *json; /* an array of what goes, or NULL */
};

static bool show_expiring(const struct list_line *line, void *context)
{
	const struct expire_command *command = context;
	char when[DAY_TIME_SIZE];

	desk_progress_hide();
	if (command->json != NULL) {
		json_array_append_new(command->json,
			item_as_json(line->stored, line->result, line->review, NULL));
		return true;
	}
	if (command->silent)
		return true;
	printf("%s %s ", line->stored->item.id, day_time(line->stored->item.time_s, when));
	say_untrusted(line->stored->item.envelope.recipients.items[0]);
	putchar('\n');
	return true;
}

/* Whoever is asked has to know what it is about: show it first. */
static int ask(
	struct desk *desk, struct expire_command *command, const struct expire_options *options)
{
	const struct list_filter filter = { .progress = desk_list_progress,
		.progress_context = (void *)"looked at" };
	struct expire_options only_look = *options;
	struct expire_result result;
	struct err err = ERR_INIT;

	only_look.dry_run = true;
	if (expire_items(&desk->directory, &filter, &only_look, show_expiring, command, &result,
		    &err) != 0)
		return tool_fail("%s", err.text);
	if (result.removed > 0 && !desk_confirm(false, "Remove", result.removed))
		return EXIT_REFUSED;
	command->silent = true;
	json_array_clear(command->json);
	return EXIT_DONE;
}

static void say_expired(const struct expire_command *command, const struct expire_result *result)
{
	if (command->json != NULL) {
		say_json(json_pack("{s:O,s:I,s:I,s:I,s:I,s:b}", "items", command->json, "removed",
			(json_int_t)(command->dry_run ? 0 : result->removed), "announced",
			(json_int_t)(command->dry_run ? 0 : result->announced), "waiting",
			(json_int_t)result->waiting, "failed", (json_int_t)result->failed,
			"dry_run", command->dry_run));
		return;
	}
	printf("%zu item%s %s\n", result->removed, result->removed == 1 ? "" : "s",
		command->dry_run ? "would be removed" : "removed");
	if (result->waiting > 0)
		printf("%zu more will be, a day after the log named them (%zu %s)\n",
			result->waiting, result->announced, command->dry_run ? "not yet" : "now");
}

static int expire_with(
	struct desk *desk, struct expire_command *command, const struct expire_options *options)
{
	const struct list_filter filter = { .progress = desk_list_progress,
		.progress_context = (void *)"looked at" };
	struct expire_result result;
	struct err err = ERR_INIT;
	int code = command->dry_run || command->yes ? EXIT_DONE : ask(desk, command, options);

	if (code != EXIT_DONE)
		return code;
	if (expire_items(
		    &desk->directory, &filter, options, show_expiring, command, &result, &err) != 0)
		return tool_fail("%s", err.text);
	say_expired(command, &result);
	if (result.failed > 0)
		return tool_fail("%zu could not be removed", result.failed);
	return EXIT_DONE;
}

int quarantine_expire(struct tool *tool, int argc, char **argv)
{
	struct expire_command command = { .directory = NULL };
	const struct tool_option options[] = {
		{ "directory", TAKES_TEXT, &command.directory },
		{ "older-than", TAKES_TEXT, &command.older_than },
		{ "dry-run", TAKES_NOTHING, &command.dry_run },
		{ "now", TAKES_NOTHING, &command.now },
		{ "yes", TAKES_NOTHING, &command.yes },
		{ NULL, TAKES_NOTHING, NULL },
	};
	struct expire_options expire = { .now_s = time(NULL) };
	struct desk desk;
	int code;

	if (tool_options(tool, argc, argv, options) < argc)
		tool_usage(tool, "expire takes no operand; single items are removed by delete");
	if (command.older_than != NULL &&
		(!parse_age(command.older_than, &expire.keep_s) || expire.keep_s == 0))
		tool_usage(tool, "--older-than wants an age like 30d");
	code = desk_open(
		tool, &desk, command.directory, DIRECTORY_WRITE, command.older_than == NULL);
	if (code != EXIT_DONE)
		return code;
	if (command.older_than == NULL) {
		expire.keep_of = keeping_time;
		expire.context = desk.settings;
	}
	expire.by = desk.reviewer;
	expire.dry_run = command.dry_run;
	expire.notice_s = command.now ? 0 : EXPIRE_NOTICE_S;
	command.json = tool_report(tool);
	code = expire_with(&desk, &command, &expire);
	json_decref(command.json);
	desk_close(&desk);
	return code;
}

struct verify_tally {
	size_t good, bad;
	json_t *json;
};

static void verify_entry(
	const struct desk *desk, const struct catalogue_entry *entry, struct verify_tally *tally)
{
	struct stored stored;
	struct err err = ERR_INIT;
	enum stored_result result = stored_open(&desk->directory, entry, &stored, &err);

	if (result == STORED_GOOD)
		result = stored_verify(&stored, &err);
	stored_close(&stored);
	if (result == STORED_GOOD || result == STORED_GONE) {
		tally->good += result == STORED_GOOD;
		return;
	}
	tally->bad++;
	if (tally->json != NULL) {
		json_array_append_new(tally->json,
			json_pack("{s:s,s:o}", "id", entry->id, "trouble", json_text(err.text)));
		return;
	}
	printf("%s ", entry->id);
	say_untrusted(err.text);
	putchar('\n');
}

static int verify_all(const struct tool *tool, const struct desk *desk,
	const struct catalogue *catalogue, int argc, char **argv)
{
	struct verify_tally tally = { .json = tool_report(tool) };
	size_t total = argc > 0 ? (size_t)argc : catalogue->count;
	size_t missing = 0;

	for (size_t i = 0; i < total; i++) {
		struct err err = ERR_INIT;
		const struct catalogue_entry *entry = argc == 0 ?
			&catalogue->entries[i] :
			catalogue_find(catalogue, argv[i], &err);

		if (entry != NULL) {
			verify_entry(desk, entry, &tally);
		} else {
			tool_fail("%s", err.text);
			missing++;
		}
		desk_progress("verified", i + 1, total);
	}
	if (tally.json != NULL)
		say_json(json_pack("{s:I,s:o,s:I}", "good", (json_int_t)tally.good, "damaged",
			tally.json, "strange_names", (json_int_t)catalogue->strange));
	else
		printf("%zu good, %zu damaged\n", tally.good, tally.bad);
	if (catalogue->strange > 0)
		tool_fail("%zu other files lie in new and cur", catalogue->strange);
	return tally.bad > 0 || missing > 0 ? EXIT_REFUSED : EXIT_DONE;
}

int quarantine_verify(struct tool *tool, int argc, char **argv)
{
	const char *directory = NULL;
	const struct tool_option options[] = {
		{ "directory", TAKES_TEXT, &directory },
		{ NULL, TAKES_NOTHING, NULL },
	};
	int first = tool_options(tool, argc, argv, options), code;
	struct catalogue catalogue;
	struct err err = ERR_INIT;
	struct desk desk;

	code = desk_open(tool, &desk, directory, DIRECTORY_READ, false);
	if (code != EXIT_DONE)
		return code;
	if (catalogue_read(&desk.directory, &catalogue, &err) != 0) {
		code = tool_fail("%s", err.text);
	} else {
		code = verify_all(tool, &desk, &catalogue, argc - first, argv + first);
		catalogue_free(&catalogue);
	}
	desk_close(&desk);
	return code;
}
