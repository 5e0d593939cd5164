/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a collected message to one value that says what is to be done with it.
 *
 * judge() renders, asks, and decides, and never touches the mail server; the daemon carries the
 * judgement out and never reconsiders, the tool prints it.
 */
#ifndef SPAMBRIDGE_JUDGE_JUDGE_H
#define SPAMBRIDGE_JUDGE_JUDGE_H

#include <stdint.h>

#include "base/deadline.h"
#include "base/limits.h"
#include "base/listener.h"
#include "judge/transaction.h"
#include "judge/users.h"
#include "mail/headers.h"
#include "mail/verdict.h"
#include "policy/decide.h"
#include "quarantine/id.h"
#include "quarantine/release_check.h"
#include "quarantine/store.h"
#include "scorer/late.h"
#include "scorer/scan.h"

struct judgement {
	struct action action;     /* its verdict is one of ours */
	struct users users;       /* as whom it was scored; empty: it was not */
	struct verdict *verdicts; /* one a user, one at least; owned, unless it is `only` */
	size_t verdict_count;
	struct verdict only;            /* the one that there mostly is */
	bool outbound;                  /* judged as mail of our own senders */
	const char *reason;             /* the log's word: score, trusted, timeout ... */
	struct policy_fields *policies; /* one a recipient; owned */
	enum outcome *outcomes;         /* the same; owned */
	size_t policy_count;
	const struct verdict *held_verdict; /* of who is held with the highest score; borrowed */
	struct strlist held;            /* whose copy is to be stored, or was refused and is kept */
	char item_id[ITEM_ID_SIZE];     /* under which; "": nothing is stored */
	int64_t keep_s;                 /* how long; 0: as the quarantine's setting says */
	enum release_check mark;        /* what became of a release mark that it bore */
	char released_id[ITEM_ID_SIZE]; /* RELEASE_PASSES: of which item */
	struct err mark_err;            /* RELEASE_REFUSED: why */
	struct header_instance
		*removals; /* forged fields and what a scorer names, last first; owned */
	size_t removal_count;
	struct header_list additions;
	const struct message_edits *edits; /* what else the scorer wants; NULL: nothing; borrowed */
	struct strlist added;              /* recipients who get the message besides or instead */
	const char *subject_tag; /* put before each Subject; NULL or "": nothing; borrowed */
	char reply[LIMIT_REPLY_TEXT + 1]; /* text of a refusal or deferral */
	int64_t total_us;                 /* from end of message to the judgement */
};

struct judge_input {
	const struct transaction *mail;
	struct deadline deadline;
	struct listener listener;
	struct late_store *late;
	struct store *store; /* whose release marks are good, and are used up; NULL: none are */
};

/* The verdict on the copy of one recipient. */
const struct verdict *judgement_verdict(const struct judgement *judgement, size_t recipient);

/* What could not be carried out (why: the log's word) becomes a deferral. */
void judgement_defer(struct judgement *judgement, const char *why);

/* Fill *ret_judgement, which the caller frees. Always succeeds: what fails is a deferral. */
void judge(const struct judge_input *input, struct judgement *ret_judgement);
void judgement_free(struct judgement *judgement);

/* The one line per message; its keys and their order are an interface (spambridge(8)). */
void judgement_log(const struct judgement *judgement, const struct transaction *mail);

#endif
