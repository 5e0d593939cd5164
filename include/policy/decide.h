/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to happen to a message: (thresholds of each recipient, verdict) to one action.
 *
 * Pure: no I/O, no clock, no log, no memory. Rules: a threshold is reached when score >=
 * threshold; the highest one by severity wins (reject, quarantine, tag). A failure of the scorer
 * never rejects.
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
	const struct policy_fields *decisive; /* whose fields made the decision; NULL: nobody's */
};

/* The words of the log: "pass", "tag", "reject", "tempfail". */
const char *action_word(const struct action *action);

/* One recipient's outcome. */
enum outcome policy_outcome(const struct policy_fields *fields, const struct verdict *verdict);

/*
 * The action for a message to `count` recipients, `policies[i]` being those of recipient i. A
 * message without recipients is delivered as its verdict says by nobody's threshold.
 */
struct action policy_decide(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict);

#endif
