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
		VERDICT_MALFORMED, VERDICT_OVERLOADED, VERDICT_ERROR };

	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct verdict verdict = { .status = failures[i], .score = 99000 };
		struct action action = policy_decide(&strict, 1, &verdict);

		assert_int_equal(action.kind, ACTION_DELIVER);
		assert_int_equal(action.marking, MARK_UNSCANNED);
		assert_false(action.spam);
		assert_string_equal(action_word(&action), "pass");
		action = policy_decide(&careful, 1, &verdict);
		assert_int_equal(action.kind, ACTION_TEMPFAIL);
		assert_string_equal(action_word(&action), "tempfail");
	}
}

static void mail_that_was_not_asked_about_passes(void **state)
{
	struct verdict verdict = { .status = VERDICT_NONE };
	struct action action = policy_decide(&careful, 1, &verdict);

	(void)state;
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_int_equal(action.marking, MARK_NOTHING);
}

static void one_recipient_decides_for_itself(void **state)
{
	struct verdict verdict = scored(8000);
	struct action action = policy_decide(&strict, 1, &verdict);

	(void)state;
	assert_int_equal(action.kind, ACTION_REJECT);
	assert_int_equal(action.required, 8000);
	assert_ptr_equal(action.decisive, &strict);
	action = policy_decide(&usual, 1, &verdict);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_true(action.spam);
	assert_int_equal(action.required, 5000);
	assert_string_equal(action_word(&action), "tag");
	action = policy_decide(&nothing, 1, &verdict);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_false(action.spam);
	assert_int_equal(action.required, THRESHOLD_OFF);
}

static void several_recipients_share_one_answer(void **state)
{
	const struct policy_fields both[] = { strict, usual }, all[] = { strict, strict, usual };
	struct verdict verdict = scored(9000);
	struct action action = policy_decide(both, 2, &verdict);

	(void)state;
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_true(action.spam);
	assert_int_equal(action.required, 3000);
	verdict = scored(16000);
	action = policy_decide(all, 3, &verdict);
	assert_int_equal(action.kind, ACTION_REJECT);
	assert_int_equal(action.required, 15000);
	verdict = scored(99000);
	action = policy_decide(NULL, 0, &verdict);
	assert_int_equal(action.kind, ACTION_DELIVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thresholds_are_reached_exactly),
		cmocka_unit_test(the_most_severe_threshold_wins),
		cmocka_unit_test(failures_follow_on_failure),
		cmocka_unit_test(mail_that_was_not_asked_about_passes),
		cmocka_unit_test(one_recipient_decides_for_itself),
		cmocka_unit_test(several_recipients_share_one_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
