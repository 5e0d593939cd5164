/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to happen to a message: (thresholds of each recipient, verdict) to one action.
 *
 * Pure: no I/O, no clock, no log, no memory. Rules: a threshold is reached when score >=
 * threshold; the highest one by severity wins (reject, quarantine, tag). A failure of the scorer
 * follows on_failure and never rejects; a failure of our own (VERDICT_ERROR) defers.
 */
#ifndef SPAMBRIDGE_POLICY_DECIDE_H
#define SPAMBRIDGE_POLICY_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "mail/verdict.h"

/* Of one recipient, from mild to severe. */
enum outcome {
	OUTCOME_PASS,
	OUTCOME_TAG,
	OUTCOME_QUARANTINE,
	OUTCOME_REJECT,
	OUTCOME_TEMPFAIL,
};

/* Of the whole message. */
enum action_kind {
	ACTION_DELIVER,
	ACTION_REJECT,
	ACTION_TEMPFAIL,
	ACTION_DISCARD, /* every copy is in the quarantine: accepted, and nothing left to deliver */
};

/* Which X-Spam fields a delivered message gets. */
enum marking {
	MARK_NOTHING,   /* not asked: only forged fields are removed */
	MARK_SCORED,    /* the full set */
	MARK_UNSCANNED, /* X-Spam-Status: Unscanned, reason=... */
};

struct action {
	enum action_kind kind;
	enum marking marking;
	bool spam;                /* Yes or No in X-Spam-Status */
	int32_t required;         /* thousandths, or THRESHOLD_OFF: every remaining recipient has tag = off */
	bool hold;                /* the copies of those with OUTCOME_QUARANTINE or _REJECT are stored */
	bool keep;                /* refused, and a copy is kept under the reference in the reply */
	const struct policy_fields *decisive; /* whose fields made the decision; NULL: nobody's */
};

/* The words of the log: "pass", "tag", "reject", "tempfail", "quarantine". */
const char *action_word(const struct action *action);

/* One recipient's outcome. */
enum outcome policy_outcome(const struct policy_fields *fields, const struct verdict *verdict);

/* Does this outcome keep the message from its recipient? */
bool outcome_withholds(enum outcome outcome);

/*
 * The action for a message to `count` recipients, `policies[i]` being those of recipient i, whose
 * outcome goes to ret_outcomes[i]. A milter has one answer for all of them:
 *
 *	one tempfail at least                    -> deferred
 *	all reject                               -> refused (and kept, if anybody keeps refused mail)
 *	some quarantine or reject, others do not -> delivered to the others, the rest held
 *	all quarantine, or mixed with reject     -> held for all, accepted and discarded
 *
 * A scorer that is trusted to decide (verdict->wish) takes the place of the thresholds, but what is
 * off for a recipient never happens to it: then the next lower one that is not, does. Discarding is
 * holding, or refusing where nothing can be held.
 *
 * Headers are common to those who get the message: the strictest tag threshold among them counts.
 * A message without recipients is delivered as its verdict says by nobody's threshold.
 */
struct action policy_decide(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, enum outcome *ret_outcomes);

#endif
