/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine release and delete: decisions about items, each claimed, noted and logged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "ctl/quarantine.h"
#include "ctl/quarantine_learn.h"
#include "quarantine/audit.h"
#include "quarantine/courier.h"
#include "quarantine/release.h"

/* Patience with each step of the mail server's dialogue (RFC 5321 4.5.3.2: five minutes). */
#define STEP_TIMEOUT_MS (300 * INT64_C(1000))

struct decision {
	const char *directory, *route;
	struct strlist to;
	bool again, learn, no_mark, yes;
};

/* One of the two commands. */
struct verb {
	const char *question;
	const struct tool_option *own; /* options that the other one has not */
	int (*run)(struct tool *tool, struct desk *desk, int argc, char **argv,
		const struct decision *decision);
};

/* What became of all items of one command. */
struct tally {
	size_t done, failed, try_again;
	json_t *json; /* an array, or NULL */
};

static int exit_of(const struct tally *tally)
{
	if (tally->failed > 0)
		return EXIT_REFUSED;
	return tally->try_again > 0 ? EXIT_TRY_AGAIN : EXIT_DONE;
}

static void note_json(struct tally *tally, const char *id, const char *result, const char *why,
	const struct stored *stored, const struct review *review)
{
	json_t *json;

	if (tally->json == NULL)
		return;
	json = json_pack("{s:s,s:s,s:o}", "id", id, "result", result, "reason",
		why == NULL || why[0] == '\0' ? json_null() : json_text(why));
	if (review != NULL) {
		json_t *item = item_as_json(stored, STORED_GOOD, review, NULL);

		json_object_set(json, "states", json_object_get(item, "states"));
		json_decref(item);
	}
	json_array_append_new(tally->json, json);
}

/* Something of our own went wrong with an item. */
static void note_failure(
	struct tally *tally, const char *id, enum stored_result result, const char *why)
{
	tool_fail("%s: %s", id, why);
	if (result == STORED_TAKEN)
		tally->try_again++;
	else
		tally->failed++;
	note_json(tally, id, result == STORED_TAKEN ? "taken" : "failed", why, NULL, NULL);
}

static void say_result(const struct stored *stored, const struct release_result *result)
{
	for (size_t i = 0; i < result->review.count; i++) {
		const struct review_line *line = &result->review.lines[i];

		printf("%s %-8s ", stored->item.id, recipient_state_name(line->state));
		say_untrusted(stored->item.envelope.recipients.items[i]);
		if (line->note != NULL && line->note[0] != '\0') {
			fputs("  ", stdout);
			say_untrusted(line->note);
		}
		putchar('\n');
	}
}

static const char *word_of(const struct release_result *result)
{
	if (result->removed)
		return "released";
	if (result->refused > 0)
		return "refused";
	if (result->unsure > 0)
		return "unsure";
	return result->deferred > 0 ? "deferred" : "partly released";
}

static void release_claimed(struct desk *desk, const struct stored *stored,
	const struct decision *decision, const struct release_options *options, struct tally *tally)
{
	struct release_result result;
	struct err err = ERR_INIT;

	if (decision->learn && learn_item(desk, stored, LEARN_HAM, &err) != 0) {
		/* The mail goes out all the same: somebody waits for it. */
		tool_fail("%s: not learnt: %s", stored->item.id, err.text);
		err.text[0] = '\0';
	}
	if (release_item(&desk->directory, stored, options, &result, &err) != 0) {
		note_failure(tally, stored->item.id, STORED_FAILED, err.text);
		return;
	}
	if (err.text[0] != '\0')
		tool_fail("%s: %s", stored->item.id, err.text);
	if (result.refused > 0 || err.text[0] != '\0')
		tally->failed++;
	else if (result.deferred + result.unsure > 0)
		tally->try_again++;
	else
		tally->done++;
	if (tally->json == NULL)
		say_result(stored, &result);
	note_json(tally, stored->item.id, word_of(&result), err.text, stored, &result.review);
	review_free(&result.review);
}

static void release_one(struct desk *desk, const struct catalogue *catalogue, const char *prefix,
	const struct decision *decision, const struct release_options *options, struct tally *tally)
{
	struct stored stored;
	struct err err = ERR_INIT;
	enum stored_result result = desk_item(desk, catalogue, prefix, &stored);

	if (result != STORED_GOOD) {
		tally->failed++;
		note_json(tally, prefix, "failed", "not there, damaged or ambiguous", NULL, NULL);
		if (result == STORED_DAMAGED)
			stored_close(&stored);
		return;
	}
	result = stored_claim(&stored, &err);
	if (result == STORED_GOOD)
		release_claimed(desk, &stored, decision, options, tally);
	else
		note_failure(tally, stored.item.id, result, err.text);
	stored_close(&stored);
}

/* All ids of a command line; the progress is that of long work. */
static int for_each(struct tool *tool, struct desk *desk, int argc, char **argv,
	const struct decision *decision, const struct release_options *options,
	void (*act)(struct desk *, const struct catalogue *, const char *, const struct decision *,
		const struct release_options *, struct tally *))
{
	struct tally tally = { .json = tool_report(tool) };
	struct catalogue catalogue;
	struct err err = ERR_INIT;

	if (catalogue_read(&desk->directory, &catalogue, &err) != 0)
		return tool_fail("%s", err.text);
	for (int i = 0; i < argc; i++) {
		desk_progress_hide();
		act(desk, &catalogue, argv[i], decision, options, &tally);
		fflush(stdout);
		desk_progress("done", (size_t)i + 1, (size_t)argc);
	}
	if (tally.json != NULL)
		say_json(tally.json);
	catalogue_free(&catalogue);
	return exit_of(&tally);
}

