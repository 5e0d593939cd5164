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
	case ACTION_DISCARD:
		return "quarantine";
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
	return fields->reject != THRESHOLD_OFF ? OUTCOME_REJECT : held(fields);
}

/* A scorer that is trusted to decide; nothing is thrown away, whatever it wants. */
static enum outcome outcome_of_wish(const struct policy_fields *fields,
	const struct verdict *verdict)
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
		return outcome_of_wish(fields, verdict);
	case VERDICT_REFUSED:
	case VERDICT_TIMEOUT:
	case VERDICT_MALFORMED:
	case VERDICT_OVERLOADED:
	case VERDICT_OVERSIZE:
		return outcome_of_failure(fields);
	case VERDICT_ERROR:
		break;
	}
	/* A doubt of our own (memory, disk) is no scorer's failure: the sender tries again. */
	return OUTCOME_TEMPFAIL;
}

static enum marking marking_of(const struct verdict *verdict)
{
	if (verdict->status == VERDICT_NONE)
		return MARK_NOTHING;
	return verdict->status == VERDICT_SCORED ? MARK_SCORED : MARK_UNSCANNED;
}

bool outcome_withholds(enum outcome outcome)
{
	return outcome == OUTCOME_QUARANTINE || outcome == OUTCOME_REJECT;
}

static size_t count_outcome(const enum outcome *outcomes, size_t count, enum outcome wanted)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += outcomes[i] == wanted;
	return found;
}

/* Headers are common to all who get the message: the strictest tag threshold among them counts. */
static void mark(struct action *action, const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, const enum outcome *outcomes)
{
	action->marking = marking_of(verdict);
	for (size_t i = 0; i < count; i++)
		if (!outcome_withholds(outcomes[i]) && policies[i].tag < action->required) {
			action->required = policies[i].tag;
			action->decisive = &policies[i];
		}
	action->spam = verdict->wish == WISH_NONE ?
		verdict->status == VERDICT_SCORED && reached(action->required, verdict->score) :
		count_outcome(outcomes, count, OUTCOME_TAG) > 0;
}

static void defer(struct action *action, const struct policy_fields *policies, size_t count,
	const enum outcome *outcomes)
{
	action->kind = ACTION_TEMPFAIL;
	for (size_t i = 0; i < count; i++)
		if (outcomes[i] == OUTCOME_TEMPFAIL)
			action->decisive = &policies[i];
}

/* For the reply and the log: the mildest reject threshold, which the score has reached as well. */
static void refuse(struct action *action, const struct policy_fields *policies, size_t count)
{
	action->kind = ACTION_REJECT;
	action->decisive = &policies[0];
	for (size_t i = 0; i < count; i++) {
		if (policies[i].reject > action->decisive->reject)
			action->decisive = &policies[i];
		action->keep = action->keep || policies[i].keep_rejected_ms > 0;
	}
	action->required = action->decisive->reject;
}

/* Nothing is left to deliver: for the log, the mildest threshold by which a copy is held. */
static void discard(struct action *action, const struct policy_fields *policies, size_t count,
	const enum outcome *outcomes)
{
	action->kind = ACTION_DISCARD;
	action->hold = true;
	for (size_t i = 0; i < count; i++)
		if (outcomes[i] == OUTCOME_QUARANTINE &&
			(action->decisive == NULL ||
				policies[i].quarantine > action->decisive->quarantine))
			action->decisive = &policies[i];
	action->required = action->decisive->quarantine;
}

struct action policy_decide(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, enum outcome *ret_outcomes)
{
	struct action action = { .kind = ACTION_DELIVER, .required = THRESHOLD_OFF };
	size_t rejected, kept;

	for (size_t i = 0; i < count; i++)
		ret_outcomes[i] = policy_outcome(&policies[i], verdict);
	rejected = count_outcome(ret_outcomes, count, OUTCOME_REJECT);
	kept = count_outcome(ret_outcomes, count, OUTCOME_QUARANTINE);
	if (count_outcome(ret_outcomes, count, OUTCOME_TEMPFAIL) > 0) {
		defer(&action, policies, count, ret_outcomes);
	} else if (count > 0 && rejected == count) {
		refuse(&action, policies, count);
	} else if (count > 0 && rejected + kept == count) {
		discard(&action, policies, count, ret_outcomes);
	} else {
		mark(&action, policies, count, verdict, ret_outcomes);
		action.hold = rejected + kept > 0;
	}
	return action;
}
