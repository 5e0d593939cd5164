/* SPDX-License-Identifier: BSD-2-Clause */
/* From a collected message to one value that says what is to be done with it. */
#include "judge/judge.h"
#include "judge/ask.h"
#include "judge/removals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/names.h"
#include "policy/mailbox.h"
#include "policy/recipient.h"
#include "protocol/template.h"
#include "protocol/xspam.h"

/* How our tool and version are named where the scorer does not say what it is. */
#define FALLBACK_ENGINE "spambridge"

static void defer(struct judgement *judgement, const char *why)
{
	struct verdict *verdict = &judgement->verdicts[0];

	verdict_free(verdict);
	verdict->status = VERDICT_ERROR;
	err_set(&verdict->err, "%s", why);
	judgement->action.verdict = verdict;
	judgement_defer(judgement, verdict_status_name(VERDICT_ERROR));
}

/* The thresholds of every recipient; for exempt clients' mail those of `outbound`. */
static bool look_up_policies(
	const struct transaction *mail, enum exemption exemption, struct judgement *judgement)
{
	const struct strlist *recipients = &mail->envelope.recipients;
	const struct recipient_facts facts = { mail->envelope.sender, mail->envelope.auth_login,
		(const struct sockaddr *)&mail->client.sockaddr, exemption != EXEMPT_NOT };

	judgement->policies = calloc(recipients->count + 1, sizeof(*judgement->policies));
	judgement->outcomes = calloc(recipients->count + 1, sizeof(*judgement->outcomes));
	if (judgement->policies == NULL || judgement->outcomes == NULL)
		return false;
	judgement->policy_count = recipients->count;
	for (size_t i = 0; i < recipients->count; i++)
		recipient_policy(
			mail->settings, &facts, recipients->items[i], &judgement->policies[i]);
	return true;
}

static void fail_all(struct judgement *judgement, enum on_failure on_failure)
{
	for (size_t i = 0; i < judgement->policy_count; i++)
		judgement->policies[i].on_failure = on_failure;
}

/*
 * A message that is larger than what may be scanned. False: it is scanned all the same (its head).
 */
static bool is_settled_by_size(const struct transaction *mail, struct judgement *judgement)
{
	if (message_size(mail->message) <= mail->settings->max_scan_size ||
		mail->settings->oversize == OVERSIZE_HEAD)
		return false;
	judgement->reason = verdict_status_name(VERDICT_OVERSIZE);
	if (mail->settings->oversize == OVERSIZE_PASS)
		return true;
	judgement->verdicts[0].status = VERDICT_OVERSIZE;
	err_set(&judgement->verdicts[0].err, "the message is larger than max_scan_size");
	fail_all(judgement,
		mail->settings->oversize == OVERSIZE_QUARANTINE ? ON_FAILURE_QUARANTINE :
								  ON_FAILURE_TEMPFAIL);
	return true;
}

const struct verdict *judgement_verdict(const struct judgement *judgement, size_t recipient)
{
	const size_t *of = judgement->users.of;

	return &judgement->verdicts[of == NULL ? 0 : of[recipient]];
}

static bool decide(struct judgement *judgement)
{
	size_t count = judgement->policy_count;
	const struct verdict **verdicts = calloc(count + 1, sizeof(const struct verdict *));

	if (verdicts == NULL)
		return false;
	verdicts[0] = &judgement->verdicts[0];
	for (size_t i = 0; i < count; i++)
		verdicts[i] = judgement_verdict(judgement, i);
	judgement->action =
		policy_decide(judgement->policies, verdicts, count, judgement->outcomes);
	free(verdicts);
	return true;
}

/* A message that a reviewer released is not judged again: it would be held for ever. */
static bool is_settled_by_release(const struct judge_input *input, struct judgement *judgement)
{
	const struct transaction *mail = input->mail;
	const struct errand_patience patience = { input->deadline, input->listener };

	judgement->mark = release_check(input->store, mail->message, &mail->envelope.recipients,
		&patience, judgement->released_id, &judgement->mark_err);
	if (judgement->mark == RELEASE_PASSES) {
		judgement->reason = "released";
		return true;
	}
	judgement->released_id[0] = '\0';
	if (judgement->mark != RELEASE_UNSURE)
		return false;
	judgement->verdicts[0].status = VERDICT_ERROR;
	err_set(&judgement->verdicts[0].err, "%s", judgement->mark_err.text);
	return true;
}

/* The verdicts on a message that is complete, and what follows from them. */
static void score_and_decide(const struct judge_input *input, struct judgement *judgement)
{
	const struct transaction *mail = input->mail;
	enum exemption exemption = transaction_exemption(mail);

	if (!look_up_policies(mail, exemption, judgement)) {
		defer(judgement, "out of memory");
		return;
	}
	judgement->outbound = exemption != EXEMPT_NOT;
	if (!is_settled_by_release(input, judgement)) {
		if (judgement->outbound && !mail->settings->outbound.scan)
			judgement->reason = exemption_word(exemption);
		else if (!is_settled_by_size(mail, judgement))
			judgement_ask(input, judgement);
	}
	if (!decide(judgement))
		defer(judgement, "out of memory");
}

