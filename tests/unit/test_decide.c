/* SPDX-License-Identifier: BSD-2-Clause */
/* The decision: thresholds at every tenth, failures, several recipients. Traps 26, 31, 32, 49. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/decide.h"

#define OFF  THRESHOLD_OFF
#define CODE .reject_code = "550 5.7.1", .reject_text = "refused", .redirect = "", .copy_to = ""

static const struct policy_fields usual = {
	.tag = 5000, .defer = OFF, .quarantine = OFF, .reject = 15000, CODE
};
static const struct policy_fields strict = {
	.tag = 3000, .defer = OFF, .quarantine = OFF, .reject = 8000, CODE
};
static const struct policy_fields nothing = {
	.tag = OFF, .defer = OFF, .quarantine = OFF, .reject = OFF, CODE
};
static const struct policy_fields careful = { .tag = 5000,
	.defer = OFF,
	.quarantine = OFF,
	.reject = 15000,
	.on_failure = ON_FAILURE_TEMPFAIL,
	CODE };

static enum outcome outcomes[3];

static struct verdict scored(int32_t milli)
{
	return (struct verdict){ .status = VERDICT_SCORED, .score = milli };
}

/* Every recipient has the same verdict, as most messages have it. */
static struct action decide_all(const struct policy_fields *policies, size_t count,
	const struct verdict *verdict, enum outcome *ret_outcomes)
{
	const struct verdict *const verdicts[] = { verdict, verdict, verdict };

	return policy_decide(policies, verdicts, count, ret_outcomes);
}

static void thresholds_are_reached_exactly(void **state)
{
	static const struct {
		int32_t score;
		enum outcome outcome;
	} rows[] = {
		{ -1000, OUTCOME_PASS },
		{ 0, OUTCOME_PASS },
		{ 4900, OUTCOME_PASS },
		{ 4999, OUTCOME_PASS },
		{ 5000, OUTCOME_TAG },
		{ 5100, OUTCOME_TAG },
		{ 14900, OUTCOME_TAG },
		{ 14999, OUTCOME_TAG },
		{ 15000, OUTCOME_REJECT },
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
	/* Out of order across sections is allowed: reject over quarantine over defer over tag. */
	struct policy_fields odd = {
		.tag = 9000, .defer = 8000, .quarantine = 7000, .reject = 5000, CODE
	};
	struct verdict verdict = scored(9000);

	(void)state;
	assert_int_equal(policy_outcome(&odd, &verdict), OUTCOME_REJECT);
	odd.reject_action = REJECT_ACTION_DISCARD;
	assert_int_equal(policy_outcome(&odd, &verdict), OUTCOME_DISCARD);
	odd.reject = OFF;
	assert_int_equal(policy_outcome(&odd, &verdict), OUTCOME_QUARANTINE);
	odd.quarantine = OFF;
	assert_int_equal(policy_outcome(&odd, &verdict), OUTCOME_DEFER);
	odd.defer = OFF;
	assert_int_equal(policy_outcome(&odd, &verdict), OUTCOME_TAG);
}

static void failures_follow_on_failure(void **state)
{
	static const enum verdict_status failures[] = { VERDICT_REFUSED, VERDICT_TIMEOUT,
		VERDICT_MALFORMED, VERDICT_OVERLOADED, VERDICT_OVERSIZE };

	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct verdict verdict = { .status = failures[i], .score = 99000 };
		struct action action = decide_all(&strict, 1, &verdict, outcomes);

		assert_int_equal(action.kind, ACTION_DELIVER);
		assert_int_equal(action.marking, MARK_UNSCANNED);
		assert_false(action.spam);
		assert_string_equal(action_word(&action), "pass");
		action = decide_all(&careful, 1, &verdict, outcomes);
		assert_int_equal(action.kind, ACTION_TEMPFAIL);
		assert_string_equal(action_word(&action), "tempfail");
	}
}

