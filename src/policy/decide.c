/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to happen to a message: (thresholds of each recipient, verdict) to one action. */
#include "policy/decide.h"

#define DEFER_TEXT "Put off as suspected spam (score %{score}), try again later"

const char *action_word(const struct action *action)
{
	switch (action->kind) {
	case ACTION_REJECT:
		return "reject";
	case ACTION_TEMPFAIL:
		return "tempfail";
	case ACTION_DISCARD:
		return action->hold ? "quarantine" : "discard";
	case ACTION_DELIVER:
		break;
	}
	if (action->redirect)
		return "redirect";
	return action->marking == MARK_SCORED && action->spam ? "tag" : "pass";
}

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

static bool reached(int32_t threshold, int32_t score)
{
	return threshold != THRESHOLD_OFF && score >= threshold;
}

/* Reached, where a threshold may be that of tagging. */
static bool follows(int32_t threshold, const struct policy_fields *fields, int32_t score)
{
	return reached(threshold == THRESHOLD_TAG ? fields->tag : threshold, score);
}

static enum outcome outcome_of_score(const struct policy_fields *fields, int32_t score)
{
	if (reached(fields->reject, score))
		return fields->reject_action == REJECT_ACTION_DISCARD ? OUTCOME_DISCARD :
									OUTCOME_REJECT;
	if (reached(fields->quarantine, score))
		return OUTCOME_QUARANTINE;
	if (reached(fields->defer, score))
		return OUTCOME_DEFER;
	if (fields->redirect[0] != '\0' && follows(fields->redirect_score, fields, score))
		return OUTCOME_REDIRECT;
	if (fields->copy_to[0] != '\0' && follows(fields->copy_score, fields, score))
		return OUTCOME_COPY;
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

static enum marking marking_of(const struct verdict *verdict)
{
	if (verdict->status == VERDICT_NONE)
		return MARK_NOTHING;
	return verdict->status == VERDICT_SCORED ? MARK_SCORED : MARK_UNSCANNED;
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

static size_t count_outcome(const enum outcome *outcomes, size_t count, enum outcome wanted)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += outcomes[i] == wanted;
	return found;
}

/*
 * Headers are common to all who get the message: the strictest tag threshold among them counts.
 * Who is redirected does not get it, unless nobody else does.
 */
static void mark(struct action *action, const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, const enum outcome *outcomes, bool obey_mode)
{
	action->marking = marking_of(verdict);
	for (size_t i = 0; i < count; i++)
		if (!outcome_withholds(outcomes[i]) && !policies[i].accepted &&
			(action->redirect || outcomes[i] != OUTCOME_REDIRECT) &&
			(!obey_mode || policies[i].mode == MODE_ENFORCE) &&
			policies[i].tag < action->required) {
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
	action->code = CODE_TEMPFAIL;
	for (size_t i = 0; i < count; i++)
		if (outcomes[i] == OUTCOME_TEMPFAIL)
			action->decisive = &policies[i];
}

/* The threshold by which a recipient does not get the message. */
static int32_t threshold_of(const struct policy_fields *fields, enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_DEFER:
		return fields->defer;
	case OUTCOME_QUARANTINE:
		return fields->quarantine;
	case OUTCOME_DISCARD:
	case OUTCOME_REJECT:
		return fields->reject;
	case OUTCOME_PASS:
	case OUTCOME_TAG:
	case OUTCOME_COPY:
	case OUTCOME_REDIRECT:
	case OUTCOME_TEMPFAIL:
		break;
	}
	return fields->tag;
}

/*
 * The recipient with this outcome and the mildest threshold, which the score has reached as well:
 * for the reply and the log. `only_class` limits it to reply codes that begin so; 0: any.
 */
static bool find_decisive(struct action *action, const struct policy_fields *policies, size_t count,
	const enum outcome *outcomes, enum outcome wanted, char only_class)
{
	action->decisive = NULL;
	for (size_t i = 0; i < count; i++) {
		int32_t threshold = threshold_of(&policies[i], outcomes[i]);

		if (outcomes[i] != wanted ||
			(only_class != 0 && policies[i].reject_code[0] != only_class) ||
			(action->decisive != NULL && threshold <= action->required))
			continue;
		action->decisive = &policies[i];
		action->required = threshold;
	}
	return action->decisive != NULL;
}

/* Nobody wants it and somebody says so. Who asks for another try gets it, at no harm to others. */
static void refuse(struct action *action, const struct policy_fields *policies, size_t count,
	const enum outcome *outcomes)
{
	if (find_decisive(action, policies, count, outcomes, OUTCOME_DEFER, 0)) {
		action->kind = ACTION_TEMPFAIL;
		action->code = CODE_TEMPFAIL;
		action->text = DEFER_TEXT;
		return;
	}
	if (find_decisive(action, policies, count, outcomes, OUTCOME_REJECT, '4')) {
		action->kind = ACTION_TEMPFAIL;
	} else {
		find_decisive(action, policies, count, outcomes, OUTCOME_REJECT, 0);
		action->kind = ACTION_REJECT;
	}
	action->code = action->decisive->reject_code;
	action->text = action->decisive->reject_text;
}

/* Nothing is left to deliver, and the mail server is told that all is well. */
static void discard(struct action *action, const struct policy_fields *policies, size_t count,
	const enum outcome *outcomes)
{
	action->kind = ACTION_DISCARD;
	action->hold = find_decisive(action, policies, count, outcomes, OUTCOME_QUARANTINE, 0);
	if (!action->hold)
		find_decisive(action, policies, count, outcomes, OUTCOME_DISCARD, 0);
}

bool policy_stores(
	const struct action *action, const struct policy_fields *fields, enum outcome outcome)
{
	if (!outcome_withholds(outcome) || action->kind == ACTION_TEMPFAIL)
		return false;
	if (outcome == OUTCOME_DISCARD)
		return fields->keep_rejected_ms > 0;
	return action->hold || (action->keep && fields->keep_rejected_ms > 0);
}

/* Is there a copy to be kept that is not held anyway? Each try of a deferral would make one. */
static bool keeps_any(const struct action *action, const struct policy_fields *policies,
	size_t count, const enum outcome *outcomes)
{
	for (size_t i = 0; i < count; i++)
		if (policies[i].keep_rejected_ms > 0 &&
			(outcomes[i] == OUTCOME_DISCARD || outcomes[i] == OUTCOME_REJECT))
			return action->kind != ACTION_TEMPFAIL;
	return false;
}

static bool observes(const struct policy_fields *fields)
{
	return fields->mode == MODE_OBSERVE;
}

/* The decision; `obey_mode`: who observes gets the message. */
static struct action decide(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, enum outcome *ret_outcomes, bool obey_mode)
{
	struct action action = { .kind = ACTION_DELIVER, .required = THRESHOLD_OFF };
	size_t refused, held, dropped, redirected;

