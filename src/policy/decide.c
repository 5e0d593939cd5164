/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to happen to a message: (thresholds of each recipient, verdict) to one action. */
#include "policy/decide.h"

const char *action_word(const struct action *action)
{
	switch (action->kind) {
	case ACTION_REJECT:
		return "reject";
	case ACTION_TEMPFAIL:
		return "tempfail";
	case ACTION_DELIVER:
		break;
	}
	return action->marking == MARK_SCORED && action->spam ? "tag" : "pass";
}

static bool reached(int32_t threshold, int32_t score)
{
	return threshold != THRESHOLD_OFF && score >= threshold;
}

static enum outcome outcome_of_score(const struct policy_fields *fields, int32_t score)
{
	if (reached(fields->reject, score))
		return OUTCOME_REJECT;
	if (reached(fields->quarantine, score))
		return OUTCOME_QUARANTINE;
	return reached(fields->tag, score) ? OUTCOME_TAG : OUTCOME_PASS;
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
		return outcome_of_score(fields, verdict->score);
	case VERDICT_REFUSED:
	case VERDICT_TIMEOUT:
	case VERDICT_MALFORMED:
	case VERDICT_OVERLOADED:
	case VERDICT_OVERSIZE:
	case VERDICT_ERROR:
		break;
	}
	return outcome_of_failure(fields);
}

static enum marking marking_of(const struct verdict *verdict)
{
	if (verdict->status == VERDICT_NONE)
		return MARK_NOTHING;
	return verdict->status == VERDICT_SCORED ? MARK_SCORED : MARK_UNSCANNED;
}

/* Headers are common to all: the strictest tag threshold among the recipients rules them. */
static void mark(struct action *action, const struct policy_fields *policies, size_t count,
	const struct verdict *verdict)
{
	action->marking = marking_of(verdict);
	for (size_t i = 0; i < count; i++)
		if (policies[i].tag < action->required) {
			action->required = policies[i].tag;
			action->decisive = &policies[i];
		}
	action->spam = verdict->status == VERDICT_SCORED && reached(action->required, verdict->score);
}

/* The first recipient with this outcome, or NULL. */
static const struct policy_fields *first_with(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, enum outcome outcome)
{
	for (size_t i = 0; i < count; i++)
		if (policy_outcome(&policies[i], verdict) == outcome)
			return &policies[i];
	return NULL;
}

static size_t count_with(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, enum outcome outcome)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += policy_outcome(&policies[i], verdict) == outcome;
	return found;
}

/* For the reply and the log: the mildest reject threshold, which the score has reached as well. */
static void refuse(struct action *action, const struct policy_fields *policies, size_t count)
{
	action->kind = ACTION_REJECT;
	action->decisive = &policies[0];
	for (size_t i = 1; i < count; i++)
		if (policies[i].reject > action->decisive->reject)
			action->decisive = &policies[i];
	action->required = action->decisive->reject;
}

struct action policy_decide(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict)
{
	struct action action = { .kind = ACTION_DELIVER, .required = THRESHOLD_OFF };
	const struct policy_fields *deferring =
		first_with(policies, count, verdict, OUTCOME_TEMPFAIL);

	mark(&action, policies, count, verdict);
	if (deferring != NULL) {
		action.kind = ACTION_TEMPFAIL;
		action.decisive = deferring;
	} else if (count > 0 && count_with(policies, count, verdict, OUTCOME_REJECT) == count) {
		refuse(&action, policies, count);
	}
	/*
	 * A milter has one answer for all recipients: a message that only some of them refuse is
	 * delivered, marked, to all.
	 */
	return action;
}