static void our_own_failures_defer(void **state)
{
	struct verdict verdict = { .status = VERDICT_ERROR };
	struct action action = decide_all(&usual, 1, &verdict, outcomes);

	(void)state;
	assert_int_equal(action.kind, ACTION_TEMPFAIL);
}

static void mail_that_was_not_asked_about_passes(void **state)
{
	struct verdict verdict = { .status = VERDICT_NONE };
	struct action action = decide_all(&careful, 1, &verdict, outcomes);

	(void)state;
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_int_equal(action.marking, MARK_NOTHING);
}

static void one_recipient_decides_for_itself(void **state)
{
	struct verdict verdict = scored(8000);
	struct action action = decide_all(&strict, 1, &verdict, outcomes);

	(void)state;
	assert_int_equal(action.kind, ACTION_REJECT);
	assert_int_equal(action.required, 8000);
	assert_ptr_equal(action.decisive, &strict);
	action = decide_all(&usual, 1, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_true(action.spam);
	assert_int_equal(action.required, 5000);
	assert_string_equal(action_word(&action), "tag");
	action = decide_all(&nothing, 1, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_false(action.spam);
	assert_int_equal(action.required, THRESHOLD_OFF);
}

/* Each gives, at score 10, the outcome that is its index. */
static const struct policy_fields by_outcome[] = {
	[OUTCOME_PASS] = { .tag = 12000, .defer = OFF, .quarantine = 13000, .reject = 14000, CODE },
	[OUTCOME_TAG] = { .tag = 4000, .defer = OFF, .quarantine = 13000, .reject = 14000, CODE },
	[OUTCOME_COPY] = { .tag = 11000,
		.defer = OFF,
		.quarantine = OFF,
		.reject = OFF,
		.reject_code = "550 5.7.1",
		.reject_text = "",
		.redirect = "",
		.copy_to = "c@example.net",
		.copy_score = 9000 },
	[OUTCOME_REDIRECT] = { .tag = 5000,
		.defer = OFF,
		.quarantine = OFF,
		.reject = OFF,
		.reject_code = "550 5.7.1",
		.reject_text = "",
		.redirect = "r@example.net",
		.redirect_score = THRESHOLD_TAG,
		.copy_to = "c@example.net" },
	[OUTCOME_DEFER] = { .tag = 1000, .defer = 6000, .quarantine = 13000, .reject = OFF, CODE },
	[OUTCOME_QUARANTINE] = { .tag = 3000,
		.defer = OFF,
		.quarantine = 8000,
		.reject = 14000,
		CODE },
	[OUTCOME_DISCARD] = { .tag = 1500,
		.defer = 3000,
		.quarantine = 5000,
		.reject = 7000,
		.reject_action = REJECT_ACTION_DISCARD,
		CODE },
	[OUTCOME_REJECT] = { .tag = 2000, .defer = OFF, .quarantine = 5000, .reject = 9000, CODE },
};

enum { OUTCOMES = OUTCOME_REJECT + 1 };

/* What design and manual say of a message to several recipients, written down independently. */
static void expect(const enum outcome *wanted, size_t count, struct action *ret_expected)
{
	size_t of[OUTCOMES] = { 0 };
	size_t left;

	for (size_t i = 0; i < count; i++)
		of[wanted[i]]++;
	left = of[OUTCOME_PASS] + of[OUTCOME_TAG] + of[OUTCOME_COPY];
	*ret_expected = (struct action){ .kind = ACTION_DELIVER,
		.hold = of[OUTCOME_REJECT] + of[OUTCOME_DEFER] + of[OUTCOME_QUARANTINE] > 0,
		.spam = left > 0 && of[OUTCOME_TAG] > 0,
		.required = of[OUTCOME_TAG] > 0 ? 4000 :
			of[OUTCOME_COPY] > 0    ? 11000 :
						  12000 };
	if (left > 0)
		return;
	if (of[OUTCOME_REDIRECT] > 0) {
		ret_expected->redirect = ret_expected->spam = true;
		ret_expected->required = 5000;
		return;
	}
	if (of[OUTCOME_QUARANTINE] > 0) {
		ret_expected->kind = ACTION_DISCARD;
		ret_expected->required = 8000;
	} else if (of[OUTCOME_DEFER] > 0) {
		*ret_expected = (struct action){
			.kind = ACTION_TEMPFAIL, .required = 6000, .code = "451 4.7.1"
		};
	} else if (of[OUTCOME_REJECT] > 0) {
		*ret_expected = (struct action){
			.kind = ACTION_REJECT, .required = 9000, .code = "550 5.7.1"
		};
	} else {
		*ret_expected = (struct action){ .kind = ACTION_DISCARD, .required = 7000 };
	}
}

static void check_mix(const enum outcome *wanted, size_t count)
{
	struct verdict verdict = scored(10000);
	struct policy_fields policies[3] = { { 0 } };
	struct action action, expected;

	for (size_t i = 0; i < count; i++)
		policies[i] = by_outcome[wanted[i]];
	action = decide_all(policies, count, &verdict, outcomes);
	expect(wanted, count, &expected);
	assert_memory_equal(outcomes, wanted, count * sizeof(wanted[0]));
	assert_int_equal(action.kind, expected.kind);
	assert_int_equal(action.hold, expected.hold);
	assert_int_equal(action.required, expected.required);
	assert_int_equal(action.spam, expected.spam);
	assert_int_equal(action.redirect, expected.redirect);
	assert_false(action.keep);
	if (expected.code == NULL)
		assert_null(action.code);
	else
		assert_string_equal(action.code, expected.code);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(policy_stores(&action, &policies[i], wanted[i]),
			expected.hold && outcome_withholds(wanted[i]) &&
				wanted[i] != OUTCOME_DISCARD);
}

/* Every combination of one to three recipients and eight outcomes at score 10. Trap 49. */
static void every_combination_of_recipients(void **state)
{
	(void)state;
	for (unsigned a = 0; a < OUTCOMES; a++) {
		check_mix((enum outcome[]){ a }, 1);
		for (unsigned b = 0; b < OUTCOMES; b++) {
			check_mix((enum outcome[]){ a, b }, 2);
			for (unsigned c = 0; c < OUTCOMES; c++)
				check_mix((enum outcome[]){ a, b, c }, 3);
		}
	}
}

static void redirections_and_copies_follow_tag(void **state)
{
	struct policy_fields fields = {
		.tag = 5000, .defer = OFF, .quarantine = OFF, .reject = 9000, CODE
	};
	struct verdict low = scored(4999), high = scored(5000), highest = scored(9000);

	(void)state;
	fields.copy_to = "c@example.net";
	fields.copy_score = fields.redirect_score = THRESHOLD_TAG;
	assert_int_equal(policy_outcome(&fields, &low), OUTCOME_PASS);
	assert_int_equal(policy_outcome(&fields, &high), OUTCOME_COPY);
	assert_string_equal(outcome_adds(OUTCOME_COPY, &fields), "c@example.net");
	assert_null(outcome_adds(OUTCOME_TAG, &fields));
	fields.redirect = "r@example.net";
	assert_int_equal(policy_outcome(&fields, &low), OUTCOME_PASS);
	assert_int_equal(policy_outcome(&fields, &high), OUTCOME_REDIRECT);
	assert_string_equal(outcome_adds(OUTCOME_REDIRECT, &fields), "r@example.net");
	assert_int_equal(policy_outcome(&fields, &highest), OUTCOME_REJECT);
	fields.tag = OFF;
	assert_int_equal(policy_outcome(&fields, &high), OUTCOME_PASS);
	fields.redirect_score = 5000;
	assert_int_equal(policy_outcome(&fields, &high), OUTCOME_REDIRECT);
	fields.redirect_score = OFF;
	assert_int_equal(policy_outcome(&fields, &high), OUTCOME_PASS);
}

static void what_is_accepted_passes_for_that_recipient_only(void **state)
{
	struct policy_fields policies[] = { usual, usual };
	struct verdict spam = scored(20000), failed = { .status = VERDICT_TIMEOUT };
	struct action action;

	(void)state;
	policies[0].accepted = true;
	policies[0].tag = -1000;
	policies[0].on_failure = ON_FAILURE_TEMPFAIL;
	action = decide_all(policies, 2, &spam, outcomes);
	assert_int_equal(outcomes[0], OUTCOME_PASS);
	assert_int_equal(outcomes[1], OUTCOME_REJECT);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_true(action.hold);
	assert_false(action.spam);
	assert_int_equal(action.required, OFF);
	action = decide_all(policies, 1, &failed, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_int_equal(action.marking, MARK_UNSCANNED);
}

/* Whatever the mix: an observer gets it, and it is as if the others were alone. */
static void observers_get_everything(void **state)
{
	struct verdict verdict = scored(10000);

	(void)state;
	for (unsigned a = 0; a < OUTCOMES; a++)
		for (unsigned b = 0; b < OUTCOMES; b++) {
			struct policy_fields policies[] = { by_outcome[a], by_outcome[b] };
			struct action would = decide_all(policies, 2, &verdict, outcomes);
			struct action action;

			assert_null(would.would);
			policies[0].mode = MODE_OBSERVE;
			action = decide_all(policies, 2, &verdict, outcomes);
			assert_int_equal(outcomes[0], OUTCOME_PASS);
			assert_int_equal(outcomes[1], b);
			assert_int_equal(action.kind, ACTION_DELIVER);
			assert_string_equal(action.would, action_word(&would));
			assert_int_equal(
				action.marking, outcome_withholds(b) ? MARK_NOTHING : MARK_SCORED);
			assert_int_equal(action.spam, b == OUTCOME_TAG);
			policies[1].mode = MODE_OBSERVE;
			action = decide_all(policies, 2, &verdict, outcomes);
			assert_int_equal(action.kind, ACTION_DELIVER);
			assert_int_equal(action.marking, MARK_NOTHING);
			assert_int_equal(action.required, would.required);
			assert_false(action.hold || action.keep || action.spam || action.redirect);
			assert_string_equal(action_word(&action), "pass");
		}
}

static void failures_are_observed(void **state)
{
	struct policy_fields policies[] = { careful, careful };
	struct verdict verdict = { .status = VERDICT_TIMEOUT };
	struct action action;

	(void)state;
	policies[0].mode = policies[1].mode = MODE_OBSERVE;
	action = decide_all(policies, 2, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_int_equal(action.marking, MARK_NOTHING);
	assert_string_equal(action.would, "tempfail");
	policies[1].mode = MODE_ENFORCE;
	action = decide_all(policies, 2, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_TEMPFAIL);
}

static void a_temporary_reply_code_defers(void **state)
{
	struct policy_fields policies[] = { usual, usual };
	struct verdict verdict = scored(20000);
	struct action action;

	(void)state;
	policies[1].reject_code = "450 4.7.0";
	policies[1].keep_rejected_ms = 1000;
	action = decide_all(policies, 2, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_TEMPFAIL);
	assert_string_equal(action.code, "450 4.7.0");
	assert_string_equal(action.text, "refused");
	assert_string_equal(action_word(&action), "tempfail");
	/* A copy of each try would be kept. */
	assert_false(action.keep);
	assert_false(policy_stores(&action, &policies[1], outcomes[1]));
}

static void what_is_dropped_is_kept_for_who_wants_it(void **state)
{
	struct policy_fields policies[] = { by_outcome[OUTCOME_DISCARD],
		by_outcome[OUTCOME_DISCARD], by_outcome[OUTCOME_PASS] };
	struct verdict verdict = scored(10000);
	struct action action = decide_all(policies, 2, &verdict, outcomes);

	(void)state;
	assert_string_equal(action_word(&action), "discard");
	assert_false(policy_stores(&action, &policies[0], outcomes[0]));
	policies[1].keep_rejected_ms = 1000;
	for (size_t count = 2; count <= 3; count++) {
		action = decide_all(policies, count, &verdict, outcomes);
		assert_true(action.keep);
		assert_false(action.hold);
		assert_false(policy_stores(&action, &policies[0], outcomes[0]));
		assert_true(policy_stores(&action, &policies[1], outcomes[1]));
	}
}

static void refused_mail_is_kept_for_who_wants_it(void **state)
{
	struct policy_fields policies[] = { usual, usual };
	struct verdict verdict = scored(20000);
	struct action action;

	(void)state;
	policies[1].keep_rejected_ms = 1000;
	action = decide_all(policies, 2, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_REJECT);
	assert_true(action.keep);
	assert_false(policy_stores(&action, &policies[0], outcomes[0]));
	assert_true(policy_stores(&action, &policies[1], outcomes[1]));
}

/* The mail server's queue holds whole messages: only where nobody gets it at once. */
static void the_queue_holds_where_nobody_gets_it(void **state)
{
	const struct policy_fields stored = {
		.tag = 7000, .defer = OFF, .quarantine = 8000, .reject = OFF, CODE
	};
	const struct policy_fields queued = { .tag = 5000,
		.defer = OFF,
		.quarantine = 8000,
		.quarantine_to = QUARANTINE_TO_HOLD,
		.reject = OFF,
		CODE };
	const struct policy_fields refusing = { .tag = 1000,
		.defer = OFF,
		.quarantine = OFF,
		.quarantine_to = QUARANTINE_TO_HOLD,
		.reject = 8000,
		CODE };
	const struct {
		const struct policy_fields *mix[3];
		enum action_kind kind;
		int32_t required;
		bool stays[3], stores[3];
	} rows[] = {
		{ { &queued, &queued, &queued }, ACTION_HOLD, 5000, { 1, 1, 1 }, { 0, 0, 0 } },
		{ { &queued, &stored, &queued }, ACTION_HOLD, 5000, { 1, 0, 1 }, { 0, 1, 0 } },
		{ { &refusing, &stored, &queued }, ACTION_HOLD, 1000, { 1, 0, 1 }, { 0, 1, 0 } },
		{ { &stored, &stored, &stored }, ACTION_DISCARD, 8000, { 0, 0, 0 }, { 1, 1, 1 } },
		{ { &queued, &nothing, &stored }, ACTION_DELIVER, OFF, { 0, 1, 0 }, { 1, 0, 1 } },
		{ { &refusing, &refusing, &refusing }, ACTION_REJECT, 8000, { 0, 0, 0 },
			{ 0, 0, 0 } },
	};
	struct verdict verdict = scored(9000);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_fields mix[3] = { *rows[i].mix[0], *rows[i].mix[1], *rows[i].mix[2] };
		struct action action = decide_all(mix, 3, &verdict, outcomes);

		assert_int_equal(action.kind, rows[i].kind);
		assert_int_equal(action.required, rows[i].required);
		for (size_t j = 0; j < 3; j++) {
			assert_int_equal(
				policy_stays(&action, &mix[j], outcomes[j]), rows[i].stays[j]);
			assert_int_equal(
				policy_stores(&action, &mix[j], outcomes[j]), rows[i].stores[j]);
		}
	}
}

static void one_deferral_defers_all(void **state)
{
	struct policy_fields policies[] = { usual, careful, usual };
	struct verdict verdict = { .status = VERDICT_TIMEOUT };
	struct action action = decide_all(policies, 3, &verdict, outcomes);

	(void)state;
	assert_int_equal(action.kind, ACTION_TEMPFAIL);
	assert_ptr_equal(action.decisive, &policies[1]);
	policies[1].on_failure = ON_FAILURE_QUARANTINE;
	action = decide_all(policies, 3, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_int_equal(action.marking, MARK_UNSCANNED);
	assert_true(action.hold);
}

/* A trusted scorer: what is off never happens, the next lower one that is not does. */
static void wishes_are_granted_within_the_thresholds(void **state)
{
	static const struct policy_fields all = {
		.tag = 5000, .defer = OFF, .quarantine = 9000, .reject = 15000, CODE
	};
	static const struct policy_fields dropping = { .tag = 5000,
		.defer = OFF,
		.quarantine = OFF,
		.reject = 15000,
		.reject_action = REJECT_ACTION_DISCARD,
		CODE };
	static const struct policy_fields holding = {
		.tag = OFF, .defer = OFF, .quarantine = 9000, .reject = OFF, CODE
	};
	static const struct {
		enum verdict_wish wish;
		enum outcome all, usual, dropping, holding, nothing;
	} rows[] = {
		{ WISH_NONE, OUTCOME_PASS, OUTCOME_PASS, OUTCOME_PASS, OUTCOME_PASS, OUTCOME_PASS },
		{ WISH_PASS, OUTCOME_PASS, OUTCOME_PASS, OUTCOME_PASS, OUTCOME_PASS, OUTCOME_PASS },
		{ WISH_TAG, OUTCOME_TAG, OUTCOME_TAG, OUTCOME_TAG, OUTCOME_PASS, OUTCOME_PASS },
		{ WISH_QUARANTINE, OUTCOME_QUARANTINE, OUTCOME_TAG, OUTCOME_TAG, OUTCOME_QUARANTINE,
			OUTCOME_PASS },
		{ WISH_DISCARD, OUTCOME_QUARANTINE, OUTCOME_REJECT, OUTCOME_DISCARD,
			OUTCOME_QUARANTINE, OUTCOME_PASS },
		{ WISH_REJECT, OUTCOME_REJECT, OUTCOME_REJECT, OUTCOME_DISCARD, OUTCOME_QUARANTINE,
			OUTCOME_PASS },
		{ WISH_DEFER, OUTCOME_TEMPFAIL, OUTCOME_TEMPFAIL, OUTCOME_TEMPFAIL,
			OUTCOME_TEMPFAIL, OUTCOME_TEMPFAIL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict = scored(0);

		verdict.wish = rows[i].wish;
		assert_int_equal(policy_outcome(&all, &verdict), rows[i].all);
		assert_int_equal(policy_outcome(&usual, &verdict), rows[i].usual);
		assert_int_equal(policy_outcome(&dropping, &verdict), rows[i].dropping);
		assert_int_equal(policy_outcome(&holding, &verdict), rows[i].holding);
		assert_int_equal(policy_outcome(&nothing, &verdict), rows[i].nothing);
	}
}

static void nobody_has_no_threshold(void **state)
{
	struct verdict verdict = scored(99000);
	struct action action = decide_all(NULL, 0, &verdict, NULL);

	(void)state;
	assert_int_equal(action.kind, ACTION_DELIVER);
	assert_false(action.spam);
}

/* What no enum knows is treated as the mildest of its kind; an unknown status defers. */
static void unknown_values_are_harmless(void **state)
{
	struct policy_fields odd = usual;
	struct verdict verdict = { .status = VERDICT_ERROR + 1 };
	struct action action = { .kind = ACTION_HOLD + 1, .verdict = &verdict };

	(void)state;
	assert_int_equal(policy_outcome(&usual, &verdict), OUTCOME_TEMPFAIL);
	verdict = scored(6000);
	verdict.wish = WISH_DEFER + 1;
	assert_int_equal(policy_outcome(&usual, &verdict), OUTCOME_TAG);
	verdict = (struct verdict){ .status = VERDICT_TIMEOUT };
	odd.on_failure = ON_FAILURE_QUARANTINE + 1;
	assert_int_equal(policy_outcome(&odd, &verdict), OUTCOME_PASS);
	assert_false(outcome_withholds(OUTCOME_TEMPFAIL + 1));
	assert_string_equal(outcome_word(OUTCOME_TEMPFAIL + 1), "pass");
	assert_string_equal(action_word(&action), "pass");
}

/* A scorer that is trusted to tag does, below the threshold, and does not above it. */
static void a_wish_takes_the_place_of_the_tag_threshold(void **state)
{
	struct verdict verdict = scored(1000);
	struct action action;

	(void)state;
	verdict.wish = WISH_TAG;
	action = decide_all(&usual, 1, &verdict, outcomes);
	assert_string_equal(action_word(&action), "tag");
	verdict = scored(9000);
	verdict.wish = WISH_PASS;
	action = decide_all(&usual, 1, &verdict, outcomes);
	assert_string_equal(action_word(&action), "pass");
	assert_false(action.spam);
}

static void words_name_the_outcomes(void **state)
{
	static const char *const words[] = { "pass", "tag", "copy", "redirect", "defer",
		"quarantine", "discard", "reject", "tempfail" };

	(void)state;
	for (int i = OUTCOME_PASS; i <= OUTCOME_TEMPFAIL; i++)
		assert_string_equal(outcome_word((enum outcome)i), words[i]);
}

/* A copy that is dropped is in nobody's queue, also when another one's is. */
static void what_is_dropped_is_not_held(void **state)
{
	struct policy_fields policies[2] = { usual, usual };
	struct verdict verdict = scored(16000);
	struct action action;

	(void)state;
	policies[0].quarantine_to = policies[1].quarantine_to = QUARANTINE_TO_HOLD;
	policies[0].reject_action = REJECT_ACTION_DISCARD;
	policies[0].keep_rejected_ms = 1000;
	policies[1].reject = OFF;
	policies[1].quarantine = 10000;
	action = decide_all(policies, 2, &verdict, outcomes);
	assert_int_equal(action.kind, ACTION_HOLD);
	assert_string_equal(action_word(&action), "hold");
	assert_true(action.keep);
	assert_false(policy_stays(&action, &policies[0], outcomes[0]));
	assert_true(policy_stays(&action, &policies[1], outcomes[1]));
	assert_true(policy_stores(&action, &policies[0], outcomes[0]));
	assert_false(policy_stores(&action, &policies[1], outcomes[1]));
	/* Who keeps what is refused keeps nothing of what is only held. */
	policies[0].reject_action = REJECT_ACTION_REJECT;
	policies[0].reject = OFF;
	policies[0].quarantine = 10000;
	action = decide_all(policies, 2, &verdict, outcomes);
	assert_false(action.keep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_values_are_harmless),
		cmocka_unit_test(words_name_the_outcomes),
		cmocka_unit_test(a_wish_takes_the_place_of_the_tag_threshold),
		cmocka_unit_test(what_is_dropped_is_not_held),
		cmocka_unit_test(thresholds_are_reached_exactly),
		cmocka_unit_test(the_most_severe_threshold_wins),
		cmocka_unit_test(failures_follow_on_failure),
		cmocka_unit_test(our_own_failures_defer),
		cmocka_unit_test(mail_that_was_not_asked_about_passes),
		cmocka_unit_test(one_recipient_decides_for_itself),
		cmocka_unit_test(every_combination_of_recipients),
		cmocka_unit_test(redirections_and_copies_follow_tag),
		cmocka_unit_test(what_is_accepted_passes_for_that_recipient_only),
		cmocka_unit_test(observers_get_everything),
		cmocka_unit_test(failures_are_observed),
		cmocka_unit_test(a_temporary_reply_code_defers),
		cmocka_unit_test(what_is_dropped_is_kept_for_who_wants_it),
		cmocka_unit_test(refused_mail_is_kept_for_who_wants_it),
		cmocka_unit_test(the_queue_holds_where_nobody_gets_it),
		cmocka_unit_test(one_deferral_defers_all),
		cmocka_unit_test(wishes_are_granted_within_the_thresholds),
		cmocka_unit_test(nobody_has_no_threshold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
