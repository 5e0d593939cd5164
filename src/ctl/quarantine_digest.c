/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine digest: who would be told what, and telling them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "ctl/quarantine.h"
#include "judge/keeping.h"
#include "quarantine/courier.h"
#include "quarantine/digest_record.h"
#include "quarantine/digest_run.h"
#include "quarantine/expire.h"

/* Patience with each step of the mail server's dialogue. */
#define STEP_TIMEOUT_MS (60 * INT64_C(1000))

struct digest_command {
	const char *directory, *to, *from, *route;
	bool send, again;
};

/* Rows of a mail are encoded for terminals already; its line ends are not ours. */
static void say_rows(const struct buf *rows)
{
	for (const char *at = buf_text(rows); *at != '\0'; at++)
		if (*at != '\r')
			putchar(*at);
}

/* What would be sent, to everybody or to one. */
static int preview(const struct tool *tool, const struct desk *desk,
	const struct digest_command *command, struct digest_options *options)
{
	json_t *json = json_array();
	struct digest_set set;
	struct err err = ERR_INIT;

	options->until_s = time(NULL);
	options->since_s = command->to != NULL ? 0 : digest_reported(&desk->directory);
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
			say_rows(&mail->text);
	}
	digest_set_free(&set);
	if (tool->json)
		say_json(json);
	else
		json_decref(json);
	return EXIT_DONE;
}

/* Periods are local days: a timer goes by those, also when summer time begins. */
static struct digest_period present_period(bool again)
{
	struct digest_period period = { .now_s = time(NULL), .again = again };
	time_t now = (time_t)period.now_s;
	struct tm parts = { 0 };

	(void)localtime_r(&now, &parts);
	period.number = (period.now_s + parts.tm_gmtoff) / DIGEST_PERIOD_S;
	return period;
}

static void say_sent(const struct tool *tool, const struct digest_result *result)
{
	if (tool->json)
		say_json(json_pack("{s:I,s:I,s:I,s:I}", "sent", (json_int_t)result->sent, "refused",
			(json_int_t)result->refused, "deferred", (json_int_t)result->deferred,
			"before", (json_int_t)result->before));
	else
		printf("%zu sent, %zu refused, %zu deferred, %zu had theirs\n", result->sent,
			result->refused, result->deferred, result->before);
}

static int send_digests(const struct tool *tool, const struct desk *desk,
	const struct digest_command *command, const struct digest_options *options)
{
	const struct digest_period period = present_period(command->again);
	const char *route =
		command->route != NULL ? command->route : desk->settings->quarantine.release;
	struct digest_result result;
	struct err err = ERR_INIT;
	struct courier *courier = courier_open(route, STEP_TIMEOUT_MS, &err);
	int done;

	if (courier == NULL)
		return tool_fail("%s", err.text);
	done = digest_run(&desk->directory, options, &period, courier, &result, &err);
	courier_close(&courier);
	say_sent(tool, &result);
	if (done != 0 || result.deferred > 0)
		tool_fail("%s", err.text);
	if (done != 0 && !result.busy)
		return EXIT_REFUSED;
	return result.busy || result.deferred > 0 ? EXIT_TRY_AGAIN : EXIT_DONE;
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
	struct expire_options expire = { .keep_of = keeping_time, .now_s = time(NULL) };
	struct digest_options digest = { .expire = &expire, .contact_of = keeping_contact };
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
	expire.context = digest.context = desk.settings;
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