	for (size_t i = 0; i < count; i++)
		ret_outcomes[i] = obey_mode && observes(&policies[i]) ?
			OUTCOME_PASS :
			policy_outcome(&policies[i], verdict);
	refused = count_outcome(ret_outcomes, count, OUTCOME_REJECT) +
		count_outcome(ret_outcomes, count, OUTCOME_DEFER);
	held = count_outcome(ret_outcomes, count, OUTCOME_QUARANTINE);
	dropped = count_outcome(ret_outcomes, count, OUTCOME_DISCARD);
	redirected = count_outcome(ret_outcomes, count, OUTCOME_REDIRECT);
	if (count_outcome(ret_outcomes, count, OUTCOME_TEMPFAIL) > 0) {
		defer(&action, policies, count, ret_outcomes);
	} else if (count == 0 || refused + held + dropped < count) {
		action.redirect = redirected > 0 && refused + held + dropped + redirected == count;
		mark(&action, policies, count, verdict, ret_outcomes, obey_mode);
		action.hold = refused + held > 0;
	} else if (held == 0 && refused > 0) {
		refuse(&action, policies, count, ret_outcomes);
	} else {
		discard(&action, policies, count, ret_outcomes);
	}
	action.keep = keeps_any(&action, policies, count, ret_outcomes);
	return action;
}

/* Is there somebody who gets the message and does not observe? */
static bool any_enforced(
	const struct policy_fields *policies, size_t count, const enum outcome *outcomes)
{
	for (size_t i = 0; i < count; i++)
		if (!outcome_withholds(outcomes[i]) && !observes(&policies[i]))
			return true;
	return false;
}

struct action policy_decide(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, enum outcome *ret_outcomes)
{
	struct action action, would;
	bool observed = false;

	for (size_t i = 0; i < count; i++)
		observed = observed || observes(&policies[i]);
	if (!observed)
		return decide(policies, count, verdict, ret_outcomes, false);
	would = decide(policies, count, verdict, ret_outcomes, false);
	action = decide(policies, count, verdict, ret_outcomes, true);
	action.would = action_word(&would);
	if (action.kind == ACTION_DELIVER && !any_enforced(policies, count, ret_outcomes)) {
		action.marking = MARK_NOTHING;
		action.required = would.required;
	}
	return action;
}
