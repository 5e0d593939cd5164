/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to happen to a message: (thresholds and verdict of each recipient) to one action. */
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
	case ACTION_HOLD:
		return "hold";
	case ACTION_DELIVER:
		break;
	}
	if (action->redirect)
		return "redirect";
	return action->marking == MARK_SCORED && action->spam ? "tag" : "pass";
}

static enum marking marking_of(const struct verdict *verdict)
{
	if (verdict->status == VERDICT_NONE)
		return MARK_NOTHING;
	return verdict->status == VERDICT_SCORED ? MARK_SCORED : MARK_UNSCANNED;
}

/* A message's recipients, as many of each. */
struct mix {
	const struct policy_fields *policies;
	const struct verdict *const *verdicts;
	const enum outcome *outcomes;
	size_t count;
	bool obey_mode;
};

static size_t count_outcome(const struct mix *mix, enum outcome wanted)
{
	size_t found = 0;

	for (size_t i = 0; i < mix->count; i++)
		found += mix->outcomes[i] == wanted;
	return found;
}

/* Who does not get it at once: is his copy one for the mail server to hold, where it can? */
static bool wants_queue(const struct policy_fields *fields, enum outcome outcome)
{
	return outcome != OUTCOME_DISCARD && fields->quarantine_to == QUARANTINE_TO_HOLD;
}

bool policy_stays(
	const struct action *action, const struct policy_fields *fields, enum outcome outcome)
{
	return !outcome_withholds(outcome) ||
		(action->kind == ACTION_HOLD && wants_queue(fields, outcome));
}

/* By how much a score passes a threshold; what is off is farther than any other. */
static int64_t margin(int32_t threshold, int32_t score)
{
	return (int64_t)score - (threshold == THRESHOLD_OFF ? INT32_MAX * 4LL : threshold);
}

/* Is this recipient's copy to be marked as spam, if he were alone? */
static bool is_spam(const struct mix *mix, size_t i)
{
	const struct verdict *verdict = mix->verdicts[i];

	if (verdict->wish != WISH_NONE)
		return mix->outcomes[i] == OUTCOME_TAG;
	return verdict->status == VERDICT_SCORED &&
		threshold_reached(mix->policies[i].tag, verdict->score);
}

/* Who has a say comes before who has none, a score before a failure, spam before none. */
enum { RANK_SPAM = 1, RANK_SCORED = 2, RANK_SAY = 4 };

struct strictness {
	int rank;
	int64_t margin;
};

static struct strictness strictness_of(const struct mix *mix, size_t i)
{
	const struct policy_fields *policy = &mix->policies[i];
	const struct verdict *verdict = mix->verdicts[i];
	bool has_say = !policy->accepted && (!mix->obey_mode || policy->mode == MODE_ENFORCE);
	int rank = (has_say ? RANK_SAY : 0) +
		(verdict->status == VERDICT_SCORED ? RANK_SCORED : 0) +
		(has_say && is_spam(mix, i) ? RANK_SPAM : 0);

	return (struct strictness){ rank,
		margin(has_say ? policy->tag : THRESHOLD_OFF, verdict->score) };
}

static bool is_stricter(struct strictness a, struct strictness b)
{
	return a.rank != b.rank ? a.rank > b.rank : a.margin > b.margin;
}

/*
 * Headers are common to all who get the message: they are those of the strictest, whose score
 * passes his tag threshold by most or fails it by least. Who is redirected does not get it, unless
 * nobody else does.
 */
static void mark(struct action *action, const struct mix *mix)
{
	struct strictness strictest = { -1, 0 };

	for (size_t i = 0; i < mix->count; i++) {
		struct strictness own = strictness_of(mix, i);

		if (!policy_stays(action, &mix->policies[i], mix->outcomes[i]) ||
			(!action->redirect && mix->outcomes[i] == OUTCOME_REDIRECT) ||
			!is_stricter(own, strictest))
			continue;
		strictest = own;
		action->verdict = mix->verdicts[i];
		action->spam = own.rank & RANK_SPAM;
		action->required = own.rank & RANK_SAY ? mix->policies[i].tag : THRESHOLD_OFF;
		action->decisive = action->required != THRESHOLD_OFF ? &mix->policies[i] : NULL;
	}
	action->marking = marking_of(action->verdict);
}

static void defer(struct action *action, const struct mix *mix)
{
	action->kind = ACTION_TEMPFAIL;
	action->code = CODE_TEMPFAIL;
	for (size_t i = 0; i < mix->count; i++)
		if (mix->outcomes[i] == OUTCOME_TEMPFAIL) {
			action->decisive = &mix->policies[i];
			action->verdict = mix->verdicts[i];
		}
}

/* The threshold by which a recipient does not get the message, for one of these outcomes. */
static int32_t threshold_of(const struct policy_fields *fields, enum outcome withheld)
{
	if (withheld == OUTCOME_DEFER)
		return fields->defer;
	return withheld == OUTCOME_QUARANTINE ? fields->quarantine : fields->reject;
}

/* Does this score pass its threshold by less than the decisive one so far? Failures come last. */
static bool is_milder(const struct action *action, int32_t threshold, const struct verdict *verdict)
{
	bool scored = verdict->status == VERDICT_SCORED;

	if (scored != (action->verdict->status == VERDICT_SCORED))
		return scored;
	return margin(threshold, verdict->score) < margin(action->required, action->verdict->score);
}

/*
 * The recipient with this outcome whose score passes the threshold by least, which the others pass
 * as well: for the reply and the log. `only_class` limits it to reply codes that begin so; 0: any.
 */
