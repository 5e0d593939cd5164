/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The X-Spam fields: traps 10, 12 and 24, attack rows A3 and A4. That they equal SpamAssassin's own
 * byte for byte is proved by tests/protocol/spamassassin.pl.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/xspam.h"

struct row {
	bool spam, off;
	int32_t score, required;
	const char *tests;
	const char *level, *status;
};

static void build(const struct row *row, struct header_list *list)
{
	struct xspam_facts facts = {
		.spam = row->spam, .required = row->required, .required_off = row->off
	};
	struct verdict verdict;
	struct err err = ERR_INIT;

	verdict_init(&verdict);
	verdict.status = VERDICT_SCORED;
	verdict.score = row->score;
	verdict.required = 5000;
	verdict.autolearn = strdup("no autolearn_force=no");
	verdict.version = strdup("SpamAssassin 4.0.1 (2024-03-25) on host");
	for (const char *name = row->tests; *name != '\0'; name += strcspn(name, ",") + 1) {
		assert_true(verdict_add_test(&verdict, name, strcspn(name, ","), false, 0));
		if (name[strcspn(name, ",")] == '\0')
			break;
	}
	headers_init(list, XSPAM_LIST_SIZE);
	assert_true(xspam_build(list, &verdict, &facts));
	if (xspam_check(list, &err) != 0)
		fail_msg("%s", err.text);
	verdict_free(&verdict);
}

static const char *value_of(const struct header_list *list, const char *name)
{
	size_t index = headers_find(list, name, 0);

	return index == list->count ? NULL : headers_value(list, index);
}

#define END " autolearn=no\n\tautolearn_force=no version=4.0.1"

static void scores(void **state)
{
	static const struct row rows[] = {
		{ true, false, 1001300, 5000, "B,A",
			" **************************************************",
			" Yes, score=1001.3 required=5.0 tests=A,B" END },
		{ true, false, 5000, 5000, "", " *****",
			" Yes, score=5.0 required=5.0 tests=none" END },
		{ false, false, 4960, 5000, "", " ****",
			" No, score=4.9 required=5.0 tests=none" END },
		{ false, false, 999, 5000, "", " ", " No, score=1.0 required=5.0 tests=none" END },
		{ false, false, -12345, 5000, "", " ",
			" No, score=-12.3 required=5.0 tests=none" END },
		{ false, false, -20, 5000, "", " ", " No, score=0.0 required=5.0 tests=none" END },
		/* Every recipient has tag = off: the scorer's own threshold, No, and no Flag. */
		{ true, true, 20000, 1000, "", " ********************",
			" No, score=20.0 required=5.0 tests=none" END },
		{ true, false, 1000000000, -5000, "",
			" **************************************************",
			" Yes, score=1000000.0 required=-5.0 tests=none" END },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct header_list list;
		const char *flag;

		build(&rows[i], &list);
		assert_string_equal(headers_name(&list, 0), "X-Spam-Checker-Version");
		assert_string_equal(value_of(&list, "X-Spam-Level"), rows[i].level);
		assert_string_equal(value_of(&list, "X-Spam-Status"), rows[i].status);
		flag = value_of(&list, "X-Spam-Flag");
		assert_int_equal(flag != NULL, rows[i].spam && !rows[i].off);
		headers_free(&list);
	}
}

static void scored_tests(void **state)
{
	struct xspam_facts facts = { .required = 5000, .host = "mx\n", .engine = "rspamd" };
	struct header_list list;
	struct verdict verdict;

	(void)state;
	verdict_init(&verdict);
	headers_init(&list, XSPAM_LIST_SIZE);
	verdict.status = VERDICT_SCORED;
	verdict.truncated = true;
	facts.scanned_bytes = 524288;
	facts.message_bytes = 9437184;
	assert_true(verdict_add_test(&verdict, "B\r\nX: y", 7, true, -1250));
	assert_true(verdict_add_test(&verdict, "A", 1, true, 15000));
	assert_true(headers_add(&verdict.extra, "X-Spam-Report", " r"));
	assert_true(xspam_build(&list, &verdict, &facts));
	assert_int_equal(xspam_check(&list, NULL), 0);
	assert_string_equal(value_of(&list, "X-Spam-Checker-Version"), " rspamd on mx");
	assert_string_equal(value_of(&list, "X-Spam-Status"),
		" No, score=0.0 required=5.0 tests=A=15,B__X:_y=-1.25\n"
		"\tautolearn=unavailable version=unknown");
	assert_string_equal(value_of(&list, "X-Spam-Partial"), " yes, scanned=524288 size=9437184");
	assert_string_equal(value_of(&list, "X-Spam-Report"), " r");
	headers_free(&list);
	verdict_free(&verdict);
}

