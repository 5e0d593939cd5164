/* SPDX-License-Identifier: BSD-2-Clause */
/* The decision: thresholds at every tenth, failures, several recipients. Traps 26, 31, 32, 49. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/decide.h"

static const struct policy_fields usual = { .tag = 5000, .quarantine = THRESHOLD_OFF,
	.reject = 15000 };
static const struct policy_fields strict = { .tag = 3000, .quarantine = THRESHOLD_OFF,
	.reject = 8000 };
static const struct policy_fields nothing = { .tag = THRESHOLD_OFF,
	.quarantine = THRESHOLD_OFF, .reject = THRESHOLD_OFF };
static const struct policy_fields careful = { .tag = 5000, .quarantine = THRESHOLD_OFF,
	.reject = 15000, .on_failure = ON_FAILURE_TEMPFAIL };

static enum outcome outcomes[3];

static struct verdict scored(int32_t milli)
{
	return (struct verdict){ .status = VERDICT_SCORED, .score = milli };
}

static void thresholds_are_reached_exactly(void **state)
{
	static const struct {
		int32_t score;
		enum outcome outcome;
	} rows[] = {
		{ -1000, OUTCOME_PASS }, { 0, OUTCOME_PASS }, { 4900, OUTCOME_PASS },
		{ 4999, OUTCOME_PASS }, { 5000, OUTCOME_TAG }, { 5100, OUTCOME_TAG },
		{ 14900, OUTCOME_TAG }, { 14999, OUTCOME_TAG }, { 15000, OUTCOME_REJECT },
		{ 1000000, OUTCOME_REJECT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = scored(rows[i].score);

		assert_int_equal(policy_outcome(&usual, &verdict), rows[i].outcome);
		assert_int_equal(policy_outcome(&nothing, &verdict), OUTCOME_PASS);
	}
}

static void the_most_severe_threshold_wins(void **state)
{
	/* Out of order across sections is allowed: reject over quarantine over tag. */
	const struct policy_fields odd = { .tag = 9000, .quarantine = 7000, .reject = 5000 };
	struct verdict verdict = scored(6000);

	(void)state;
	assert_int_equal(policy_outcome(&odd, &verdict), OUTCOME_REJECT);
}

static void failures_follow_on_failure(void **state)
{
	static const enum verdict_status failures[] = { VERDICT_REFUSED, VERDICT_TIMEOUT,
		VERDICT_MALFORMED, VERDICT_OVERLOADED, VERDICT_OVERSIZE };

	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct verdict verdict = { .status = failures[i], .score = 99000 };
		struct action action = policy_decide(&strict, 1, &verdict, outcomes);

		assert_int_equal(action.kind, ACTION_DELIVER);
		assert_int_equal(action.marking, MARK_UNSCANNED);
		assert_false(action.spam);
		assert_string_equal(action_word(&action), "pass");
		action = policy_decide(&careful, 1, &verdict, outcomes);
		assert_int_equal(action.kind, ACTION_TEMPFAIL);
		assert_string_equal(action_word(&action), "tempfail");
	}
}

static void our_own_failures_defer(void **state)
{
	struct verdict verdict = { .status = VERDICT_ERROR };
	struct action action = policy_decide(&usual, 1, &verdict, outcomes);

	(void)state;
	assert_int_equal(action.kind, ACTION_TEMPFAIL);
}

static void mail_that_was_not_asked_about_passes(void **state)
{
	struct verdict verdict = { .status = VERDICT_NONE };
	struct action action = policy_decide(&careful, 1, &verdict, outcomes);

	(void)state;
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_int_equal(action.marking, MARK_NOTHING);
}

