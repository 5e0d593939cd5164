/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine expire, verify and digest: what an administrator or a timer does for all items. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "base/cleanup.h"
#include "ctl/quarantine.h"
#include "quarantine/courier.h"
#include "quarantine/digest_run.h"
#include "quarantine/expire.h"
#include "quarantine/release.h"

/* Patience with each step of the mail server's dialogue. */
#define STEP_TIMEOUT_MS (60 * INT64_C(1000))
#define DAY_S           86400

struct expire_command {
	const char *directory, *older_than;
	bool dry_run, yes;
	json_t *json; /* an array of what goes, or NULL */
};

static bool show_expiring(const struct list_line *line, void *context)
{
	const struct expire_command *command = context;
	char when[DAY_TIME_SIZE];

	if (command->json != NULL) {
		json_array_append_new(command->json,
			item_as_json(line->stored, line->result, line->review, NULL));
		return true;
	}
	printf("%s %s ", line->stored->item.id, day_time(line->stored->item.time_s, when));
	say_untrusted(line->stored->item.envelope.recipients.items[0]);
	putchar('\n');
	return true;
}

static int expire_with(
	struct desk *desk, struct expire_command *command, struct expire_options *options)
{
	struct expire_result result;
	struct err err = ERR_INIT;

	/* Whoever is asked has to know how many: count first. */
	if (!command->dry_run && !command->yes) {
		options->dry_run = true;
		if (expire_items(&desk->directory, options, NULL, NULL, &result, &err) != 0)
			return tool_fail("%s", err.text);
		options->dry_run = false;
		if (result.removed > 0 && !desk_confirm(false, "Remove", result.removed))
			return EXIT_REFUSED;
	}
	if (expire_items(&desk->directory, options, show_expiring, command, &result, &err) != 0)
		return tool_fail("%s", err.text);
	if (command->json != NULL)
		say_json(json_pack("{s:o,s:I,s:I,s:b}", "items", command->json, "removed",
			(json_int_t)(command->dry_run ? 0 : result.removed), "failed",
			(json_int_t)result.failed, "dry_run", command->dry_run));
	else
		printf("%zu item%s %s\n", result.removed, result.removed == 1 ? "" : "s",
			command->dry_run ? "would be removed" : "removed");
	if (result.failed > 0)
		return tool_fail("%zu could not be removed", result.failed);
	return EXIT_DONE;
}

int quarantine_expire(struct tool *tool, int argc, char **argv)
{
	struct expire_command command = { NULL, NULL, false, false, NULL };
	const struct tool_option options[] = {
		{ "directory", TAKES_TEXT, &command.directory },
		{ "older-than", TAKES_TEXT, &command.older_than },
		{ "dry-run", TAKES_NOTHING, &command.dry_run },
		{ "yes", TAKES_NOTHING, &command.yes },
		{ NULL, TAKES_NOTHING, NULL },
	};
	/* Somebody reads the list or has seen it: no notice has to be given. */
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
	if (command.older_than == NULL)
		expire.keep_s = desk.settings->quarantine.expire_ms / 1000;
	expire.by = desk.reviewer;
	expire.dry_run = command.dry_run;
	command.json = tool->json ? json_array() : NULL;
	code = expire_with(&desk, &command, &expire);
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
	struct verify_tally tally = { .json = tool->json ? json_array() : NULL };
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

struct digest_command {
	const char *directory, *to, *from, *route;
	bool send, again;
};

/* What would be sent, to everybody or to one. */
static int preview(const struct tool *tool, const struct desk *desk,
	const struct digest_command *command, struct digest_options *options)
{
	json_t *json = json_array();
	struct digest_set set;
	struct err err = ERR_INIT;

	options->until_s = time(NULL);
	options->since_s = command->to != NULL ? 0 : digest_last(&desk->directory);
	if (digest_collect(&desk->directory, options, &set, &err) != 0) {
		json_decref(json);
		return tool_fail("%s", err.text);
	}
	for (size_t i = 0; i < set.count; i++) {
		const struct digest_mail *mail = &set.mails[i];

		if (command->to != NULL && strcasecmp(command->to, mail->to) != 0)
			continue;
		json_array_append_new(json,
			json_pack("{s:o,s:I,s:o}", "to", json_text(mail->to), "items",
				(json_int_t)mail->items, "text", json_text(buf_text(&mail->text))));
		if (tool->json)
			continue;
		printf("%6zu  ", mail->items);
		say_untrusted(mail->to);
		putchar('\n');
		if (command->to != NULL)
			fputs(buf_text(&mail->text), stdout); /* encoded for terminals already */
	}
	digest_set_free(&set);
	if (tool->json)
		say_json(json);
	else
		json_decref(json);
	return EXIT_DONE;
}

static int send_digests(const struct tool *tool, const struct desk *desk,
	const struct digest_command *command, const struct digest_options *options)
{
	const char *route =
		command->route != NULL ? command->route : desk->settings->quarantine.release;
	struct digest_result result;
	struct err err = ERR_INIT;
	struct courier *courier = courier_open(route, STEP_TIMEOUT_MS, &err);
	/* --again: a period of its own, so what was sent today does not count. */
	int64_t period_s = command->again ? 1 : DAY_S;
	int done;

	if (courier == NULL)
		return tool_fail("%s", err.text);
	done = digest_run(&desk->directory, options, time(NULL), period_s, courier, &result, &err);
	courier_close(&courier);
	if (tool->json)
		say_json(json_pack("{s:I,s:I,s:I,s:I}", "sent", (json_int_t)result.sent, "refused",
			(json_int_t)result.refused, "deferred", (json_int_t)result.deferred,
			"before", (json_int_t)result.before));
	else
		printf("%zu sent, %zu refused, %zu deferred, %zu had theirs\n", result.sent,
			result.refused, result.deferred, result.before);
	if (done != 0)
		return tool_fail("%s", err.text);
	if (result.deferred > 0) {
		tool_fail("%s", err.text);
		return EXIT_TRY_AGAIN;
	}
	return EXIT_DONE;
}

int quarantine_digest(struct tool *tool, int argc, char **argv)
{
	struct digest_command command = { .directory = NULL };
	const struct tool_option options[] = {
		{ "directory", TAKES_TEXT, &command.directory },
		{ "to", TAKES_TEXT, &command.to },
		{ "from", TAKES_TEXT, &command.from },
		{ "route", TAKES_TEXT, &command.route },
		{ "send", TAKES_NOTHING, &command.send },
		{ "again", TAKES_NOTHING, &command.again },
		{ NULL, TAKES_NOTHING, NULL },
	};
	struct expire_options expire = { .now_s = time(NULL) };
	struct digest_options digest = { .expire = &expire };
	struct desk desk;
	int code;

	if (tool_options(tool, argc, argv, options) < argc)
		tool_usage(tool, "digest takes no operand; for one recipient give --to");
	if (command.to != NULL && command.send)
		tool_usage(tool, "--send goes to everybody; --to only shows");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	code = desk_open(tool, &desk, command.directory,
		command.send ? DIRECTORY_WRITE : DIRECTORY_READ, true);
	if (code != EXIT_DONE)
		return code;
	expire.keep_s = desk.settings->quarantine.expire_ms / 1000;
	digest.from = command.from != NULL ? command.from : desk.settings->quarantine.digest_from;
	if (!command.send)
		code = preview(tool, &desk, &command, &digest);
	else if (digest.from == NULL || digest.from[0] == '\0')
		code = tool_fail("digest_from is not set: whom should people answer to?");
	else
		code = send_digests(tool, &desk, &command, &digest);
	desk_close(&desk);
	return code;
}
