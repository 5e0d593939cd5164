/* SPDX-License-Identifier: BSD-2-Clause */
/* score: the real scorers and policy on message files. Changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "ctl/message_file.h"
#include "ctl/score_report.h"
#include "ctl/tool.h"
#include "judge/judge.h"

/* How long host names of servers may take to be looked up and probed before mail is scored. */
#define READY_MS 3000

#define HOST_NAME_SIZE 256

/* The facts that a mail server would have told. NULL: not given. */
struct facts {
	const char *from;
	struct strlist to;
	const char *client;
	const char *helo;
	const char *name;
	const char *login;
	const char *queue_id;
	bool exit_code;
};

struct scoring {
	const struct tool *tool;
	const struct facts *facts;
	struct pool *pool;
	json_t *reports;
};

/* Who connected. Without --client nobody did: the mail is taken for a local submission. */
static bool set_client(struct transaction *mail, const struct facts *facts)
{
	struct sockaddr_storage address;
	char host[HOST_NAME_SIZE] = "";

	(void)gethostname(host, sizeof(host) - 1);
	if (facts->client != NULL && address_parse_ip(facts->client, &address))
		transaction_connect(mail, facts->name, (struct sockaddr *)&address);
	else
		transaction_connect(mail, facts->name, NULL);
	return fact_set(&mail->client.helo, facts->helo) &&
		fact_set(&mail->client.server_name, host) && !mail->out_of_memory;
}

/* From whom to whom. Without --to the message goes to one recipient that no section names. */
static bool set_envelope(struct transaction *mail, const struct facts *facts)
{
	struct envelope *envelope = &mail->envelope;
	char *argv[] = { (char *)facts->from, NULL };

	if (facts->from != NULL && !envelope_set_sender(envelope, argv))
		return false;
	for (size_t i = 0; i < facts->to.count; i++)
		if (!envelope_add_recipient(envelope, facts->to.items[i]))
			return false;
	if (facts->to.count == 0 && !envelope_add_recipient(envelope, ""))
		return false;
	return fact_set(&envelope->auth_login, facts->login) &&
		fact_set(&envelope->queue_id, facts->queue_id);
}

static int read_message(const char *path, struct message *message, struct err *err)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	int result;

	if (file == NULL)
		return err_set_errno(err, errno, "cannot be opened");
	result = message_file_read(file, message, err);
	if (file != stdin)
		fclose(file);
	return result;
}

/* The exit code that an outcome stands for. */
static int code_of(const struct judgement *judgement, const struct facts *facts)
{
	enum verdict_status status = judgement->action.verdict->status;

	if (status != VERDICT_SCORED && status != VERDICT_NONE)
		return EXIT_TRY_AGAIN;
	if (!facts->exit_code)
		return EXIT_DONE;
	for (size_t i = 0; i < judgement->policy_count; i++)
		if (outcome_withholds(judgement->outcomes[i]))
			return EXIT_REFUSED;
	return EXIT_DONE;
}

static int judge_and_report(struct scoring *scoring, const char *path, struct transaction *mail)
{
	struct judge_input input = { .mail = mail,
		.deadline = deadline_after_ms(mail->settings->deadline_ms) };
	struct judgement judgement;
	int code;

	message_seal(mail->message);
	judge(&input, &judgement);
	if (scoring->reports != NULL)
		json_array_append_new(scoring->reports, score_report_json(path, &judgement, mail));
	else
		score_report_print(path, &judgement, mail);
	code = code_of(&judgement, scoring->facts);
	judgement_free(&judgement);
	return code;
}

static int score_file(struct scoring *scoring, const char *path)
{
	struct transaction mail = { .pool = pool_ref(scoring->pool),
		.settings = pool_settings(scoring->pool) };
	struct err err = ERR_INIT;
	int code;

	if (!set_client(&mail, scoring->facts) || !set_envelope(&mail, scoring->facts))
		mail.out_of_memory = true;
	else
		transaction_begin(&mail);
	if (mail.out_of_memory || mail.message == NULL)
		code = tool_fail("out of memory");
	else if (read_message(path, mail.message, &err) != 0)
		code = tool_fail("%s: %s", path, err.text);
	else
		code = judge_and_report(scoring, path, &mail);
	transaction_free(&mail);
	return code;
}

/* Of two exit codes the one that says more: try again, refused, done. */
static int worse(int a, int b)
{
	return a > b ? a : b;
}

static int score_files(const struct tool *tool, const struct facts *facts, char **files)
{
	struct scoring scoring = { .tool = tool, .facts = facts };
	struct settings *settings = tool_settings(tool);
	struct err err = ERR_INIT;
	int code = EXIT_DONE;

	if (settings == NULL)
		return EXIT_REFUSED;
	scoring.pool = pool_new(settings, NULL, &err);
	settings_free(&settings);
	if (scoring.pool == NULL)
		return tool_fail("%s", err.text);
	pool_wait_ready(scoring.pool, deadline_after_ms(READY_MS));
	scoring.reports = tool_report(tool);
	for (char **file = files; *file != NULL; file++) {
		if (file != files && !tool->json)
			putchar('\n');
		code = worse(code, score_file(&scoring, *file));
	}
	if (tool->json)
		say_json(scoring.reports);
	pool_free(&scoring.pool);
	return code;
}

int command_score(struct tool *tool, int argc, char **argv)
{
	struct facts facts = { 0 };
	const struct tool_option options[] = {
		{ "from", TAKES_TEXT, &facts.from },
		{ "to", TAKES_LIST, &facts.to },
		{ "client", TAKES_TEXT, &facts.client },
		{ "helo", TAKES_TEXT, &facts.helo },
		{ "name", TAKES_TEXT, &facts.name },
		{ "login", TAKES_TEXT, &facts.login },
		{ "queue-id", TAKES_TEXT, &facts.queue_id },
		{ "exit-code", TAKES_NOTHING, &facts.exit_code },
		{ NULL, TAKES_NOTHING, NULL },
	};
	int first = tool_options(tool, argc, argv, options), code;
	struct sockaddr_storage address;

	if (first == argc)
		tool_usage(tool, "which message? Give a file, or - for standard input");
	if (facts.client != NULL && !address_parse_ip(facts.client, &address))
		tool_usage(
			tool, "--client wants an IPv4 or IPv6 address, not \"%s\"", facts.client);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return tool_fail("libcurl does not start");
	code = score_files(tool, &facts, argv + first);
	strlist_free(&facts.to);
	curl_global_cleanup();
	return code;
}