static void one_recipient_decides_for_itself(void **state)
{
	struct verdict verdict = scored(8000);
	struct action action = policy_decide(&strict, 1, &verdict, outcomes);

	(void)state;
	assert_int_equal(action.kind, ACTION_REJECT);
	assert_int_equal(action.required, 8000);
	assert_ptr_equal(action.decisive, &strict);
	action = policy_decide(&usual, 1, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_true(action.spam);
	assert_int_equal(action.required, 5000);
	assert_string_equal(action_word(&action), "tag");
	action = policy_decide(&nothing, 1, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_false(action.spam);
	assert_int_equal(action.required, THRESHOLD_OFF);
}

/* What design and manual say of a message to several recipients, written down independently. */
static enum action_kind expected_kind(const enum outcome *wanted, size_t count)
{
	size_t reject = 0, hold = 0;

	for (size_t i = 0; i < count; i++) {
		reject += wanted[i] == OUTCOME_REJECT;
		hold += wanted[i] == OUTCOME_QUARANTINE;
	}
	if (reject == count)
		return ACTION_REJECT;
	return reject + hold == count ? ACTION_DISCARD : ACTION_DELIVER;
}

/* Every combination of one to three recipients and four outcomes at score 10. Trap 49. */
static void every_combination_of_recipients(void **state)
{
	static const struct policy_fields by_outcome[] = {
		[OUTCOME_PASS] = { .tag = 12000, .quarantine = 13000, .reject = 14000 },
		[OUTCOME_TAG] = { .tag = 4000, .quarantine = 13000, .reject = 14000 },
		[OUTCOME_QUARANTINE] = { .tag = 3000, .quarantine = 8000, .reject = 14000 },
		[OUTCOME_REJECT] = { .tag = 2000, .quarantine = 5000, .reject = 9000 },
	};
	struct verdict verdict = scored(10000);

	(void)state;
	for (size_t count = 1; count <= 3; count++)
		for (unsigned mix = 0; mix < 1u << (2 * count); mix++) {
			enum outcome wanted[3];
			struct policy_fields policies[3];
			struct action action;
			bool any_tag = false, any_left = false, withheld = false;

			for (size_t i = 0; i < count; i++) {
				wanted[i] = (enum outcome)(mix >> (2 * i) & 3);
				policies[i] = by_outcome[wanted[i]];
				any_tag = any_tag || wanted[i] == OUTCOME_TAG;
				any_left = any_left || !outcome_withholds(wanted[i]);
				withheld = withheld || outcome_withholds(wanted[i]);
			}
			action = policy_decide(policies, count, &verdict, outcomes);
			assert_memory_equal(outcomes, wanted, count * sizeof(wanted[0]));
			assert_int_equal(action.kind, expected_kind(wanted, count));
			assert_int_equal(action.hold, withheld && action.kind != ACTION_REJECT);
			assert_false(action.keep);
			if (!any_left)
				continue;
			/* Who does not get it has no say in the headers. */
			assert_int_equal(action.spam, any_tag);
			assert_int_equal(action.required, any_tag ? 4000 : 12000);
		}
}

static void refused_mail_is_kept_for_who_wants_it(void **state)
{
	struct policy_fields policies[] = { usual, usual };
	struct verdict verdict = scored(20000);
	struct action action;

	(void)state;
	policies[1].keep_rejected_ms = 1000;
	action = policy_decide(policies, 2, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_REJECT);
	assert_true(action.keep);
}

static void one_deferral_defers_all(void **state)
{
	struct policy_fields policies[] = { usual, careful, usual };
	struct verdict verdict = { .status = VERDICT_TIMEOUT };
	struct action action = policy_decide(policies, 3, &verdict, outcomes);

	(void)state;
	assert_int_equal(action.kind, ACTION_TEMPFAIL);
	assert_ptr_equal(action.decisive, &policies[1]);
	policies[1].on_failure = ON_FAILURE_QUARANTINE;
	action = policy_decide(policies, 3, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_int_equal(action.marking, MARK_UNSCANNED);
	assert_true(action.hold);
}

static void nobody_has_no_threshold(void **state)
{
	struct verdict verdict = scored(99000);
	struct action action = policy_decide(NULL, 0, &verdict, NULL);

	(void)state;
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_false(action.spam);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thresholds_are_reached_exactly),
		cmocka_unit_test(the_most_severe_threshold_wins),
		cmocka_unit_test(failures_follow_on_failure),
		cmocka_unit_test(our_own_failures_defer),
		cmocka_unit_test(mail_that_was_not_asked_about_passes),
		cmocka_unit_test(one_recipient_decides_for_itself),
		cmocka_unit_test(every_combination_of_recipients),
		cmocka_unit_test(refused_mail_is_kept_for_who_wants_it),
		cmocka_unit_test(one_deferral_defers_all),
		cmocka_unit_test(nobody_has_no_threshold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
