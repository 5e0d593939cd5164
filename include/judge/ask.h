/* SPDX-License-Identifier: BSD-2-Clause */
/* Getting the verdicts on a message: of scans that were late for an earlier attempt, or new. */
#ifndef SPAMBRIDGE_JUDGE_ASK_H
#define SPAMBRIDGE_JUDGE_ASK_H

#include "judge/judge.h"

/*
 * Fill in judgement->users and the verdict of each, all scans side by side within the deadline.
 * Always succeeds: what fails is a verdict's status. The policies must be known.
 */
void judgement_ask(const struct judge_input *input, struct judgement *judgement);

#endif
