/* SPDX-License-Identifier: BSD-2-Clause */
/* Getting the verdicts on a message: of scans that were late for an earlier attempt, or new. */
#include "judge/ask.h"

#include <stdlib.h>
#include <time.h>

#include "policy/user.h"

/* Of the time that is left, what is kept for the disk: one part of so many, and not above. */
#define HOLD_SHARE  10
#define HOLD_MAX_US 2000000

/* What is known of each user's scan. */
struct inquiry {
	const struct judge_input *input;
	struct deadline deadline; /* of the scans */
	struct judgement *judgement;
	struct late_store *late; /* NULL: late verdicts are of no use */
	unsigned char identities[LIMIT_SCORE_USERS][DIGEST_SIZE];
	enum late_result known[LIMIT_SCORE_USERS];
};

static bool may_defer(const struct judgement *judgement)
{
	for (size_t i = 0; i < judgement->policy_count; i++)
		if (judgement->policies[i].on_failure == ON_FAILURE_TEMPFAIL &&
			!judgement->policies[i].accepted &&
			judgement->policies[i].mode == MODE_ENFORCE)
			return true;
	return false;
}

/* Who has a failure held needs time for that, too, before the answer is due. */
static struct deadline scan_deadline(
	const struct judge_input *input, const struct judgement *judgement)
{
	int64_t hold_us = deadline_us_left(input->deadline) / HOLD_SHARE;

	for (size_t i = 0; i < judgement->policy_count; i++)
		if (judgement->policies[i].on_failure == ON_FAILURE_QUARANTINE &&
			!judgement->policies[i].accepted)
			return deadline_before_us(
				input->deadline, hold_us < HOLD_MAX_US ? hold_us : HOLD_MAX_US);
	return input->deadline;
}

/* What a sender's retry has in common with this attempt, for each user. */
static bool identify(struct inquiry *inquiry)
{
	const struct transaction *mail = inquiry->input->mail;
	const struct strlist *names = &inquiry->judgement->users.names;
	unsigned char identity[DIGEST_SIZE];

	if (!message_identity(&mail->envelope, mail->message, identity))
		return false;
	for (size_t i = 0; i < names->count; i++)
		if (!message_identity_for(identity, names->items[i], inquiry->identities[i]))
			return false;
	return true;
}

/* Look for the scans of an earlier attempt that are in state `so_far`, waiting until `until`. */
static void find_late(struct inquiry *inquiry, enum late_result so_far, struct deadline until)
{
	for (size_t i = 0; inquiry->late != NULL && i < inquiry->judgement->verdict_count; i++)
		if (inquiry->known[i] == so_far)
			inquiry->known[i] = late_store_find(inquiry->late, inquiry->identities[i],
				until, inquiry->input->listener, &inquiry->judgement->verdicts[i]);
}

static void fail(struct verdict *verdict, enum verdict_status status, const char *why)
{
	verdict->status = status;
	err_set(&verdict->err, "%s", why);
}

/* Is a verdict still to be asked for? */
static bool is_missing(const struct inquiry *inquiry, size_t i)
{
	return inquiry->known[i] == LATE_NONE &&
		inquiry->judgement->verdicts[i].status == VERDICT_NONE;
}

static bool any_missing(const struct inquiry *inquiry)
{
	for (size_t i = 0; i < inquiry->judgement->verdict_count; i++)
		if (is_missing(inquiry, i))
			return true;
	return false;
}

static void fail_missing(struct inquiry *inquiry)
{
	for (size_t i = 0; i < inquiry->judgement->verdict_count; i++)
		if (is_missing(inquiry, i))
			fail(&inquiry->judgement->verdicts[i], VERDICT_ERROR, "out of memory");
}

/* Put the questions for all verdicts that are missing. False: out of memory. */
static bool put_questions(struct inquiry *inquiry, const struct scan_request *request,
	struct scan_question *questions, size_t *ret_count)
{
	const struct strlist *names = &inquiry->judgement->users.names;

	*ret_count = 0;
	for (size_t i = 0; i < names->count; i++) {
		if (!is_missing(inquiry, i))
			continue;
		questions[*ret_count] = (struct scan_question){ .request = scan_request_for_user(
									request, names->items[i]),
			.identity = inquiry->identities[i],
			.verdict = &inquiry->judgement->verdicts[i] };
		if (questions[*ret_count].request == NULL)
			return false;
		(*ret_count)++;
	}
	return true;
}

/* Ask the scorers for all verdicts that are missing. */
static void scan_missing(struct inquiry *inquiry)
{
	const struct transaction *mail = inquiry->input->mail;
	const struct scan_request_options options = { mail->settings->max_scan_size, time(NULL),
		transaction_keeps_spam_headers(mail), SCAN_FOR_SCORE };
	const struct scan scan = { .pool = mail->pool,
		.deadline = inquiry->deadline,
		.listener = inquiry->input->listener,
		.late = inquiry->late };
	struct scan_question questions[LIMIT_SCORE_USERS];
	struct scan_request *request =
		scan_request_new(&mail->client, &mail->envelope, mail->message, &options);
	size_t count = 0;

	if (request != NULL && put_questions(inquiry, request, questions, &count))
		scan_run(&scan, questions, count);
	else
		fail_missing(inquiry);
	while (count > 0)
		scan_request_free(&questions[--count].request);
	scan_request_free(&request);
}

static void ask_all(struct inquiry *inquiry)
{
	struct judgement *judgement = inquiry->judgement;

	find_late(inquiry, LATE_NONE, deadline_after_ms(0));
	if (any_missing(inquiry))
		scan_missing(inquiry);
	/* What goes on since an earlier attempt had the same time meanwhile. If it fails, ask anew. */
	find_late(inquiry, LATE_RUNNING, inquiry->deadline);
	if (any_missing(inquiry))
		scan_missing(inquiry);
	for (size_t i = 0; i < judgement->verdict_count; i++)
		if (inquiry->known[i] == LATE_RUNNING)
			fail(&judgement->verdicts[i], VERDICT_TIMEOUT,
				"still being scanned since an earlier attempt");
}

/* Room for a verdict for each user; there is room for one already. */
static bool make_room(struct judgement *judgement)
{
	size_t count = judgement->users.names.count;

	if (count > 1) {
		struct verdict *verdicts = calloc(count, sizeof(*verdicts));

		if (verdicts == NULL)
			return false;
		judgement->verdicts = verdicts;
	}
	judgement->verdict_count = count;
	for (size_t i = 0; i < count; i++)
		verdict_init(&judgement->verdicts[i]);
	return true;
}

void judgement_ask(const struct judge_input *input, struct judgement *judgement)
{
	const struct transaction *mail = input->mail;
	struct inquiry inquiry = {
		.input = input, .deadline = scan_deadline(input, judgement), .judgement = judgement
	};
	/* The preferences of others' recipients say nothing of mail of our own senders. */
	const struct scorer_setting *scorer =
		judgement->outbound ? NULL : policy_user_scorer(mail->settings);

	if (!users_build(&judgement->users, mail->settings, scorer, &mail->envelope.recipients,
		    judgement->policies) ||
		!make_room(judgement)) {
		users_free(&judgement->users);
		fail(&judgement->only, VERDICT_ERROR, "out of memory");
		return;
	}
	if (input->late != NULL && may_defer(judgement) && identify(&inquiry))
		inquiry.late = input->late;
	ask_all(&inquiry);
}
