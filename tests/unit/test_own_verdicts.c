/* SPDX-License-Identifier: BSD-2-Clause */
/* The decision where each recipient has a verdict of its own: every combination of three. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/decide.h"

#define OFF  THRESHOLD_OFF
#define TEXT .reject_code = "550 5.7.1", .reject_text = "refused", .redirect = "", .copy_to = ""

static const struct policy_fields usual = {
	.tag = 4000, .defer = OFF, .quarantine = 8000, .reject = 12000, TEXT
};
static const struct policy_fields lax = {
	.tag = 6000, .defer = OFF, .quarantine = 10000, .reject = 14000, TEXT
};
static const struct policy_fields wants_all = {
	.tag = OFF, .defer = OFF, .quarantine = OFF, .reject = OFF, TEXT
};
static const struct policy_fields holds_failures = { .tag = 4000,
	.defer = OFF,
	.quarantine = 8000,
	.reject = 12000,
	.on_failure = ON_FAILURE_QUARANTINE,
	TEXT };
static const struct policy_fields defers_failures = { .tag = 4000,
	.defer = OFF,
	.quarantine = 8000,
	.reject = 12000,
	.on_failure = ON_FAILURE_TEMPFAIL,
	TEXT };

#define SCORED(milli)                                      \
	{                                                  \
		.status = VERDICT_SCORED, .score = (milli) \
	}
#define FAILED                            \
	{                                 \
		.status = VERDICT_TIMEOUT \
	}

/* What can befall a recipient; its letter names it in the orders below. */
static const struct situation {
	char letter;
	const struct policy_fields *policy;
	struct verdict verdict;
	enum outcome outcome;
	int32_t threshold; /* that required= would name */
} situations[] = {
	{ 'A', &usual, SCORED(1000), OUTCOME_PASS, 4000 },
	{ 'B', &usual, SCORED(5500), OUTCOME_TAG, 4000 }, /* 1.5 above */
	{ 'C', &lax, SCORED(5800), OUTCOME_PASS, 6000 },  /* 0.2 below, and more than B has */
	{ 'D', &lax, SCORED(8000), OUTCOME_TAG, 6000 },   /* 2.0 above */
	{ 'E', &usual, SCORED(9000), OUTCOME_QUARANTINE, 8000 }, /* 1.0 above */
	{ 'F', &lax, SCORED(13000), OUTCOME_QUARANTINE, 10000 }, /* 3.0 above */
	{ 'G', &usual, SCORED(13500), OUTCOME_REJECT, 12000 },   /* 1.5 above */
	{ 'H', &lax, SCORED(15000), OUTCOME_REJECT, 14000 },     /* 1.0 above */
	{ 'I', &wants_all, SCORED(20000), OUTCOME_PASS, OFF },
	{ 'J', &usual, FAILED, OUTCOME_PASS, 4000 },
	{ 'K', &holds_failures, FAILED, OUTCOME_QUARANTINE, 8000 },
	{ 'L', &defers_failures, FAILED, OUTCOME_TEMPFAIL, OFF },
};

enum { SITUATIONS = sizeof(situations) / sizeof(situations[0]) };

/* The first letter of `order` that is among the recipients; NULL: none is. */
static const struct situation *first_of(
	const char *order, const struct situation *const *recipients, size_t count)
{
	for (; *order != '\0'; order++)
		for (size_t i = 0; i < count; i++)
			if (recipients[i]->letter == *order)
				return recipients[i];
	return NULL;
}

