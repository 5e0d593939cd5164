/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to happen to one recipient's copy: (thresholds, verdict) to one outcome. Pure.
 *
 * A threshold is reached when score >= threshold; the highest one by severity wins (reject,
 * quarantine, defer, redirect, copy, tag). A failure of the scorer follows on_failure and never
 * rejects; a failure of our own (VERDICT_ERROR) defers.
 */
#ifndef SPAMBRIDGE_POLICY_OUTCOME_H
#define SPAMBRIDGE_POLICY_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "mail/verdict.h"

/* Of one recipient, from mild to severe. */
enum outcome {
	OUTCOME_PASS,
	OUTCOME_TAG,
	OUTCOME_COPY,     /* delivered, to somebody else as well */
	OUTCOME_REDIRECT, /* delivered, to somebody else instead */
	OUTCOME_DEFER,    /* by its score */
	OUTCOME_QUARANTINE,
	OUTCOME_DISCARD, /* dropped, and nobody is told */
	OUTCOME_REJECT,
	OUTCOME_TEMPFAIL, /* for want of a verdict */
};

/* THRESHOLD_OFF never is. Both in thousandths. */
bool threshold_reached(int32_t threshold, int32_t score);

/* "pass", "tag", "copy", "redirect", "defer", "quarantine", "discard", "reject", "tempfail" */
const char *outcome_word(enum outcome outcome);

/* One recipient's outcome, as if nobody observed. */
enum outcome policy_outcome(const struct policy_fields *fields, const struct verdict *verdict);

/* Does this outcome keep the message from its recipient and from everybody in his place? */
bool outcome_withholds(enum outcome outcome);

/* Who gets this recipient's copy besides him, or in his place; NULL: nobody. Borrowed. */
const char *outcome_adds(enum outcome outcome, const struct policy_fields *fields);

#endif
