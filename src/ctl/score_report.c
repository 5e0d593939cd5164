/* SPDX-License-Identifier: BSD-2-Clause */
/* What would happen to a message, and why. */
#include "ctl/score_report.h"

#include <stdio.h>
#include <string.h>

#include "base/score.h"
#include "ctl/tool.h"

/* Room for what is shown in one row, bytes. */
#define ROW_SIZE (64 * 1024)

/* What would be put before the subject; NULL: nothing. */
static const char *subject_tag(const struct judgement *judgement)
{
	const char *tag = judgement->subject_tag;

	return tag == NULL || tag[0] == '\0' ? NULL : tag;
}

static const char *threshold_text(int32_t milli, char *text)
{
	return milli == THRESHOLD_OFF ? "off" : score_format(milli, 0, text);
}

static void print_row(const char *label, struct buf *row)
{
	say_row(label, buf_text(row));
	buf_clear(row);
}

static void print_verdict(const struct verdict *verdict, struct buf *row)
{
	char text[SCORE_TEXT_SIZE];

	say_row("verdict", verdict_status_name(verdict->status));
	if (verdict->err.text[0] != '\0')
		say_row("why", verdict->err.text);
	if (verdict->scorer != NULL) {
		buf_printf(row, "%s at %s, %lld ms", verdict->scorer,
			verdict->server == NULL ? "-" : verdict->server,
			(long long)(verdict->scan_us / 1000));
		print_row("scorer", row);
	}
	if (verdict->status != VERDICT_SCORED)
		return;
	say_row("score", score_format(verdict->score, 0, text));
	if (verdict->has_required)
		say_row("its own limit", score_format(verdict->required, 0, text));
	if (verdict->truncated)
		say_row("partial", "only the head of the message was scored");
}

static void print_tests(const struct verdict *verdict, struct buf *row)
{
	char text[SCORE_TEXT_SIZE];

	for (size_t i = 0; i < verdict->test_count; i++) {
		buf_puts(row, verdict->tests[i].name);
		if (verdict->tests[i].has_score)
			buf_printf(row, " %s", score_format(verdict->tests[i].score, 0, text));
		put_aside(row, &verdict->tests[i].options);
		print_row(i == 0 ? "tests" : "", row);
	}
}

/* A recipient's own score, or why there is none, where not all have the same. */
static void put_own_score(struct buf *row, const struct judgement *judgement, size_t recipient)
{
	const struct verdict *verdict = judgement_verdict(judgement, recipient);
	char text[SCORE_TEXT_SIZE];

	if (judgement->verdict_count > 1)
		buf_printf(row, "%s, ",
			verdict->status == VERDICT_SCORED ? score_format(verdict->score, 0, text) :
							    verdict_status_name(verdict->status));
}

static void print_recipients(
	const struct judgement *judgement, const struct transaction *mail, struct buf *row)
{
	for (size_t i = 0; i < judgement->policy_count; i++) {
		const struct policy_fields *policy = &judgement->policies[i];
		const char *address = mail->envelope.recipients.items[i];
		char tag[SCORE_TEXT_SIZE], defer[SCORE_TEXT_SIZE], quarantine[SCORE_TEXT_SIZE];
		char reject[SCORE_TEXT_SIZE];

		buf_printf(row, "%s: ", address[0] == '\0' ? "anybody" : address);
		put_own_score(row, judgement, i);
		buf_printf(row, "%s (tag %s, defer %s, quarantine %s, reject %s)",
			outcome_word(judgement->outcomes[i]), threshold_text(policy->tag, tag),
			threshold_text(policy->defer, defer),
			threshold_text(policy->quarantine, quarantine),
			threshold_text(policy->reject, reject));
		print_row(i == 0 ? "recipients" : "", row);
	}
}

/* Whose copies would go to the quarantine, refused ones that are kept included. */
static void print_held(const struct judgement *judgement)
{
	for (size_t i = 0; i < judgement->held.count; i++)
		say_row(i == 0 ? "would hold for" : "", judgement->held.items[i]);
}

/* A field in one line: folds as a blank. */
static void put_field(struct buf *row, const char *name, const char *value)
{
	buf_printf(row, "%s:", name);
	for (; *value != '\0'; value++)
		if (*value != '\n')
			buf_putc(row, *value == '\t' ? ' ' : *value);
}

static void print_edits(
	const struct judgement *judgement, const struct transaction *mail, struct buf *row)
{
	const struct header_list *list = message_headers(mail->message);

	for (size_t i = judgement->removal_count; i > 0; i--) {
		size_t index = judgement->removals[i - 1].index;

		put_field(row, headers_name(list, index), headers_value(list, index));
		print_row(i == judgement->removal_count ? "would remove" : "", row);
	}
	for (size_t i = 0; i < judgement->additions.count; i++) {
		put_field(row, headers_name(&judgement->additions, i),
			headers_value(&judgement->additions, i));
		print_row(i == 0 ? "would add" : "", row);
	}
}

