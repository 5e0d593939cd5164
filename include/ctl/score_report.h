/* SPDX-License-Identifier: BSD-2-Clause */
/* What would happen to a message, and why, for a person or a program. */
#ifndef SPAMBRIDGE_CTL_SCORE_REPORT_H
#define SPAMBRIDGE_CTL_SCORE_REPORT_H

#include <jansson.h>

#include "judge/judge.h"

/* As text on standard output; `file` is the message's name. */
void score_report_print(
	const char *file, const struct judgement *judgement, const struct transaction *mail);

/* As a JSON object, the caller's. */
json_t *score_report_json(
	const char *file, const struct judgement *judgement, const struct transaction *mail);

#endif
