/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine learn, and learning on release and deletion. */
#include "ctl/quarantine_learn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ctl/message_file.h"
#include "judge/users.h"
#include "policy/user.h"
#include "quarantine/address.h"
#include "quarantine/audit.h"
#include "scorer/pool.h"
#include "scorer/scan.h"

/* How long names of servers may take to be looked up before the first message. */
#define READY_MS 3000
/* Learning writes to a database that others write to as well. */
#define LEARN_TIMEOUT_MS 60000

/* One pool for all items of a command: a tool is one thread and does one command. */
static struct pool *pool;

void learn_end(void)
{
	pool_free(&pool);
}

static int need_pool(const struct desk *desk, struct err *err)
{
	if (pool != NULL)
		return 0;
	if (desk->settings->scorer_count == 0)
		return err_set(err, "no scorer is configured");
	pool = pool_new_to_learn(desk->settings, err);
	if (pool == NULL)
		return -1;
	pool_wait_ready(pool, deadline_after_ms(READY_MS));
	return 0;
}

/* The item's message as the daemon had it. NULL with the reason. */
static struct message *load(const struct stored *stored, struct err *err)
{
	struct message_limits limits = { SIZE_MAX, SIZE_MAX / 2, "/tmp" };
	AUTO(string_free) char *bytes = malloc(stored->item.length + 1);
	struct message *message = message_new(&limits);
	FILE *file = NULL;

	if (bytes != NULL && message != NULL &&
		stored_read(stored, 0, bytes, stored->item.length) == (long)stored->item.length)
		file = fmemopen(bytes, stored->item.length, "r");
	if (file == NULL)
		err_set(err, "cannot read it");
	if (file == NULL || message_file_read(file, message, err) != 0)
		message_free(&message);
	else
		message_seal(message);
	if (file != NULL)
		fclose(file);
	return message;
}

/* Teach what one question asks; `whole` is its request without a user. */
static int teach(const struct users *users, const struct scan_request *whole, struct err *err)
{
	const struct scan scan = { .pool = pool, .deadline = deadline_after_ms(LEARN_TIMEOUT_MS) };
	struct scan_question questions[LIMIT_SCORE_USERS];
	struct verdict verdicts[LIMIT_SCORE_USERS];
	size_t count = 0;
	int result = 0;

	for (; count < users->names.count; count++) {
		verdict_init(&verdicts[count]);
		questions[count] = (struct scan_question){ .request = scan_request_for_user(whole,
								   users->names.items[count]),
			.verdict = &verdicts[count] };
		if (questions[count].request == NULL)
			break;
	}
	if (count < users->names.count)
		result = err_set(err, "out of memory");
	else
		scan_run(&scan, questions, count);
	while (count > 0) {
		struct scan_question *question = &questions[--count];
		struct verdict *verdict = question->verdict;

		if (result == 0 && verdict->status != VERDICT_SCORED)
			result = err_set(err, "%s",
				verdict->err.text[0] == '\0' ?
					verdict_status_name(verdict->status) :
					verdict->err.text);
		verdict_free(verdict);
		scan_request_free(&question->request);
	}
	return result;
}

/* Every user as whom it would be scored learns it. */
static int ask(struct desk *desk, const struct stored *stored, struct message *message,
	enum learn_as as, struct err *err)
{
	const struct item *item = &stored->item;
	const struct scan_request_options options = { desk->settings->max_scan_size,
		(time_t)item->time_s, false, (enum scan_purpose)as };
	struct scan_request *request =
		scan_request_new(&item->client, &item->envelope, message, &options);
	/* Mail of our own senders is scored for nobody in particular. */
	const struct scorer_setting *scorer =
		item->reason != NULL && strcmp(item->reason, "outbound") == 0 ?
		NULL :
		policy_user_scorer(desk->settings);
	struct users users = { 0 };
	int result;

	if (request == NULL ||
		!users_build(&users, desk->settings, scorer, &item->envelope.recipients, NULL))
		result = err_set(err, "out of memory");
	else if (scan_request_truncated(request))
		result = err_set(err, "it is larger than max_scan_size");
	else
		result = teach(&users, request, err);
	users_free(&users);
	scan_request_free(&request);
	return result;
}

int learn_item(struct desk *desk, const struct stored *stored, enum learn_as as, struct err *err)
{
	struct message *message;
	int result;

	if (stored->item.length > desk->settings->max_scan_size)
		return err_set(err, "it is larger than max_scan_size");
	if (stored_verify(stored, err) != STORED_GOOD || need_pool(desk, err) != 0)
		return -1;
	message = load(stored, err);
	if (message == NULL)
		return -1;
	result = ask(desk, stored, message, as, err);
	message_free(&message);
	if (result == 0)
		audit_decision(stored, as == LEARN_HAM ? "learn-ham" : "learn-spam", "*",
			desk->reviewer, "learnt", "");
	return result;
}

static bool learn_one(struct desk *desk, const struct catalogue *catalogue, const char *prefix,
	enum learn_as as, json_t *json)
{
	struct stored stored;
	struct err err = ERR_INIT;
	enum stored_result result = desk_item(desk, catalogue, prefix, &stored);
	bool good = result == STORED_GOOD && learn_item(desk, &stored, as, &err) == 0;

	if (result == STORED_GOOD && !good)
		tool_fail("%s: %s", stored.item.id, err.text);
	if (json != NULL)
		json_array_append_new(json,
			json_pack("{s:o,s:b,s:o}", "id", json_text(prefix), "learnt", good,
				"reason", good ? json_null() : json_text(err.text)));
	else if (good)
		printf("%s learnt as %s\n", stored.item.id, as == LEARN_HAM ? "ham" : "spam");
	if (result == STORED_GOOD || result == STORED_DAMAGED)
		stored_close(&stored);
	return good;
}

int quarantine_learn(struct tool *tool, int argc, char **argv)
{
	const char *directory = NULL;
	bool ham = false, spam = false, yes = false;
	const struct tool_option options[] = {
		{ "directory", TAKES_TEXT, &directory },
		{ "ham", TAKES_NOTHING, &ham },
		{ "spam", TAKES_NOTHING, &spam },
		{ "yes", TAKES_NOTHING, &yes },
		{ NULL, TAKES_NOTHING, NULL },
	};
	int first = desk_ids(tool, argc, argv, options, &yes, "Learn"), code;
	json_t *json = NULL;
	struct catalogue catalogue = { 0 };
	struct err err = ERR_INIT;
	struct desk desk;

	if (ham == spam)
		tool_usage(tool, "learn as what? Give --ham or --spam");
	if (first < 0)
		return EXIT_REFUSED;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	code = desk_open(tool, &desk, directory, DIRECTORY_READ, true);
	if (code != EXIT_DONE)
		return code;
	json = tool_report(tool);
	if (catalogue_read(&desk.directory, &catalogue, &err) != 0)
		code = tool_fail("%s", err.text);
	for (int i = first; i < argc && catalogue.count > 0; i++) {
		if (!learn_one(&desk, &catalogue, argv[i], ham ? LEARN_HAM : LEARN_SPAM, json))
			code = EXIT_REFUSED;
		desk_progress("learnt", (size_t)(i - first + 1), (size_t)(argc - first));
	}
	if (catalogue.count == 0 && code == EXIT_DONE)
		code = tool_fail("the quarantine is empty");
	if (json != NULL)
		say_json(json);
	learn_end();
	catalogue_free(&catalogue);
	desk_close(&desk);
	return code;
}
