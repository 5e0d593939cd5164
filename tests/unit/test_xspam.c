/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The X-Spam fields: traps 10, 12 and 24, attack rows A3 and A4. That they equal SpamAssassin's own
 * byte for byte is proved by tests/protocol/spamassassin.pl.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/field.h"
#include "protocol/xspam.h"

#define NAME_OF_64 "X234567890123456789012345678901234567890123456789012345678901234"

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
	/* Of tests that weigh the same, the first by name. */
	for (int i = 0; i < LIMIT_TESTS; i++)
		verdict.tests[i].score = i % 2 == 0 ? 100 : -100;
	assert_true(xspam_build(&list, &verdict, &facts));
	assert_non_null(strstr(value_of(&list, "X-Spam-Status"), "tests=AA"));
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
		{ "X-A", " b\x7f", false },
		{ "X-A", " b\n c", true },
		{ "X-A", " b\n \t", false },
		{ NAME_OF_64 NAME_OF_64 NAME_OF_64 NAME_OF_64, " b", false },
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

/* "no autolearn_force=no", or one word; whatever else a scorer calls it, it forges nothing. */
static void autolearn_and_version(void **state)
{
	static const struct {
		const char *autolearn, *version, *expected;
	} rows[] = {
		{ "ham", "SpamAssassin 4.0.1", "autolearn=ham version=4.0.1" },
		{ "", "SpamAssassin", "autolearn=unavailable version=unknown" },
		{ "no autolearn_force=yes, x", "SpamAssassin (4)",
			"autolearn=no autolearn_force=yes version=unknown" },
		{ "autolearn_force=no", "SpamAssassin \t4.0",
			"autolearn=autolearn_force=no version=unknown" },
		{ "no\tautolearn_force=no", "SpamAssassin 4.0\tx", "autolearn=no version=4.0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xspam_facts facts = { .required = 5000 };
		struct header_list list;
		struct verdict verdict;
		char *shown, *out;

		verdict_init(&verdict);
		headers_init(&list, XSPAM_LIST_SIZE);
		verdict.status = VERDICT_SCORED;
		verdict.autolearn = strdup(rows[i].autolearn);
		verdict.version = strdup(rows[i].version);
		assert_true(xspam_build(&list, &verdict, &facts));
		assert_int_equal(xspam_check(&list, NULL), 0);
		shown = out = strdup(strstr(value_of(&list, "X-Spam-Status"), "autolearn="));
		/* Where it was folded does not matter here. */
		for (const char *at = shown; *at != '\0'; at++)
			if (*at != '\n')
				*out++ = *at == '\t' ? ' ' : *at;
		*out = '\0';
		assert_string_equal(shown, rows[i].expected);
		free(shown);
		headers_free(&list);
		verdict_free(&verdict);
	}
}

/* An engine's version that is longer than any is not shown. */
static void long_version(void **state)
{
	struct xspam_facts facts = { .required = 5000, .host = "mx", .scanned_bytes = 0 };
	char version[300] = "SpamAssassin ";
	struct header_list list;
	struct verdict verdict;

	(void)state;
	memset(version + 13, '4', sizeof(version) - 14);
	verdict_init(&verdict);
	headers_init(&list, XSPAM_LIST_SIZE);
	verdict.status = VERDICT_SCORED;
	verdict.truncated = true;
	verdict.version = version;
	assert_true(xspam_build(&list, &verdict, &facts));
	assert_int_equal(xspam_check(&list, NULL), 0);
	assert_non_null(strstr(value_of(&list, "X-Spam-Status"), "version=unknown"));
	assert_string_equal(value_of(&list, "X-Spam-Partial"), " yes");
	headers_free(&list);
	verdict.version = NULL;
	/* A reason for mail that nobody asked about is told as well. */
	verdict.status = VERDICT_NONE;
	facts.reason = "trusted";
	assert_true(xspam_build(&list, &verdict, &facts));
	assert_string_equal(value_of(&list, "X-Spam-Status"), " Unscanned, reason=trusted");
	headers_free(&list);
	verdict_free(&verdict);
}

static void original_recipient(void **state)
{
	struct header_list list;

	(void)state;
	headers_init(&list, XSPAM_LIST_SIZE);
	assert_true(xspam_add_original(&list, "a\r\nb: c@example.com"));
	assert_string_equal(value_of(&list, "X-Spam-Orig-To"), " a b: c@example.com");
	assert_int_equal(xspam_check(&list, NULL), 0);
	headers_free(&list);
	headers_init(&list, 10);
	assert_false(xspam_add_original(&list, "a@example.com"));
	headers_free(&list);
}

/* A list that is full gets no half set of fields that counts as one. */
static void full_lists(void **state)
{
	struct xspam_facts facts = { .spam = true, .required = 5000, .host = "mx" };
	struct header_list list;
	struct verdict verdict;
	size_t whole;

	(void)state;
	verdict_init(&verdict);
	verdict.status = VERDICT_SCORED;
	verdict.score = 6000;
	verdict.truncated = true;
	assert_true(headers_add(&verdict.extra, "X-Spam-Report", " r"));
	headers_init(&list, XSPAM_LIST_SIZE);
	assert_true(xspam_build(&list, &verdict, &facts));
	whole = list.text.length;
	headers_free(&list);
	for (size_t size = 0; size <= whole; size++) {
		headers_init(&list, size);
		assert_int_equal(xspam_build(&list, &verdict, &facts), size == whole);
		headers_free(&list);
	}
	verdict.status = VERDICT_TIMEOUT;
	headers_init(&list, 10);
	assert_false(xspam_build(&list, &verdict, &facts));
	headers_free(&list);
	verdict_free(&verdict);
}

struct field_row {
	const char *text, *expected;
};

/* A scorer's text becomes a field: folds that can be kept are, nothing is empty or too long. */
static void fields_from_outside(void **state)
{
	static const struct field_row rows[] = {
		{ "", " " },
		{ "a", " a" },
		{ "  a\n", " a" },
		{ "a\n\n  \n b", " a\n b" },
		{ "a\nb", " a\n\tb" },
		{ "a\xff\x7f\tb", " a??\tb" },
		/* More white space than that could fill a line by itself. */
		{ "a\n                                        b",
			" a\n                                b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(buf_free) struct buf out = { 0 };

		buf_init(&out, 70000);
		assert_true(field_value_put(&out, 3, rows[i].text, strlen(rows[i].text)));
		assert_string_equal(buf_text(&out), rows[i].expected);
	}
}

/* The whole field or none: a buffer that is full is said to be, wherever it was. */
static void fields_need_room(void **state)
{
	static char text[2500];
	size_t whole = 0;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[1500] = '\n';
	for (size_t size = 3000; size-- > 0;) {
		AUTO(buf_free) struct buf out = { 0 };
		bool good;

		buf_init(&out, size);
		good = field_value_put(&out, 3, text, strlen(text));
		if (whole == 0)
			whole = out.length;
		assert_int_equal(good, size >= whole);
	}
}

/* What is left out of a field that is too long leaves no blank, no tab and no fold behind. */
static void cut_fields_end_in_text(void **state)
{
	static char text[3 * LIMIT_ADDED_HEADER];

	(void)state;
	for (size_t width = 80; width < 200; width++) {
		AUTO(buf_free) struct buf out = { 0 };

		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = i % width == width - 1 ? '\n' : i % width > width - 4 ? ' ' : 'x';
		buf_init(&out, sizeof(text));
		assert_true(field_value_put(&out, 3, text, strlen(text)));
		assert_int_equal(out.data[out.length - 1], 'x');
		assert_true(out.length > LIMIT_ADDED_HEADER - 2 * width);
		assert_true(field_is_safe("X-A", buf_text(&out)));
	}
}

/* Long lines are cut at a blank if there is one, and whatever the length the field is safe. */
static void long_fields(void **state)
{
	static const char *const between[] = { "", " ", "\n", "\n \n ", "\t", "    " };
	char words[3000], text[20000];

	(void)state;
	for (unsigned every = 0; every < 5; every++) {
		for (size_t i = 0; i < sizeof(words); i++)
			words[i] = every > 0 && i % (every * 300) == 299 ? " \t"[i / 300 % 2] : 'x';
		for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
			for (size_t length = 0; length < sizeof(words); length += 13) {
				struct header_list list;

				words[length] = '\0';
				snprintf(text, sizeof(text), "%s%s%s%s%s ", words, between[i],
					words, between[i], words);
				words[length] = 'x';
				headers_init(&list, XSPAM_LIST_SIZE);
				assert_true(field_add(&list, "X-A", 3, text, strlen(text)));
				assert_int_equal(list.count, 1);
				assert_int_equal(xspam_check(&list, NULL), 0);
				headers_free(&list);
			}
		}
	}
}

static void odd_names_are_left_out(void **state)
{
	struct header_list list;
	char name[16];

	(void)state;
	headers_init(&list, XSPAM_LIST_SIZE);
	assert_true(field_add(&list, "X A", 3, "a", 1));
	assert_true(field_add(&list, "X-A", 0, "a", 1));
	assert_true(field_add(&list, NAME_OF_64 NAME_OF_64, 128, "a", 1));
	assert_int_equal(list.count, 0);
	for (int i = 0; i <= LIMIT_EXTRA_HEADERS; i++) {
		snprintf(name, sizeof(name), "X-%d", i);
		assert_true(field_add(&list, name, strlen(name), "a", 1));
	}
	assert_int_equal(list.count, LIMIT_EXTRA_HEADERS);
	headers_free(&list);
}

/* The value that is as long as it may be, and the one that is longer. */
static void the_longest_field_is_safe(void **state)
{
	static char value[LIMIT_ADDED_HEADER + 10];

	(void)state;
	for (size_t i = 0; i < sizeof(value) - 1; i++)
		value[i] = i % 80 == 0 ? ' ' : i % 80 == 79 ? '\n' : 'x';
	value[LIMIT_ADDED_HEADER - 4] = '\0';
	assert_true(field_is_safe("X-A", value));
	value[LIMIT_ADDED_HEADER - 4] = 'x';
	value[LIMIT_ADDED_HEADER - 3] = '\0';
	assert_false(field_is_safe("X-A", value));
	memset(value + 1, 'x', LIMIT_ADDED_LINE);
	value[LIMIT_ADDED_LINE - 4] = '\0';
	assert_true(field_is_safe("X-A", value));
	value[LIMIT_ADDED_LINE - 4] = 'x';
	value[LIMIT_ADDED_LINE - 3] = '\0';
	assert_false(field_is_safe("X-A", value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores),
		cmocka_unit_test(scored_tests),
		cmocka_unit_test(many_tests),
		cmocka_unit_test(unscanned),
		cmocka_unit_test(checker),
		cmocka_unit_test(autolearn_and_version),
		cmocka_unit_test(long_version),
		cmocka_unit_test(original_recipient),
		cmocka_unit_test(full_lists),
		cmocka_unit_test(fields_from_outside),
		cmocka_unit_test(fields_need_room),
		cmocka_unit_test(cut_fields_end_in_text),
		cmocka_unit_test(long_fields),
		cmocka_unit_test(odd_names_are_left_out),
		cmocka_unit_test(the_longest_field_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
