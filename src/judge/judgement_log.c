/* SPDX-License-Identifier: BSD-2-Clause */
/* The one line per message. */
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/score.h"
#include "judge/judge.h"
#include "judge/rule.h"

/* Room that most lines need, bytes. */
#define USUAL_LENGTH 511

static void put(struct buf *line, const char *key, const char *value)
{
	if (line->length > 0)
		buf_putc(line, ' ');
	buf_puts(line, key);
	buf_putc(line, '=');
	if (value == NULL || value[0] == '\0')
		buf_putc(line, '-');
	else
		encode_log(line, value, strlen(value));
}

static void put_number(struct buf *line, const char *key, uint64_t number)
{
	buf_printf(line, " %s=%llu", key, (unsigned long long)number);
}

/* How many recipients, and the first one. */
static void put_recipients(struct buf *line, const struct strlist *recipients)
{
	buf_printf(line, " to=%zu", recipients->count);
	if (recipients->count == 0)
		return;
	buf_putc(line, ',');
	encode_log(line, recipients->items[0], strlen(recipients->items[0]));
}

static void put_score(struct buf *line, const char *key, bool known, int32_t milli)
{
	char text[SCORE_TEXT_SIZE];

	put(line, key, known ? score_format(milli, 0, text) : NULL);
}

static void put_required(struct buf *line, const struct judgement *judgement)
{
	char text[SCORE_TEXT_SIZE];

	if (judgement->action.verdict->status != VERDICT_SCORED)
		put(line, "required", NULL);
	else if (judgement->action.required == THRESHOLD_OFF)
		put(line, "required", "off");
	else
		put(line, "required", score_format(judgement->action.required, 0, text));
}

/* Which line of the configuration decided. */
static void put_rule(
	struct buf *line, const struct judgement *judgement, const struct transaction *mail)
{
	struct rule rule = rule_find(judgement, mail);
	struct buf text;

	buf_init(&text, LIMIT_LOG_VALUE);
	rule_print(&rule, &text);
	put(line, "rule", buf_text(&text));
	buf_free(&text);
}

/*
 * Names, with the points in brackets where the scorer tells them, separated by commas, as many as
 * fit; names hold only safe characters.
 */
static void put_tests(struct buf *line, const struct verdict *verdict)
{
	size_t end = line->length + LIMIT_TESTS_LOGGED;

	buf_puts(line, " tests=");
	if (verdict->test_count == 0)
		buf_putc(line, '-');
	for (size_t i = 0; i < verdict->test_count; i++) {
		const struct verdict_test *test = &verdict->tests[i];
		char points[SCORE_TEXT_SIZE];

		if (line->length + strlen(test->name) + SCORE_TEXT_SIZE + 4 > end) {
			buf_puts(line, ",...");
			return;
		}
		if (i > 0)
			buf_putc(line, ',');
		buf_puts(line, test->name);
		if (test->has_score)
			buf_printf(line, "(%s)", score_format(test->score, 0, points));
	}
}

/* Whom it was scored for, each with the score or why there is none; the daemon's own user: "-". */
static void put_users(struct buf *line, const struct judgement *judgement)
{
	char text[SCORE_TEXT_SIZE];

	buf_puts(line, " users=");
	for (size_t i = 0; i < judgement->verdict_count; i++) {
		const struct verdict *verdict = &judgement->verdicts[i];
		const char *name = judgement->users.names.items[i];

		if (i > 0)
			buf_putc(line, ',');
		encode_log(line, name[0] == '\0' ? "-" : name, name[0] == '\0' ? 1 : strlen(name));
		buf_printf(line, ":%s",
			verdict->status == VERDICT_SCORED ? score_format(verdict->score, 0, text) :
							    verdict_status_name(verdict->status));
	}
}

void judgement_log(const struct judgement *judgement, const struct transaction *mail)
{
	const struct verdict *verdict = judgement->action.verdict;
	struct buf line;

	buf_init(&line, LIMIT_LOG_RECORD - 1);
	(void)buf_reserve(&line, USUAL_LENGTH);
	put(&line, "id", mail->envelope.queue_id);
	put(&line, "from",
		mail->envelope.has_sender && mail->envelope.sender[0] == '\0' ?
			"<>" :
			mail->envelope.sender);
	put_recipients(&line, &mail->envelope.recipients);
	put(&line, "client", mail->client.address);
	put_number(&line, "size", mail->message == NULL ? 0 : message_size(mail->message));
	put(&line, "scorer", verdict->scorer);
	put(&line, "server", verdict->server);
	put_score(&line, "score", verdict->status == VERDICT_SCORED, verdict->score);
	put_required(&line, judgement);
	put(&line, "action", action_word(&judgement->action));
	put(&line, "reason", judgement->reason);
	put(&line, "quarantine",
		judgement->item_id[0] != '\0' ? judgement->item_id : judgement->released_id);
	put_rule(&line, judgement, mail);
	put_number(&line, "scan_ms", (uint64_t)(verdict->scan_us / 1000));
	put_number(&line, "total_ms", (uint64_t)(judgement->total_us / 1000));
	put_tests(&line, verdict);
	if (judgement->verdict_count > 1)
		put_users(&line, judgement);
	if (judgement->action.would != NULL)
		put(&line, "would", judgement->action.would);
	if (line.length > 0)
		log_pairs("%s", buf_text(&line));
	else
		log_warn(mail->envelope.queue_id,
			"no memory for its line: action=%s reason=%s total_ms=%llu",
			action_word(&judgement->action), judgement->reason,
			(unsigned long long)(judgement->total_us / 1000));
	buf_free(&line);
	if (judgement->mark == RELEASE_REFUSED)
		log_warn(mail->envelope.queue_id, "judged like any other, though marked: %s",
			judgement->mark_err.text);
	/* Our own trouble, or an engine that talks nonsense: the administrator's to mend. */
	if (verdict->status == VERDICT_ERROR || verdict->status == VERDICT_MALFORMED)
		log_warn(mail->envelope.queue_id, "no score: %s", verdict->err.text);
	else if (verdict->err.text[0] != '\0')
		log_debug(mail->envelope.queue_id, "no score: %s", verdict->err.text);
}
