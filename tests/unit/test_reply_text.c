/* SPDX-License-Identifier: BSD-2-Clause */
/* The reply text template and the Subject tag: traps 16, 36 and 37, attack row A29. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "protocol/subject.h"
#include "protocol/template.h"

static void checks(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: good */
	} rows[] = {
		{ "", NULL },
		{ "Message refused as spam (score %{score}), reference %{id}", NULL },
		{ "100%% %{required}%{queue_id}%{sender}%{recipient}%{tests}", NULL },
		{ "%{scor}", "\"%{scor}\"; known are %{score}" },
		{ "100% spam", "\"% spam\"" },
		{ "%", "\"%\"" },
		{ "%{score", "unknown field" },
		{ "%{}", "unknown field" },
		{ "a\r\nb", "printable ASCII" },
		{ "a\x7f", "printable ASCII" },
		{ "\xc3\xa9", "printable ASCII" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(template_check(rows[i].text, &err), rows[i].why == NULL ? 0 : -1);
		if (rows[i].why != NULL && strstr(err.text, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
	}
}

static void expansion(void **state)
{
	const struct template_facts facts = { .score = 15250,
		.has_score = true,
		.id = "abc",
		.queue_id = "4A\r\n250 ok",
		.sender = "",
		.recipient = "\"a b\"@x%y",
		.tests = "A,B=1.5" };
	static const struct {
		const char *text, *expected, *milter;
	} rows[] = {
		{ "refused (score %{score} of %{required}), %{id}",
			"refused (score 15.3 of -), abc", "refused (score 15.3 of -), abc" },
		{ "%{queue_id} %{sender} %{recipient}", "4A??250?ok <> ?a?b?@x?y",
			"4A??250?ok <> ?a?b?@x?y" },
		{ "100%% spam %{tests}%%", "100% spam A,B=1.5%", "100%% spam A,B=1.5%%" },
		{ "%{nonsense} %", "%{nonsense} %", "%%{nonsense} %%" },
		{ "a\r\nb\xff", "a??b?", "a??b?" },
		{ "a\x7f", "a?", "a?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(buf_free) struct buf out = { 0 };
		AUTO(buf_free) struct buf milter = { 0 };

		buf_init(&out, 4096);
		buf_init(&milter, 4096);
		assert_true(template_expand(&out, rows[i].text, &facts));
		assert_string_equal(buf_text(&out), rows[i].expected);
		assert_true(template_for_milter(&milter, buf_text(&out)));
		assert_string_equal(buf_text(&milter), rows[i].milter);
	}
}

/* What is not known is a dash, whatever kind of field it is. */
static void unknown_facts(void **state)
{
	const struct template_facts facts = { .sender = NULL };
	AUTO(buf_free) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 4096);
	assert_true(template_expand(&out,
		"%{score} %{required} %{id} %{queue_id} %{sender} %{recipient} %{tests}", &facts));
	assert_string_equal(buf_text(&out), "- - - - - - -");
}

/* A buffer that is full makes no half reply that counts as one. */
static void full_buffers(void **state)
{
	const struct template_facts facts = { .id = "abcdefghij" };
	AUTO(buf_free) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 5);
	assert_false(template_expand(&out, "%{id} and more", &facts));
	buf_clear(&out);
	assert_false(template_for_milter(&out, "100% spam"));
	buf_clear(&out);
	assert_int_equal(subject_tag(&out, " hello", "[SPAM]"), SUBJECT_FAILED);
	buf_free(&out);
	buf_init(&out, 9);
	assert_int_equal(subject_tag(&out, " hello", "[SPAM]"), SUBJECT_FAILED);
	buf_clear(&out);
	assert_int_equal(subject_tag(&out, " hello", "[\xc3\x9c]"), SUBJECT_FAILED);
	buf_clear(&out);
	assert_false(subject_encode(&out, "more than nine", 14));
	buf_clear(&out);
	assert_false(subject_encode(&out, "\xc3\x9c", 2));
}

static void reply_length(void **state)
{
	char sender[2000] = "", text[LIMIT_REPLY_TEXT + 2];
	struct template_facts facts = { .sender = sender };
	AUTO(buf_free) struct buf out = { 0 };
	AUTO(buf_free) struct buf milter = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	memset(sender, 'x', sizeof(sender) - 1);
	buf_init(&out, 4096);
	buf_init(&milter, 4096);
	assert_true(template_expand(&out, "a %{sender} b", &facts));
	assert_int_equal(out.length, LIMIT_REPLY_TEXT);
	memset(text, '%', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(template_check(text, &err), -1);
	assert_true(template_for_milter(&milter, text));
	assert_int_equal(milter.length, LIMIT_REPLY_TEXT - LIMIT_REPLY_TEXT % 2);
}

static void subjects(void **state)
{
	static const struct {
		const char *value, *tag, *expected; /* NULL: unchanged */
	} rows[] = {
		{ " Lunch", "[SPAM]", " [SPAM] Lunch" },
		{ "Lunch", "[SPAM]", " [SPAM] Lunch" },
		{ NULL, "[SPAM]", " [SPAM]" },
		{ " ", "[SPAM]", " [SPAM]" },
		{ " Lunch", "", NULL },
		{ " Lunch\n\ton Tuesday", "[SPAM]", " [SPAM] Lunch\n\ton Tuesday" },
		{ "\n Lunch", "[SPAM]", " [SPAM] Lunch" },
		{ " Lunch\r\n on\nTuesday", "[SPAM]", " [SPAM] Lunch\n on\n Tuesday" },
		/* Once: also folded, in other case, and inside encoded words. */
		{ " [SPAM] Lunch", "[SPAM]", NULL },
		{ " [spam] Lunch", "[SPAM]", NULL },
		{ " \n [SPAM]Lunch", "[SPAM]", NULL },
		{ " ***\n\tSPAM *** x", "*** SPAM ***", NULL },
		{ " =?UTF-8?Q?[SPAM]_Caf=C3=A9?=", "[SPAM]", NULL },
		{ " =?utf-8?b?W1NQQU1dIGE=?=", "[SPAM]", NULL },
		{ " =?UTF-8?Q?[SP?= =?UTF-8?Q?AM]?= x", "[SPAM]", NULL },
		{ " =?UTF-8?Q?[SP?= AM] x", "[SPAM]", " [SPAM] =?UTF-8?Q?[SP?= AM] x" },
		{ " Re: [SPAM] Lunch", "[SPAM]", " [SPAM] Re: [SPAM] Lunch" },
		{ " =?UTF-8?Q?Caf=C3=A9?=", "[SPAM]", " [SPAM] =?UTF-8?Q?Caf=C3=A9?=" },
		{ " caf\xc3\xa9", "[SPAM]", " [SPAM] caf\xc3\xa9" },
		{ " =?broken", "[SPAM]", " [SPAM] =?broken" },
		{ " =?UTF-8?X?[SPAM]?=", "[SPAM]", " [SPAM] =?UTF-8?X?[SPAM]?=" },
		{ " =?UTF-8?Q?=5bSPA=4d=5D=?=", "[SPAM]", NULL },
		{ " =?UTF-8?Q?=5g=4?=", "[SPAM]", " [SPAM] =?UTF-8?Q?=5g=4?=" },
		{ " =?UTF-8?Q?=~~=@@=GG=``?=", "[SPAM]", " [SPAM] =?UTF-8?Q?=~~=@@=GG=``?=" },
		{ " SPAMx", "SPAM x", " SPAM x SPAMx" },
		{ " SPAM", "SPAM ", NULL },
		{ " SPAM, x", "SPAM ", NULL },
		{ " a\n b\n\tc\n", "[SPAM]", " [SPAM] a\n b\n\tc" },
		/* A tag that is no ASCII is an encoded word; a blank to another goes inside. */
		{ " Lunch", "[\xc3\x9c]", " =?UTF-8?B?W8OcXQ==?= Lunch" },
		{ " =?UTF-8?B?eA==?=", "[\xc3\x9c]", " =?UTF-8?B?W8OcXSA=?= =?UTF-8?B?eA==?=" },
		{ " =?UTF-8?B?W8OcXSA=?= =?UTF-8?B?eA==?=", "[\xc3\x9c]", NULL },
		{ " x", "=?a?Q?b?=", " =?UTF-8?B?PT9hP1E/Yj89?= x" },
		{ " x", "\xc3\x9c\n", " =?UTF-8?B?w5w/?= x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(buf_free) struct buf out = { 0 };
		enum subject_result want =
			rows[i].expected == NULL ? SUBJECT_ALREADY : SUBJECT_TAGGED;

		buf_init(&out, 4096);
		if (subject_tag(&out, rows[i].value, rows[i].tag) != want)
			fail_msg("row %zu: %s", i, buf_text(&out));
		assert_string_equal(buf_text(&out), want == SUBJECT_TAGGED ? rows[i].expected : "");
		if (want == SUBJECT_TAGGED && rows[i].tag[0] != '=' && !strchr(rows[i].tag, '\n')) {
			AUTO(buf_free) struct buf again = { 0 };

			buf_init(&again, 4096);
			assert_int_equal(
				subject_tag(&again, buf_text(&out), rows[i].tag), SUBJECT_ALREADY);
		}
	}
}

static void long_subjects(void **state)
{
	AUTO(buf_free) struct buf value = { 0 };
	AUTO(buf_free) struct buf out = { 0 };
	char tag[400];

	(void)state;
	buf_init(&value, 70000);
	buf_init(&out, 70000);
	for (size_t i = 0; i < 980; i++)
		buf_putc(&value, 'x');
	assert_int_equal(subject_tag(&out, buf_text(&value), "[SPAM] [SPAM]"), SUBJECT_TAGGED);
	for (const char *line = buf_text(&out); *line != '\0';
		line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != '\0'))
		assert_true(strcspn(line, "\n") < 998);
	for (size_t i = 0; i + 1 < sizeof(tag); i++)
		tag[i] = i % 2 == 0 ? '\xc3' : '\xa9';
	tag[398] = '\0';
	buf_clear(&out);
	assert_int_equal(subject_tag(&out, " x", tag), SUBJECT_TAGGED);
	for (const char *line = buf_text(&out); *line != '\0';
		line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != '\0'))
		assert_true(strcspn(line, "\n") <= 78);
}

/* A whole new value that a scorer asks for: cut, without control characters. */
static void new_subjects(void **state)
{
	static char text[5000];
	AUTO(buf_free) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 70000);
	assert_true(subject_encode(&out, "a\tb\x7f", 4));
	assert_string_equal(buf_text(&out), " a?b?");
	memset(text, 'x', sizeof(text));
	buf_clear(&out);
	assert_true(subject_encode(&out, text, sizeof(text)));
	assert_true(out.length > 2000 && out.length < 2010);
	/* A tag is cut as well. */
	memset(text, 0xc3, 4000);
	text[4000] = '\0';
	buf_clear(&out);
	assert_int_equal(subject_tag(&out, " x", text), SUBJECT_TAGGED);
	assert_true(out.length < 4000);
	/* Of a Subject without end only so much is compared as a tag can be long. */
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 1; i < sizeof(text) - 1; i += 2)
		text[i] = ' ';
	buf_clear(&out);
	assert_int_equal(subject_tag(&out, text, "[SPAM]"), SUBJECT_TAGGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks),
		cmocka_unit_test(expansion),
		cmocka_unit_test(unknown_facts),
		cmocka_unit_test(full_buffers),
		cmocka_unit_test(reply_length),
		cmocka_unit_test(new_subjects),
		cmocka_unit_test(subjects),
		cmocka_unit_test(long_subjects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