/* Attack row A4: the most and longest names; the heaviest are those that are shown. */
static void many_tests(void **state)
{
	struct xspam_facts facts = { .spam = true, .required = 5000 };
	char name[LIMIT_TEST_NAME + 1];
	struct header_list list;
	struct verdict verdict;
	struct err err = ERR_INIT;

	(void)state;
	verdict_init(&verdict);
	headers_init(&list, XSPAM_LIST_SIZE);
	verdict.status = VERDICT_SCORED;
	memset(name, 'X', sizeof(name));
	for (int i = 0; i < LIMIT_TESTS; i++) {
		name[0] = (char)('A' + i % 26);
		name[1] = (char)('A' + i / 26);
		assert_true(verdict_add_test(&verdict, name, LIMIT_TEST_NAME, true, i * 10));
	}
	assert_true(xspam_build(&list, &verdict, &facts));
	if (xspam_check(&list, &err) != 0)
		fail_msg("%s", err.text);
	headers_free(&list);
	for (int i = 0; i < LIMIT_TESTS; i++)
		verdict.tests[i].name[4] = '\0';
	assert_true(xspam_build(&list, &verdict, &facts));
	assert_non_null(strstr(value_of(&list, "X-Spam-Status"), "=5.11"));
	assert_null(strstr(value_of(&list, "X-Spam-Status"), "=1.11"));
	headers_free(&list);
	verdict_free(&verdict);
}

static void unscanned(void **state)
{
	struct xspam_facts facts = { .required = 5000 };
	struct header_list list;
	struct verdict verdict;

	(void)state;
	verdict_init(&verdict);
	headers_init(&list, XSPAM_LIST_SIZE);
	assert_true(xspam_build(&list, &verdict, &facts));
	assert_int_equal(list.count, 0);
	verdict.status = VERDICT_TIMEOUT;
	assert_true(xspam_build(&list, &verdict, &facts));
	assert_int_equal(list.count, 1);
	assert_string_equal(value_of(&list, "X-Spam-Status"), " Unscanned, reason=timeout");
	headers_free(&list);
	facts.reason = "a\r\nb: \xff";
	assert_true(xspam_build(&list, &verdict, &facts));
	assert_string_equal(value_of(&list, "X-Spam-Status"), " Unscanned, reason=a b: ?");
	headers_free(&list);
}

/* The invariant checker itself must be able to say no. */
static void checker(void **state)
{
	static const struct {
		const char *name, *value;
		bool good;
	} rows[] = {
		{ "X-A", " b", true },
		{ "X-A", " ", true },
		{ "X-A", " b\n\tc", true },
		{ "X-A", "b", false },
		{ "X-A", " b\r\n\tc", false },
		{ "X-A", " b\nc", false },
		{ "X-A", " b\n\t", false },
		{ "X-A", " b\n\n\tc", false },
		{ "X-A", " \xff", false },
		{ "X-A", " b\n", false },
		{ "X A", " b", false },
		{ "X:A", " b", false },
		{ "", " b", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct header_list list;

		headers_init(&list, 1000);
		assert_true(headers_add(&list, rows[i].name, rows[i].value));
		assert_int_equal(xspam_check(&list, NULL), rows[i].good ? 0 : -1);
		headers_free(&list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores),
		cmocka_unit_test(scored_tests),
		cmocka_unit_test(many_tests),
		cmocka_unit_test(unscanned),
		cmocka_unit_test(checker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
