/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to happen to one recipient's copy: (thresholds, verdict) to one outcome. */
#include "policy/outcome.h"

const char *outcome_word(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_TAG:
		return "tag";
	case OUTCOME_COPY:
		return "copy";
	case OUTCOME_REDIRECT:
		return "redirect";
	case OUTCOME_DEFER:
		return "defer";
	case OUTCOME_QUARANTINE:
		return "quarantine";
	case OUTCOME_DISCARD:
		return "discard";
	case OUTCOME_REJECT:
		return "reject";
	case OUTCOME_TEMPFAIL:
		return "tempfail";
	case OUTCOME_PASS:
		break;
	}
	return "pass";
}

bool threshold_reached(int32_t threshold, int32_t score)
{
	return threshold != THRESHOLD_OFF && score >= threshold;
}

/* Reached, where a threshold may be that of tagging. */
static bool follows(int32_t threshold, const struct policy_fields *fields, int32_t score)
{
	return threshold_reached(threshold == THRESHOLD_TAG ? fields->tag : threshold, score);
}

static enum outcome outcome_of_score(const struct policy_fields *fields, int32_t score)
{
	if (threshold_reached(fields->reject, score))
		return fields->reject_action == REJECT_ACTION_DISCARD ? OUTCOME_DISCARD :
									OUTCOME_REJECT;
	if (threshold_reached(fields->quarantine, score))
		return OUTCOME_QUARANTINE;
	if (threshold_reached(fields->defer, score))
		return OUTCOME_DEFER;
	if (fields->redirect[0] != '\0' && follows(fields->redirect_score, fields, score))
		return OUTCOME_REDIRECT;
	if (fields->copy_to[0] != '\0' && follows(fields->copy_score, fields, score))
		return OUTCOME_COPY;
	return threshold_reached(fields->tag, score) ? OUTCOME_TAG : OUTCOME_PASS;
}

/* What is off for a recipient never happens to it: the next lower one that is not, does. */
static enum outcome tagged(const struct policy_fields *fields)
{
	return fields->tag != THRESHOLD_OFF ? OUTCOME_TAG : OUTCOME_PASS;
}

static enum outcome held(const struct policy_fields *fields)
{
	return fields->quarantine != THRESHOLD_OFF ? OUTCOME_QUARANTINE : tagged(fields);
}

static enum outcome refused(const struct policy_fields *fields)
{
	if (fields->reject == THRESHOLD_OFF)
		return held(fields);
	return fields->reject_action == REJECT_ACTION_DISCARD ? OUTCOME_DISCARD : OUTCOME_REJECT;
}

/* A scorer that is trusted to decide; only our own settings let anything be thrown away. */
static enum outcome outcome_of_wish(
	const struct policy_fields *fields, const struct verdict *verdict)
{
	switch (verdict->wish) {
	case WISH_PASS:
		return OUTCOME_PASS;
	case WISH_TAG:
		return tagged(fields);
	case WISH_QUARANTINE:
		return held(fields);
	case WISH_DISCARD:
		return fields->quarantine != THRESHOLD_OFF ? OUTCOME_QUARANTINE : refused(fields);
	case WISH_REJECT:
		return refused(fields);
	case WISH_DEFER:
		return OUTCOME_TEMPFAIL;
	case WISH_NONE:
		break;
	}
	return outcome_of_score(fields, verdict->score);
}

static enum outcome outcome_of_failure(const struct policy_fields *fields)
{
	switch (fields->on_failure) {
	case ON_FAILURE_TEMPFAIL:
		return OUTCOME_TEMPFAIL;
	case ON_FAILURE_QUARANTINE:
		return OUTCOME_QUARANTINE;
	case ON_FAILURE_ACCEPT:
		break;
	}
	return OUTCOME_PASS;
}

enum outcome policy_outcome(const struct policy_fields *fields, const struct verdict *verdict)
{
	switch (verdict->status) {
	case VERDICT_NONE:
		return OUTCOME_PASS;
	case VERDICT_SCORED:
		return fields->accepted ? OUTCOME_PASS : outcome_of_wish(fields, verdict);
	case VERDICT_REFUSED:
	case VERDICT_TIMEOUT:
	case VERDICT_MALFORMED:
	case VERDICT_OVERLOADED:
	case VERDICT_OVERSIZE:
		return fields->accepted ? OUTCOME_PASS : outcome_of_failure(fields);
	case VERDICT_ERROR:
		break;
	}
	/* A doubt of our own (memory, disk) is no scorer's failure: the sender tries again. */
	return OUTCOME_TEMPFAIL;
}

bool outcome_withholds(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_DEFER:
	case OUTCOME_QUARANTINE:
	case OUTCOME_DISCARD:
	case OUTCOME_REJECT:
		return true;
	case OUTCOME_PASS:
	case OUTCOME_TAG:
	case OUTCOME_COPY:
	case OUTCOME_REDIRECT:
	case OUTCOME_TEMPFAIL:
		break;
	}
	return false;
}

const char *outcome_adds(enum outcome outcome, const struct policy_fields *fields)
{
	if (outcome == OUTCOME_REDIRECT)
		return fields->redirect;
	return outcome == OUTCOME_COPY ? fields->copy_to : NULL;
}