/* A held copy shows the highest score of those whom it is held for. */
static void note_held(struct judgement *judgement, const struct verdict *verdict)
{
	const struct verdict *before = judgement->held_verdict;

	if (before == NULL || before->status != VERDICT_SCORED ||
		(verdict->status == VERDICT_SCORED && verdict->score > before->score))
		judgement->held_verdict = verdict;
}

/* Whose copies go to the quarantine, and under which id. False: out of memory or randomness. */
static bool choose_held(const struct transaction *mail, struct judgement *judgement)
{
	const struct action *action = &judgement->action;
	bool good = true;

	for (size_t i = 0; good && i < judgement->policy_count; i++) {
		const struct policy_fields *policy = &judgement->policies[i];

		if (!policy_stores(action, policy, judgement->outcomes[i]))
			continue;
		good = strlist_add(&judgement->held, mail->envelope.recipients.items[i]);
		note_held(judgement, judgement_verdict(judgement, i));
		if (!action->hold && policy->keep_rejected_ms / 1000 > judgement->keep_s)
			judgement->keep_s = policy->keep_rejected_ms / 1000;
	}
	if (good && judgement->held.count > 0)
		good = item_id_new(judgement->item_id, NULL) == 0;
	return good;
}

static bool contains(const struct strlist *list, const char *address)
{
	for (size_t i = 0; i < list->count; i++)
		if (addresses_match(list->items[i], address))
			return true;
	return false;
}

/* Is this address a recipient who gets the message anyway? Postfix would deliver it twice. */
static bool gets_it_anyway(
	const struct transaction *mail, const struct judgement *judgement, const char *address)
{
	for (size_t i = 0; i < judgement->policy_count; i++)
		if (!outcome_withholds(judgement->outcomes[i]) &&
			judgement->outcomes[i] != OUTCOME_REDIRECT &&
			addresses_match(mail->envelope.recipients.items[i], address))
			return true;
	return false;
}

/* Who is to get the message besides or in place of its recipients, each once. */
static bool choose_added(const struct transaction *mail, struct judgement *judgement)
{
	bool good = true;

	if (judgement->action.kind != ACTION_DELIVER)
		return true;
	for (size_t i = 0; good && i < judgement->policy_count; i++) {
		const char *address = outcome_adds(judgement->outcomes[i], &judgement->policies[i]);

		if (address != NULL && !contains(&judgement->added, address) &&
			!gets_it_anyway(mail, judgement, address))
			good = strlist_add(&judgement->added, address);
	}
	return good;
}

/*
 * Whom the message was for, for the one who gets it in their place. Only when nobody else gets it,
 * since the recipients of a message must not learn of each other (Bcc).
 */
static bool name_original_recipients(const struct transaction *mail, struct judgement *judgement)
{
	size_t named = 0;

	if (!judgement->action.redirect || judgement->added.count != 1)
		return true;
	for (size_t i = 0; i < judgement->policy_count; i++)
		if (judgement->outcomes[i] == OUTCOME_REDIRECT &&
			named++ < LIMIT_ORIGINAL_RECIPIENTS &&
			!xspam_add_original(
				&judgement->additions, mail->envelope.recipients.items[i]))
			return false;
	return true;
}

static bool build_headers(const struct transaction *mail, struct judgement *judgement)
{
	const struct action *action = &judgement->action;
	const struct xspam_facts facts = { .spam = action->spam,
		.required = action->required,
		.required_off = action->required == THRESHOLD_OFF,
		.host = mail->client.server_name,
		.engine = FALLBACK_ENGINE,
		.scanned_bytes = mail->settings->max_scan_size,
		/* How large a message is whose rest the mail server kept, nobody told us. */
		.message_bytes = mail->rest_skipped ? 0 : message_size(mail->message) };

	if (action->kind != ACTION_DELIVER && action->kind != ACTION_HOLD)
		return true;
	if (action->spam && action->decisive != NULL)
		judgement->subject_tag = action->decisive->subject_tag;
	/* Where all who get it observe, a scorer's wishes are not carried out either. */
	if (action->marking != MARK_NOTHING)
		judgement->edits = action->verdict->edits;
	if (!removals_build(message_headers(mail->message), transaction_keeps_spam_headers(mail),
		    judgement->edits, &judgement->removals, &judgement->removal_count))
		return false;
	return action->marking == MARK_NOTHING ||
		(xspam_build(&judgement->additions, action->verdict, &facts) &&
			name_original_recipients(mail, judgement));
}

/* The names of the tests, joined by commas, as many as fit. */
static void join_tests(struct buf *out, const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->test_count && !out->failed; i++) {
		if (i > 0)
			buf_putc(out, ',');
		buf_puts(out, verdict->tests[i].name);
	}
}