static const char *route_of(const struct desk *desk, const struct decision *decision)
{
	if (decision->route != NULL)
		return decision->route;
	return desk->settings == NULL ? "sendmail" : desk->settings->quarantine.release;
}

static int release_with(struct tool *tool, struct desk *desk, int argc, char **argv,
	const struct decision *decision)
{
	struct release_options options = { .to = decision->to.count > 0 ? &decision->to : NULL,
		.again = decision->again,
		.by = desk->reviewer };
	struct release_key key;
	struct err err = ERR_INIT;
	int code;

	if (!decision->no_mark) {
		if (release_key_read(&desk->directory, true, &key, &err) != 0)
			return tool_fail("%s", err.text);
		options.key = &key;
	}
	options.courier = courier_open(route_of(desk, decision), STEP_TIMEOUT_MS, &err);
	if (options.courier == NULL)
		return tool_fail("%s", err.text);
	code = for_each(tool, desk, argc, argv, decision, &options, release_one);
	courier_close(&options.courier);
	return code;
}

/* Damaged items can be deleted as well: there is nothing else to do with them. */
static void delete_open(struct desk *desk, struct stored *stored, const struct decision *decision,
	struct tally *tally)
{
	struct err err = ERR_INIT;
	enum stored_result result = stored_claim(stored, &err);

	if (result == STORED_GOOD && decision->learn &&
		learn_item(desk, stored, LEARN_SPAM, &err) != 0)
		result = STORED_FAILED; /* unlearnt and deleted could not be made good again */
	if (result == STORED_GOOD && stored_remove(&desk->directory, stored, &err) != 0)
		result = STORED_FAILED;
	if (result != STORED_GOOD) {
		note_failure(tally, stored->entry.id, result, err.text);
		return;
	}
	audit_decision(stored, "delete", stored->sound ? "*" : "", desk->reviewer, "deleted", "");
	tally->done++;
	if (tally->json == NULL)
		printf("%s deleted\n", stored->entry.id);
	note_json(tally, stored->entry.id, "deleted", NULL, NULL, NULL);
}

static void delete_one(struct desk *desk, const struct catalogue *catalogue, const char *prefix,
	const struct decision *decision, const struct release_options *options, struct tally *tally)
{
	struct stored stored;
	enum stored_result result = desk_item(desk, catalogue, prefix, &stored);

	(void)options;
	if (result == STORED_GOOD || result == STORED_DAMAGED) {
		delete_open(desk, &stored, decision, tally);
		stored_close(&stored);
		return;
	}
	tally->failed++;
	note_json(tally, prefix, "failed", "not there or ambiguous", NULL, NULL);
}

static int delete_with(struct tool *tool, struct desk *desk, int argc, char **argv,
	const struct decision *decision)
{
	return for_each(tool, desk, argc, argv, decision, NULL, delete_one);
}

/* What both commands begin and end with. */
static int decide(struct tool *tool, int argc, char **argv, struct decision *decision,
	const struct verb *verb)
{
	struct tool_option options[TOOL_OPTIONS_MAX] = {
		{ "directory", TAKES_TEXT, &decision->directory },
		{ "yes", TAKES_NOTHING, &decision->yes },
	};
	struct desk desk;
	int first, code;

	for (size_t i = 0; verb->own[i].name != NULL; i++)
		options[2 + i] = verb->own[i];
	first = desk_ids(tool, argc, argv, options, &decision->yes, verb->question);
	if (first < 0)
		return EXIT_REFUSED;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	code = desk_open(tool, &desk, decision->directory, DIRECTORY_WRITE, decision->learn);
	if (code == EXIT_DONE) {
		code = verb->run(tool, &desk, argc - first, argv + first, decision);
		desk_close(&desk);
	}
	learn_end();
	strlist_free(&decision->to);
	return code;
}

int quarantine_release(struct tool *tool, int argc, char **argv)
{
	struct decision decision = { .directory = NULL };
	const struct tool_option own[] = {
		{ "route", TAKES_TEXT, &decision.route },
		{ "to", TAKES_LIST, &decision.to },
		{ "again", TAKES_NOTHING, &decision.again },
		{ "learn-ham", TAKES_NOTHING, &decision.learn },
		{ "no-mark", TAKES_NOTHING, &decision.no_mark },
		{ NULL, TAKES_NOTHING, NULL },
	};
	const struct verb verb = { "Release", own, release_with };

	return decide(tool, argc, argv, &decision, &verb);
}

int quarantine_delete(struct tool *tool, int argc, char **argv)
{
	struct decision decision = { .directory = NULL };
	const struct tool_option own[] = {
		{ "learn-spam", TAKES_NOTHING, &decision.learn },
		{ NULL, TAKES_NOTHING, NULL },
	};
	const struct verb verb = { "Delete", own, delete_with };

	return decide(tool, argc, argv, &decision, &verb);
}
