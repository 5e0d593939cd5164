/* SPDX-License-Identifier: BSD-2-Clause */
/* Which line of the configuration decided what happens to a message. Pure. */
#ifndef SPAMBRIDGE_JUDGE_RULE_H
#define SPAMBRIDGE_JUDGE_RULE_H

#include "config/policy_fields.h"
#include "judge/judge.h"
#include "judge/transaction.h"

struct rule {
	const char *option;   /* its name, a constant; NULL: no option decided */
	struct origin origin; /* where it is set */
};

/*
 * The threshold that was reached, or for what was delivered unmarked the lowest one that was not;
 * the list or network that exempts; on_failure. Of several recipients' rules that of the decisive
 * one. None where a failure of our own or a reviewer decided.
 */
struct rule rule_find(const struct judgement *judgement, const struct transaction *mail);

/* Append "reject:/etc/spambridge/spambridge.conf:12", "tag:default", or nothing. */
bool rule_print(const struct rule *rule, struct buf *out);

#endif