/* What design and manual say, written down as an order of letters. */
static const struct situation *expect(
	const struct situation *const *recipients, size_t count, struct action *ret_expected)
{
	const struct situation *found;

	*ret_expected = (struct action){ .kind = ACTION_TEMPFAIL };
	if ((found = first_of("L", recipients, count)) != NULL)
		return found;
	ret_expected->kind = ACTION_DELIVER;
	ret_expected->hold = first_of("EFGHK", recipients, count) != NULL;
	if ((found = first_of("DBCAIJ", recipients, count)) != NULL) {
		ret_expected->marking = found->letter == 'J' ? MARK_UNSCANNED : MARK_SCORED;
		ret_expected->spam = found->letter == 'D' || found->letter == 'B';
		return found;
	}
	ret_expected->kind = ACTION_DISCARD;
	if ((found = first_of("EFK", recipients, count)) != NULL)
		return found;
	*ret_expected = (struct action){ .kind = ACTION_REJECT };
	return first_of("HG", recipients, count);
}

static void check_mix(const struct situation *const *recipients, size_t count)
{
	struct policy_fields policies[3] = { { 0 } };
	const struct verdict *verdicts[3] = { NULL };
	enum outcome outcomes[3];
	struct action action, expected;
	const struct situation *shown = expect(recipients, count, &expected);

	for (size_t i = 0; i < count; i++) {
		policies[i] = *recipients[i]->policy;
		verdicts[i] = &recipients[i]->verdict;
	}
	action = policy_decide(policies, verdicts, count, outcomes);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(outcomes[i], recipients[i]->outcome);
	assert_int_equal(action.kind, expected.kind);
	assert_int_equal(action.hold, expected.hold);
	assert_int_equal(action.marking, expected.marking);
	assert_int_equal(action.spam, expected.spam);
	assert_ptr_equal(action.verdict, &shown->verdict);
	assert_int_equal(action.required, shown->threshold);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(policy_stores(&action, &policies[i], outcomes[i]),
			expected.hold && outcome_withholds(outcomes[i]));
}

/* Every combination of one to three recipients and twelve situations. */
static void each_decides_by_its_own_score(void **state)
{
	(void)state;
	for (size_t a = 0; a < SITUATIONS; a++) {
		const struct situation *mix[3] = { &situations[a] };

		check_mix(mix, 1);
		for (size_t b = 0; b < SITUATIONS; b++) {
			mix[1] = &situations[b];
			check_mix(mix, 2);
			for (size_t c = 0; c < SITUATIONS; c++) {
				mix[2] = &situations[c];
				check_mix(mix, 3);
			}
		}
	}
}

static void who_has_no_say_shows_no_score(void **state)
{
	struct policy_fields policies[] = { usual, usual, usual };
	const struct verdict spam = SCORED(20000), more = SCORED(21000), ham = SCORED(1000);
	const struct verdict *verdicts[] = { &spam, &more, &ham };
	enum outcome outcomes[3];
	struct action action;

	(void)state;
	policies[0].accepted = true;
	policies[1].mode = MODE_OBSERVE;
	action = policy_decide(policies, verdicts, 3, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_ptr_equal(action.verdict, &ham);
	assert_int_equal(action.required, 4000);
	assert_false(action.spam);
	/* Where nobody has one, the highest score is shown, and no threshold. */
	action = policy_decide(policies, verdicts, 2, outcomes);
	assert_ptr_equal(action.verdict, &more);
	assert_int_equal(action.required, OFF);
	assert_false(action.spam);
}

static void observers_see_what_would_have_been(void **state)
{
	struct policy_fields policies[] = { usual, usual };
	const struct verdict refused = SCORED(13000), held = SCORED(9000);
	const struct verdict *verdicts[] = { &refused, &held };
	enum outcome outcomes[2];
	struct action action;

	(void)state;
	policies[0].mode = policies[1].mode = MODE_OBSERVE;
	action = policy_decide(policies, verdicts, 2, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_int_equal(action.marking, MARK_NOTHING);
	assert_string_equal(action.would, "quarantine");
	assert_int_equal(action.required, 8000);
	assert_ptr_equal(action.verdict, &held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_decides_by_its_own_score),
		cmocka_unit_test(who_has_no_say_shows_no_score),
		cmocka_unit_test(observers_see_what_would_have_been),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