static bool expand_text(
	const struct transaction *mail, const struct judgement *judgement, struct buf *text)
{
	const struct envelope *envelope = &mail->envelope;
	const struct template_facts facts = { .score = judgement->action.verdict->score,
		.has_score = true,
		.required = judgement->action.required,
		.has_required = true,
		.id = judgement->item_id[0] != '\0' ? judgement->item_id : envelope_id(envelope),
		.queue_id = envelope_id(envelope),
		.sender = envelope->sender,
		.recipient =
			envelope->recipients.count == 1 ? envelope->recipients.items[0] : NULL };
	struct template_facts complete = facts;
	struct buf tests;
	bool good;

	buf_init(&tests, LIMIT_REPLY_TEXT);
	join_tests(&tests, judgement->action.verdict);
	complete.tests = buf_text(&tests);
	good = template_expand(text, judgement->action.text, &complete);
	buf_free(&tests);
	return good;
}

/* What a trusted scorer says to the sender, with the reference of a copy that is kept. */
static bool put_scorers_words(const struct judgement *judgement, struct buf *text)
{
	const char *words = judgement->action.verdict->reply;

	if (judgement->item_id[0] == '\0')
		return buf_puts(text, words);
	return buf_printf(text, "%.800s, reference %s", words, judgement->item_id);
}

/* Empty when it cannot be built: apply() then has words of its own. */
static void build_reply(const struct transaction *mail, struct judgement *judgement)
{
	const struct verdict *verdict = judgement->action.verdict;
	struct buf text;
	bool good = true;

	/* The expansion is cut at its limit once the field that passes it is complete. */
	buf_init(&text, LIMIT_REPLY_TEXT + LIMIT_ADDRESS);
	if (verdict->reply != NULL && verdict->wish != WISH_NONE)
		good = put_scorers_words(judgement, &text);
	else if (judgement->action.text != NULL)
		good = expand_text(mail, judgement, &text);
	else if (verdict->wish == WISH_DEFER)
		good = buf_puts(&text, "Try again later");
	else if (judgement->action.kind == ACTION_TEMPFAIL)
		good = buf_printf(&text, "Cannot be checked for spam now (%s), try again later",
			judgement->reason);
	snprintf(judgement->reply, sizeof(judgement->reply), "%s", good ? buf_text(&text) : "");
	buf_free(&text);
}

/* Is the message accepted by lists of all its recipients? */
static bool is_accepted(const struct judgement *judgement)
{
	for (size_t i = 0; i < judgement->policy_count; i++)
		if (!judgement->policies[i].accepted)
			return false;
	return judgement->policy_count > 0;
}

static const char *reason_of(const struct judgement *judgement)
{
	const struct verdict *verdict = judgement->action.verdict;

	if (verdict->status != VERDICT_SCORED)
		return verdict_status_name(verdict->status);
	if (is_accepted(judgement))
		return "accepted";
	if (judgement->outbound)
		return "outbound";
	if (verdict->wish != WISH_NONE)
		return "action";
	return verdict->late ? "late" : "score";
}

void judge(const struct judge_input *input, struct judgement *ret_judgement)
{
	const struct transaction *mail = input->mail;
	int64_t started_us = clock_now_us();

	*ret_judgement = (struct judgement){ .verdict_count = 1,
		.verdicts = &ret_judgement->only,
		.action = { .kind = ACTION_DELIVER,
			.required = THRESHOLD_OFF,
			.verdict = &ret_judgement->only } };
	verdict_init(&ret_judgement->only);
	headers_init(&ret_judgement->additions, XSPAM_LIST_SIZE);
	if (mail->message == NULL || mail->out_of_memory)
		defer(ret_judgement, "out of memory");
	else if (message_error(mail->message) != NULL)
		defer(ret_judgement, message_error(mail->message));
	else
		score_and_decide(input, ret_judgement);
	if (ret_judgement->reason == NULL)
		ret_judgement->reason = reason_of(ret_judgement);
	if (!choose_held(mail, ret_judgement) || !choose_added(mail, ret_judgement) ||
		(mail->message != NULL && !build_headers(mail, ret_judgement)))
		defer(ret_judgement, "out of memory");
	build_reply(mail, ret_judgement);
	ret_judgement->total_us = clock_now_us() - started_us;
}

void judgement_defer(struct judgement *judgement, const char *why)
{
	judgement->action = (struct action){ .kind = ACTION_TEMPFAIL,
		.required = THRESHOLD_OFF,
		.code = CODE_TEMPFAIL,
		.verdict = judgement->action.verdict };
	for (size_t i = 0; i < judgement->policy_count; i++)
		judgement->outcomes[i] = OUTCOME_TEMPFAIL;
	judgement->reason = why;
	judgement->item_id[0] = '\0';
	snprintf(judgement->reply, sizeof(judgement->reply),
		"Cannot be taken now (%s), try again later", why);
}

void judgement_free(struct judgement *judgement)
{
	strlist_free(&judgement->held);
	strlist_free(&judgement->added);
	free(judgement->outcomes);
	for (size_t i = 0; i < judgement->verdict_count; i++)
		verdict_free(&judgement->verdicts[i]);
	if (judgement->verdicts != &judgement->only)
		free(judgement->verdicts);
	users_free(&judgement->users);
	headers_free(&judgement->additions);
	free(judgement->removals);
	free(judgement->policies);
	*judgement = (struct judgement){ 0 };
}