static bool find_decisive(
	struct action *action, const struct mix *mix, enum outcome wanted, char only_class)
{
	action->decisive = NULL;
	for (size_t i = 0; i < mix->count; i++) {
		const struct policy_fields *policy = &mix->policies[i];
		const struct verdict *verdict = mix->verdicts[i];
		int32_t threshold = threshold_of(policy, wanted);

		if (mix->outcomes[i] != wanted ||
			(only_class != 0 && policy->reject_code[0] != only_class) ||
			(action->decisive != NULL && !is_milder(action, threshold, verdict)))
			continue;
		action->decisive = policy;
		action->required = threshold;
		action->verdict = verdict;
	}
	return action->decisive != NULL;
}

/* Nobody wants it and somebody says so. Who asks for another try gets it, at no harm to others. */
static void refuse(struct action *action, const struct mix *mix)
{
	if (find_decisive(action, mix, OUTCOME_DEFER, 0)) {
		action->kind = ACTION_TEMPFAIL;
		action->code = CODE_TEMPFAIL;
		action->text = DEFER_TEXT;
		return;
	}
	if (find_decisive(action, mix, OUTCOME_REJECT, '4')) {
		action->kind = ACTION_TEMPFAIL;
	} else {
		find_decisive(action, mix, OUTCOME_REJECT, 0);
		action->kind = ACTION_REJECT;
	}
	action->code = action->decisive->reject_code;
	action->text = action->decisive->reject_text;
}

static bool any_wants_queue(const struct mix *mix)
{
	for (size_t i = 0; i < mix->count; i++)
		if (wants_queue(&mix->policies[i], mix->outcomes[i]))
			return true;
	return false;
}

/* Nothing is left to deliver, and the mail server is told that all is well. */
static void discard(struct action *action, const struct mix *mix)
{
	action->kind = ACTION_DISCARD;
	action->hold = find_decisive(action, mix, OUTCOME_QUARANTINE, 0);
	if (!action->hold)
		find_decisive(action, mix, OUTCOME_DISCARD, 0);
}

bool policy_stores(
	const struct action *action, const struct policy_fields *fields, enum outcome outcome)
{
	if (policy_stays(action, fields, outcome) || action->kind == ACTION_TEMPFAIL)
		return false;
	if (outcome == OUTCOME_DISCARD)
		return fields->keep_rejected_ms > 0;
	return action->hold || (action->keep && fields->keep_rejected_ms > 0);
}

/* Is there a copy to be kept that is not held anyway? Each try of a deferral would make one. */
static bool keeps_any(const struct action *action, const struct mix *mix)
{
	for (size_t i = 0; i < mix->count; i++)
		if (mix->policies[i].keep_rejected_ms > 0 &&
			(mix->outcomes[i] == OUTCOME_DISCARD || mix->outcomes[i] == OUTCOME_REJECT))
			return action->kind != ACTION_TEMPFAIL;
	return false;
}

static bool observes(const struct policy_fields *fields)
{
	return fields->mode == MODE_OBSERVE;
}

/* The decision for recipients whose outcomes are known. */
static struct action decide(const struct mix *mix)
{
	struct action action = {
		.kind = ACTION_DELIVER, .required = THRESHOLD_OFF, .verdict = mix->verdicts[0]
	};
	size_t refused = count_outcome(mix, OUTCOME_REJECT) + count_outcome(mix, OUTCOME_DEFER);
	size_t held = count_outcome(mix, OUTCOME_QUARANTINE);
	size_t withheld = refused + held + count_outcome(mix, OUTCOME_DISCARD);
	size_t redirected = count_outcome(mix, OUTCOME_REDIRECT);

	if (count_outcome(mix, OUTCOME_TEMPFAIL) > 0) {
		defer(&action, mix);
	} else if (mix->count == 0 || withheld < mix->count) {
		action.redirect = redirected > 0 && withheld + redirected == mix->count;
		mark(&action, mix);
		action.hold = refused + held > 0;
	} else if (held == 0 && refused > 0) {
		refuse(&action, mix);
	} else if (held > 0 && any_wants_queue(mix)) {
		action.kind = ACTION_HOLD;
		action.hold = true;
		mark(&action, mix);
	} else {
		discard(&action, mix);
	}
	action.keep = keeps_any(&action, mix);
	return action;
}

/* Find the outcomes first; `obey_mode`: who observes gets the message. */
static struct action find_and_decide(const struct policy_fields *policies,
	const struct verdict *const *verdicts, size_t count, enum outcome *ret_outcomes,
	bool obey_mode)
{
	const struct mix mix = { policies, verdicts, ret_outcomes, count, obey_mode };

	for (size_t i = 0; i < count; i++)
		ret_outcomes[i] = obey_mode && observes(&policies[i]) ?
			OUTCOME_PASS :
			policy_outcome(&policies[i], verdicts[i]);
	return decide(&mix);
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

struct action policy_decide(const struct policy_fields *policies,
	const struct verdict *const *verdicts, size_t count, enum outcome *ret_outcomes)
{
	struct action action, would;
	bool observed = false;

	for (size_t i = 0; i < count; i++)
		observed = observed || observes(&policies[i]);
	if (!observed)
		return find_and_decide(policies, verdicts, count, ret_outcomes, false);
	would = find_and_decide(policies, verdicts, count, ret_outcomes, false);
	action = find_and_decide(policies, verdicts, count, ret_outcomes, true);
	action.would = action_word(&would);
	if (action.kind == ACTION_DELIVER && !any_enforced(policies, count, ret_outcomes)) {
		action.marking = MARK_NOTHING;
		action.required = would.required;
		action.verdict = would.verdict;
	}
	return action;
}
