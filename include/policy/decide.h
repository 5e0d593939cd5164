/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to happen to a message: (thresholds of each recipient, verdict) to one action.
 *
 * Pure: no I/O, no clock, no log, no memory. Rules: a threshold is reached when score >=
 * threshold; the highest one by severity wins (reject, quarantine, defer, redirect, copy, tag). A
 * failure of the scorer follows on_failure and never rejects; a failure of our own (VERDICT_ERROR)
 * defers.
 */
#ifndef SPAMBRIDGE_POLICY_DECIDE_H
#define SPAMBRIDGE_POLICY_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "mail/verdict.h"

/* What a message is put off with for want of a verdict or of ours. */
#define CODE_TEMPFAIL "451 4.7.1"

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

/* Of the whole message. */
enum action_kind {
	ACTION_DELIVER,
	ACTION_REJECT,
	ACTION_TEMPFAIL,
	ACTION_DISCARD, /* accepted, and nothing to deliver: every copy is held or dropped */
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
	bool spam;        /* Yes or No in X-Spam-Status */
	int32_t required; /* thousandths; THRESHOLD_OFF: every remaining recipient has tag = off */
	bool hold;     /* the copies of who withholds the message are stored (see policy_stores) */
	bool redirect; /* nobody gets it but those who others are redirected to */
	bool keep;     /* refused or dropped, and a copy is kept for who asks for it */
	const char *would; /* action_word() if nobody observed; NULL: nobody does */
	const char *code;  /* of a refusal or deferral, "550 5.7.1"; borrowed */
	const char *text;  /* template of its text; NULL: say why there is no verdict; borrowed */
	const struct policy_fields *decisive; /* whose fields made the decision; NULL: nobody's */
};

/*
 * The words of the log: "pass", "tag", "reject", "tempfail", "quarantine", "discard", "redirect".
 */
const char *action_word(const struct action *action);

/* "pass", "tag", "copy", "redirect", "defer", "quarantine", "discard", "reject", "tempfail" */
const char *outcome_word(enum outcome outcome);

/* One recipient's outcome, as if nobody observed. */
enum outcome policy_outcome(const struct policy_fields *fields, const struct verdict *verdict);

/* Does this outcome keep the message from its recipient and from everybody in his place? */
bool outcome_withholds(enum outcome outcome);

/* Who gets this recipient's copy besides him, or in his place; NULL: nobody. Borrowed. */
const char *outcome_adds(enum outcome outcome, const struct policy_fields *fields);

/*
 * The action for a message to `count` recipients, `policies[i]` being those of recipient i, whose
 * outcome goes to ret_outcomes[i]. A milter has one answer for all of them:
 *
 *	one has no verdict and on_failure = tempfail -> deferred
 *	all defer, reject or discard, one not discard -> refused; deferred if one of them defers or
 *	                                                has a reject_code of class 4
 *	all quarantine, or mixed with the above       -> held for all but who discards; accepted,
 *	                                                nothing left to deliver
 *	all discard                                   -> accepted, nothing left to deliver
 *	some of these, others do not                  -> delivered to the others, the rest held
 *
 * A scorer that is trusted to decide (verdict->wish) takes the place of the thresholds, but what is
 * off for a recipient never happens to it: then the next lower one that is not, does. Discarding is
 * holding, or refusing where nothing can be held.
 *
 * Who is redirected gets the message in this sense. Headers are common to those who get it: the
 * strictest tag threshold among them counts; of the redirected only when all of them are.
 * Who accepts the message by a list (`accepted`) gets it, and has no say in the headers.
 * Who observes (mode) gets the message and has no say in the headers either; when nobody else gets
 * it there are none. `would` and, in that case, `required` tell what would have happened else.
 *
 * A message without recipients is delivered as its verdict says by nobody's threshold.
 */
struct action policy_decide(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, enum outcome *ret_outcomes);

/* Does this action put a copy of this recipient's mail into the quarantine? */
bool policy_stores(
	const struct action *action, const struct policy_fields *fields, enum outcome outcome);

#endif
