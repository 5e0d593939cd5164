/* SPDX-License-Identifier: BSD-2-Clause */
/* Which fields are removed: forged ones and those that a scorer names, each once, last first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "judge/removals.h"

static struct header_list list;

static int set_up(void **state)
{
	static const char *const names[] = { "A", "X-Spam-Flag", "B", "a", "x-spam-flag", "A",
		"C" };

	(void)state;
	headers_init(&list, 10000);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(headers_add(&list, names[i], " x"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	headers_free(&list);
	return 0;
}

/* "index/instance ..." of what is removed. */
static void check(bool keep, const struct message_edits *edits, const char *expected)
{
	struct header_instance *items = NULL;
	char text[200] = "", one[32];
	size_t count;

	assert_true(removals_build(&list, keep, edits, &items, &count));
	for (size_t i = 0; i < count; i++) {
		snprintf(one, sizeof(one), "%zu/%u ", items[i].index, items[i].instance);
		memcpy(text + strlen(text), one, strlen(one) + 1);
	}
	free(items);
	assert_string_equal(text, expected);
}

static void copies_are_counted(void **state)
{
	static const struct {
		const char *name;
		int which;
		const char *expected; /* besides the two reserved fields */
	} rows[] = {
		{ "A", 0, "5/3 4/2 3/2 1/1 0/1 " },
		{ "a", 1, "4/2 1/1 0/1 " },
		{ "A", 2, "4/2 3/2 1/1 " },
		{ "A", -1, "5/3 4/2 1/1 " },
		{ "A", -3, "4/2 1/1 0/1 " },
		{ "A", 4, "4/2 1/1 " },
		{ "A", -4, "4/2 1/1 " },
		{ "A", -100000, "4/2 1/1 " },
		{ "Nobody", 0, "4/2 1/1 " },
		{ "X-Spam-Flag", 1, "4/2 1/1 " },
	};

	(void)state;
	check(false, NULL, "4/2 1/1 ");
	check(true, NULL, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message_edits edits = { .removal_count = 1 };

		edits.removals[0] = (struct edit_removal){ (char *)rows[i].name, rows[i].which };
		check(false, &edits, rows[i].expected);
	}
}

static void each_is_removed_once(void **state)
{
	struct message_edits edits = { .removal_count = 4 };

	(void)state;
	edits.removals[0] = (struct edit_removal){ (char *)"A", 2 };
	edits.removals[1] = (struct edit_removal){ (char *)"a", -2 };
	edits.removals[2] = (struct edit_removal){ (char *)"C", 0 };
	edits.removals[3] = (struct edit_removal){ (char *)"X-SPAM-FLAG", 2 };
	check(false, &edits, "6/1 4/2 3/2 1/1 ");
	check(true, &edits, "6/1 4/2 3/2 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(copies_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_is_removed_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
