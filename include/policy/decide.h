/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to happen to a message: (thresholds and verdict of each recipient) to one action.
 *
 * Pure: no I/O, no clock, no log, no memory. What one recipient asks for is policy/outcome.h.
 */
#ifndef SPAMBRIDGE_POLICY_DECIDE_H
#define SPAMBRIDGE_POLICY_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "mail/verdict.h"
#include "policy/outcome.h"

/* What a message is put off with for want of a verdict or of ours. */
#define CODE_TEMPFAIL "451 4.7.1"

/* Of the whole message. */
enum action_kind {
	ACTION_DELIVER,
	ACTION_REJECT,
	ACTION_TEMPFAIL,
	ACTION_DISCARD, /* accepted, and nothing to deliver: every copy is held or dropped */
	ACTION_HOLD, /* delivered into the mail server's hold queue, for who stays (policy_stays) */
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
	const struct verdict *verdict; /* and whose verdict: for header, reply and log; borrowed */
};

/*
 * The words of the log: "pass", "tag", "reject", "tempfail", "quarantine", "hold", "discard",
 * "redirect".
 */
const char *action_word(const struct action *action);

/*
 * The action for a message to `count` recipients, policies[i] and verdicts[i] being those of
 * recipient i, whose outcome goes to ret_outcomes[i]. Mostly all have one verdict; where they are
 * scored as different users, each has its own. A milter has one answer for all of them:
 *
 *	one has no verdict and on_failure = tempfail -> deferred
 *	all defer, reject or discard, one not discard -> refused; deferred if one of them defers or
 *	                                                has a reject_code of class 4
 *	all quarantine, or mixed with the above       -> held for all but who discards; accepted,
 *	                                                nothing left to deliver
 *	... and some of them want quarantine_to = hold -> these stay, the mail server holds it
 *	all discard                                   -> accepted, nothing left to deliver
 *	some of these, others do not                  -> delivered to the others, the rest held
 *
 * The mail server's queue holds whole messages, with their headers as they would be delivered. So
 * where somebody gets the message at once, who wants it held there has his copy stored instead.
 *
 * A scorer that is trusted to decide (verdict->wish) takes the place of the thresholds, but what is
 * off for a recipient never happens to it: then the next lower one that is not, does. Discarding is
 * holding, or refusing where nothing can be held.
 *
 * Who is redirected gets the message in this sense. Headers are common to those who get it: the
 * strictest of them counts, whose score passes his tag threshold by most or fails it by least, with
 * his threshold and his verdict; of the redirected only when all of them are. (With one score this
 * is the lowest threshold.) A score is stricter than a failure, which is only told when there is
 * none. A refusal is explained by the one whose score passes the threshold by least.
 * Who accepts the message by a list (`accepted`) gets it, and has no say in the headers.
 * Who observes (mode) gets the message and has no say in the headers either; when nobody else gets
 * it there are none. `would` and, in that case, `required` tell what would have happened else.
 *
 * A message without recipients is delivered by nobody's threshold; verdicts[0] is there as well.
 */
struct action policy_decide(const struct policy_fields *policies,
	const struct verdict *const *verdicts, size_t count, enum outcome *ret_outcomes);

/*
 * Does this recipient stay on the envelope? Who is redirected stays in this sense, though another
 * address takes the place of his.
 */
bool policy_stays(
	const struct action *action, const struct policy_fields *fields, enum outcome outcome);

/* Does this action put a copy of this recipient's mail into the quarantine? */
bool policy_stores(
	const struct action *action, const struct policy_fields *fields, enum outcome outcome);

#endif