void score_report_print(
	const char *file, const struct judgement *judgement, const struct transaction *mail)
{
	const char *code = judgement->action.code;
	struct buf row;

	buf_init(&row, ROW_SIZE);
	say_row("message", file);
	say_row("action", action_word(&judgement->action));
	if (judgement->action.would != NULL)
		say_row("would be", judgement->action.would);
	say_row("reason", judgement->reason);
	print_verdict(judgement->action.verdict, &row);
	print_tests(judgement->action.verdict, &row);
	print_recipients(judgement, mail, &row);
	print_held(judgement);
	for (size_t i = 0; i < judgement->added.count; i++)
		say_row(i == 0 ? "would send to" : "", judgement->added.items[i]);
	print_edits(judgement, mail, &row);
	if (subject_tag(judgement) != NULL)
		say_row("subject tag", subject_tag(judgement));
	if (code != NULL) {
		buf_printf(&row, "%s %s", code, judgement->reply);
		print_row("reply", &row);
	}
	buf_free(&row);
}

static json_t *tests_json(const struct verdict *verdict)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < verdict->test_count; i++) {
		const struct verdict_test *test = &verdict->tests[i];
		json_t *one = json_pack("{s:o, s:o}", "name", json_text(test->name), "score",
			test->has_score ? json_score(test->score) : json_null());

		if (test->options.count > 0)
			json_object_set_new(one, "options", json_texts(&test->options));
		json_array_append_new(tests, one);
	}
	return tests;
}

/* The user of the scorer whose preferences counted for a recipient; null: nobody's. */
static json_t *user_json(const struct judgement *judgement, size_t recipient)
{
	const struct users *users = &judgement->users;
	const char *name = users->of == NULL ? "" : users->names.items[users->of[recipient]];

	return name[0] == '\0' ? json_null() : json_text(name);
}

static json_t *recipients_json(const struct judgement *judgement, const struct transaction *mail)
{
	json_t *recipients = json_array();

	for (size_t i = 0; i < judgement->policy_count; i++) {
		const struct policy_fields *policy = &judgement->policies[i];
		const struct verdict *verdict = judgement_verdict(judgement, i);

		json_array_append_new(recipients,
			json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "address",
				json_text(mail->envelope.recipients.items[i]), "outcome",
				outcome_word(judgement->outcomes[i]), "user",
				user_json(judgement, i), "status",
				verdict_status_name(verdict->status), "score",
				verdict->status == VERDICT_SCORED ? json_score(verdict->score) :
								    json_null(),
				"tag", json_score(policy->tag), "defer", json_score(policy->defer),
				"quarantine", json_score(policy->quarantine), "reject",
				json_score(policy->reject)));
	}
	return recipients;
}

static json_t *field_json(const struct header_list *list, size_t index)
{
	return json_pack("{s:o, s:o}", "name", json_text(headers_name(list, index)), "value",
		json_text(headers_value(list, index)));
}

static json_t *removals_json(const struct judgement *judgement, const struct transaction *mail)
{
	json_t *removals = json_array();

	for (size_t i = judgement->removal_count; i > 0; i--)
		json_array_append_new(removals,
			field_json(
				message_headers(mail->message), judgement->removals[i - 1].index));
	return removals;
}

static json_t *additions_json(const struct header_list *list)
{
	json_t *additions = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(additions, field_json(list, i));
	return additions;
}

static json_t *reply_json(const struct judgement *judgement)
{
	const char *code = judgement->action.code;
	struct buf text;
	json_t *reply;

	if (code == NULL)
		return json_null();
	buf_init(&text, ROW_SIZE);
	buf_printf(&text, "%s %s", code, judgement->reply);
	reply = json_text(buf_text(&text));
	buf_free(&text);
	return reply;
}

static json_t *verdict_json(const struct verdict *verdict)
{
	bool scored = verdict->status == VERDICT_SCORED;

	return json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:I, s:b, s:o, s:o}", "status",
		verdict_status_name(verdict->status), "score",
		scored ? json_score(verdict->score) : json_null(), "required",
		scored && verdict->has_required ? json_score(verdict->required) : json_null(),
		"spam", scored && verdict->spam, "scorer", json_text(verdict->scorer), "server",
		json_text(verdict->server), "scan_ms", (json_int_t)(verdict->scan_us / 1000),
		"truncated", verdict->truncated, "tests", tests_json(verdict), "error",
		json_text(verdict->err.text[0] == '\0' ? NULL : verdict->err.text));
}

json_t *score_report_json(
	const char *file, const struct judgement *judgement, const struct transaction *mail)
{
	return json_pack("{s:o, s:s, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"file", json_text(file), "action", action_word(&judgement->action), "reason",
		judgement->reason, "would", json_text(judgement->action.would), "spam",
		judgement->action.spam, "required", json_score(judgement->action.required),
		"verdict", verdict_json(judgement->action.verdict), "recipients",
		recipients_json(judgement, mail), "remove", removals_json(judgement, mail), "add",
		additions_json(&judgement->additions), "subject_tag",
		json_text(subject_tag(judgement)), "held", json_texts(&judgement->held), "send_to",
		json_texts(&judgement->added), "reply", reply_json(judgement));
}
