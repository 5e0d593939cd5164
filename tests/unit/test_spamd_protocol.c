/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests to spamd and its replies: traps 26 to 31 and 69, attack row A6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "protocol/spamd.h"

#define OK   "SPAMD/1.1 0 EX_OK\r\n"
#define SPAM "Spam: True ; 1001.3 / 5.0\r\n"

static void requests(void **state)
{
	static const struct {
		enum spamd_verb verb;
		const char *user;
		const char *expected;
	} rows[] = {
		{ SPAMD_CHECK, NULL, "CHECK SPAMC/1.5\r\nContent-length: 486\r\n\r\n" },
		{ SPAMD_SYMBOLS, "bob",
			"SYMBOLS SPAMC/1.5\r\nContent-length: 486\r\nUser: bob\r\n\r\n" },
		{ SPAMD_HEADERS, "", "HEADERS SPAMC/1.5\r\nContent-length: 486\r\n\r\n" },
		{ SPAMD_HEADERS, "a b", "HEADERS SPAMC/1.5\r\nContent-length: 486\r\n\r\n" },
		{ SPAMD_HEADERS, "a\r\nX: y", "HEADERS SPAMC/1.5\r\nContent-length: 486\r\n\r\n" },
		{ SPAMD_HEADERS, "b\xc3\xb6", "HEADERS SPAMC/1.5\r\nContent-length: 486\r\n\r\n" },
		{ SPAMD_PING, "bob", "PING SPAMC/1.5\r\n\r\n" },
		{ SPAMD_LEARN_SPAM, NULL,
			"TELL SPAMC/1.5\r\nContent-length: 486\r\nMessage-class: spam\r\n"
			"Set: local\r\n\r\n" },
		{ SPAMD_LEARN_HAM, NULL,
			"TELL SPAMC/1.5\r\nContent-length: 486\r\nMessage-class: ham\r\n"
			"Set: local\r\n\r\n" },
		{ SPAMD_FORGET, NULL,
			"TELL SPAMC/1.5\r\nContent-length: 486\r\nRemove: local\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(buf_free) struct buf out = { 0 };

		buf_init(&out, SPAMD_REQUEST_SIZE);
		assert_true(spamd_request(&out, rows[i].verb, rows[i].user, 486));
		assert_string_equal(buf_text(&out), rows[i].expected);
	}
}

static enum spamd_reply_state parse(
	enum spamd_verb verb, const char *bytes, size_t length, bool at_eof, struct verdict *ret)
{
	struct spamd_reply reply;

	verdict_init(ret);
	spamd_reply_init(&reply, verb);
	return spamd_reply_parse(&reply, bytes, length, at_eof, ret);
}

struct row {
	enum spamd_verb verb;
	const char *reply;
	bool spam;
	int32_t score;
	int32_t required;
	size_t tests;
};

/* Traps 26 (decimals), 28 (both pairs of words), 30 (other versions, other fields). */
static const struct row good[] = {
	{ SPAMD_CHECK, OK SPAM "\r\n", true, 1001300, 5000, 0 },
	{ SPAMD_CHECK, OK "Spam: False ; 4.9 / 5.0\r\n\r\n", false, 4900, 5000, 0 },
	{ SPAMD_CHECK, OK "Spam: Yes ; 5 / 5\r\n\r\n", true, 5000, 5000, 0 },
	{ SPAMD_CHECK, OK "Spam: No ; -0.5 / 5.0\r\n\r\n", false, -500, 5000, 0 },
	{ SPAMD_CHECK, OK "Spam: False ; -0.0 / 5.0\r\n\r\n", false, 0, 5000, 0 },
	{ SPAMD_CHECK, OK "spam:False;1/5\r\n\r\n", false, 1000, 5000, 0 },
	{ SPAMD_CHECK, "SPAMD/1.5 0 EX_OK\r\nX-New: a:b\r\n" SPAM "\r\n", true, 1001300, 5000, 0 },
	{ SPAMD_CHECK, "SPAMD/2.0 0\r\n" SPAM "\r\n", true, 1001300, 5000, 0 },
	{ SPAMD_CHECK, OK "Content-length: 7\r\nSpam: False ; 15.00 / 15.00\r\n\r\nGTUBE\r\n",
		false, 15000, 15000, 0 },
	{ SPAMD_SYMBOLS, OK "Content-length: 21\r\n" SPAM "\r\nGTUBE,RCVD_ILLEGAL_IP", true,
		1001300, 5000, 2 },
	{ SPAMD_SYMBOLS, OK SPAM "Content-length: 0\r\n\r\n", true, 1001300, 5000, 0 },
	{ SPAMD_SYMBOLS, OK SPAM "Content-length: 7\r\n\r\nGTUBE\r\n", true, 1001300, 5000, 1 },
	{ SPAMD_SYMBOLS, OK SPAM "CONTENT-LENGTH: 6\r\n\r\nA,,B,C", true, 1001300, 5000, 3 },
};

static void check_good(const struct row *row, struct verdict *verdict)
{
	assert_int_equal(verdict->status, VERDICT_SCORED);
	assert_int_equal(verdict->spam, row->spam);
	assert_int_equal(verdict->score, row->score);
	assert_int_equal(verdict->required, row->required);
	assert_int_equal(verdict->test_count, row->tests);
	verdict_free(verdict);
}

static void good_replies(void **state)
{
	struct verdict verdict;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(
			parse(good[i].verb, good[i].reply, strlen(good[i].reply), false, &verdict),
			SPAMD_REPLY_COMPLETE);
		check_good(&good[i], &verdict);
	}
}

/* Trap 29, fault F9: every prefix is incomplete, and a failure at EOF; one byte more is refused. */
static void every_cut(void **state)
{
	struct verdict verdict;
	char longer[512];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct row *row = &good[i];
		size_t length = strlen(row->reply);

		for (size_t cut = 0; cut < length; cut++) {
			assert_int_equal(parse(row->verb, row->reply, cut, false, &verdict),
				SPAMD_REPLY_INCOMPLETE);
			assert_int_equal(verdict.status, VERDICT_NONE);
			verdict_free(&verdict);
			assert_int_equal(parse(row->verb, row->reply, cut, true, &verdict),
				SPAMD_REPLY_MALFORMED);
			assert_int_equal(verdict.status, VERDICT_MALFORMED);
			assert_string_not_equal(verdict.err.text, "");
			verdict_free(&verdict);
		}
		memcpy(longer, row->reply, length);
		longer[length] = '\n';
		assert_int_equal(parse(row->verb, longer, length + 1, false, &verdict),
			SPAMD_REPLY_MALFORMED);
		verdict_free(&verdict);
	}
}

/* The same parser fed one byte more each time, from memory that moves. */
static void byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct row *row = &good[i];
		size_t length = strlen(row->reply);
		struct spamd_reply reply;
		struct verdict verdict;

		verdict_init(&verdict);
		spamd_reply_init(&reply, row->verb);
		for (size_t n = 0; n <= length; n++) {
			char *copy = malloc(n + 1);

			assert_non_null(copy);
			memcpy(copy, row->reply, n);
			assert_int_equal(spamd_reply_parse(&reply, copy, n, false, &verdict),
				n == length ? SPAMD_REPLY_COMPLETE : SPAMD_REPLY_INCOMPLETE);
			free(copy);
		}
		check_good(row, &verdict);
	}
}

/* Traps 27, 30, 31 and attack row A6. */
static void bad_replies(void **state)
{
	static const struct {
		enum spamd_verb verb;
		const char *reply;
		const char *why; /* a part of the reason */
	} rows[] = {
		{ SPAMD_CHECK, "HTTP/1.1 200 OK\r\n", "status line" },
		{ SPAMD_CHECK, "SPAMD/-1.1 0 EX_OK\r\n", "status line" },
		{ SPAMD_CHECK, "SPAMD/1 0 EX_OK\r\n", "status line" },
		{ SPAMD_CHECK, "SPAMD/1.1 -1 EX_OK\r\n", "status line" },
		{ SPAMD_CHECK, "SPAMD/1.1 0x EX_OK\r\n", "after the code" },
		{ SPAMD_CHECK, "SPAMD/1.0 76 Bad header line: (\x1b[0m)\r\n",
			"code 76 (protocol error): Bad header line: (?[0m)" },
		{ SPAMD_CHECK, "SPAMD/1.0 79 Timeout: (20 second timeout)\r\n", "79 (timeout)" },
		{ SPAMD_LEARN_HAM, "SPAMD/1.0 69 Service Unavailable: TELL\r\n",
			"69 (service unavailable)" },
		{ SPAMD_CHECK, "SPAMD/1.0 999 x\r\n", "999 (unknown code)" },
		{ SPAMD_CHECK, OK "\r\n", "no Spam line" },
		{ SPAMD_CHECK, OK SPAM SPAM "\r\n", "two Spam" },
		{ SPAMD_CHECK, OK "Spam: Maybe ; 1 / 5\r\n", "no score" },
		{ SPAMD_CHECK, OK "Spam: True ; 1,3 / 5\r\n", "no score" },
		{ SPAMD_CHECK, OK "Spam: True ; nan / 5\r\n", "no score" },
		{ SPAMD_CHECK, OK "Spam: True ; inf / 5\r\n", "no score" },
		{ SPAMD_CHECK, OK "Spam: True ; 1e999 / 5\r\n", "no score" },
		{ SPAMD_CHECK, OK "Spam: True ; 9999999999 / 5\r\n", "no score" },
		{ SPAMD_CHECK, OK "Spam: True ; 6 / 5 x\r\n", "no score" },
		{ SPAMD_CHECK, OK "Spam: True ; 6\r\n", "no score" },
		{ SPAMD_CHECK, OK "Spam: Trueish ; 6 / 5\r\n", "no score" },
		{ SPAMD_CHECK, OK "garbage\r\n", "colon" },
		{ SPAMD_CHECK, OK SPAM "\r\nmore", "behind the end" },
		{ SPAMD_CHECK, OK SPAM "\r\n" OK SPAM "\r\n", "behind the end" },
		{ SPAMD_SYMBOLS, OK SPAM "\r\nGTUBE", "no Content-length" },
		{ SPAMD_SYMBOLS, OK SPAM "Content-length: 5\r\n\r\nGTUBE,", "behind the end" },
		{ SPAMD_SYMBOLS, OK SPAM "Content-length: 5\r\nContent-length: 5\r\n",
			"two Content" },
		{ SPAMD_SYMBOLS, OK SPAM "Content-length: -5\r\n", "no number" },
		{ SPAMD_SYMBOLS, OK SPAM "Content-length: 99999999\r\n", "no number" },
		{ SPAMD_SYMBOLS, OK SPAM "Content-length: 99999999999999999999\r\n", "no number" },
		{ SPAMD_PING, "SPAMD/1.5 0 EX_OK\r\n", "not PONG" },
		{ SPAMD_PING, "SPAMD/1.5 0 PONG\r\nx", "behind the end" },
	};
	struct verdict verdict;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			parse(rows[i].verb, rows[i].reply, strlen(rows[i].reply), false, &verdict),
			SPAMD_REPLY_MALFORMED);
		assert_int_equal(verdict.status, VERDICT_MALFORMED);
		if (!strstr(verdict.err.text, rows[i].why))
			fail_msg("row %zu: %s", i, verdict.err.text);
		verdict_free(&verdict);
	}
}

static void limits(void **state)
{
	AUTO(buf_free) struct buf bytes = { 0 };
	struct verdict verdict;

	(void)state;
	buf_init(&bytes, 1024 * 1024);
	buf_puts(&bytes, OK "X-Long: ");
	for (size_t i = 0; i < LIMIT_SPAMD_LINE; i++)
		buf_putc(&bytes, 'x');
	assert_int_equal(parse(SPAMD_CHECK, bytes.data, bytes.length, false, &verdict),
		SPAMD_REPLY_MALFORMED);
	verdict_free(&verdict);
	buf_clear(&bytes);
	buf_puts(&bytes, OK);
	for (size_t i = 0; i < LIMIT_SPAMD_LINES; i++)
		buf_puts(&bytes, "X: y\r\n");
	assert_int_equal(parse(SPAMD_CHECK, bytes.data, bytes.length, false, &verdict),
		SPAMD_REPLY_MALFORMED);
	verdict_free(&verdict);
}

static void ping_and_tell(void **state)
{
	static const struct {
		enum spamd_verb verb;
		const char *reply;
		bool set, removed;
	} rows[] = {
		{ SPAMD_PING, "SPAMD/1.5 0 PONG\r\n", false, false },
		{ SPAMD_PING, "SPAMD/1.2 0 PONG\r\n\r\n", false, false },
		{ SPAMD_LEARN_SPAM, OK "DidSet: local\r\n\r\n\r\n", true, false },
		{ SPAMD_LEARN_HAM, OK "\r\n\r\n", false, false },
		{ SPAMD_FORGET, OK "DidRemove: local\r\nContent-length: 2\r\n\r\n\r\n", false,
			true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct spamd_reply reply;
		struct verdict verdict;

		verdict_init(&verdict);
		spamd_reply_init(&reply, rows[i].verb);
		assert_int_equal(spamd_reply_parse(&reply, rows[i].reply, strlen(rows[i].reply),
					 false, &verdict),
			SPAMD_REPLY_COMPLETE);
		assert_int_equal(reply.code, 0);
		assert_int_equal(reply.did_set, rows[i].set);
		assert_int_equal(reply.did_remove, rows[i].removed);
		assert_int_equal(verdict.status, VERDICT_NONE);
		verdict_free(&verdict);
	}
}

static void take(const char *bytes, struct verdict *ret)
{
	verdict_init(ret);
	assert_true(spamd_headers_take(bytes, strlen(bytes), ret));
}

#define BLOCK                                                                            \
	"X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on HOST\r\n"            \
	"X-Spam-Flag: YES\r\n"                                                           \
	"X-Spam-Level: ****\r\n"                                                         \
	"X-Spam-Status: Yes, score=1001.3 required=5.0 tests=GTUBE,\r\n"                 \
	"\tRCVD_ILLEGAL_IP,THIRD autolearn=no autolearn_force=no\r\n\tversion=4.0.1\r\n" \
	"X-Spam-Report: \r\n\t*  1.3 RCVD\r\n\t* 1000 GTUBE\r\n"

static void headers_reply(void **state)
{
	struct verdict verdict;

	(void)state;
	take(BLOCK "X-Spam-Prev-Subject: x\r\nX-Envelope-From: <a@b>\r\nX-Spam-Late: no\r\n\r\n",
		&verdict);
	assert_int_equal(verdict.test_count, 3);
	assert_string_equal(verdict.tests[0].name, "GTUBE");
	assert_string_equal(verdict.tests[1].name, "RCVD_ILLEGAL_IP");
	assert_string_equal(verdict.tests[2].name, "THIRD");
	assert_string_equal(verdict.autolearn, "no autolearn_force=no");
	assert_string_equal(verdict.version, "SpamAssassin 4.0.1 (2024-03-25) on HOST");
	assert_int_equal(verdict.extra.count, 1);
	assert_string_equal(headers_name(&verdict.extra, 0), "X-Spam-Report");
	assert_string_equal(headers_value(&verdict.extra, 0), " \n\t*  1.3 RCVD\n\t* 1000 GTUBE");
	verdict_free(&verdict);

	take("X-Spam-Status: No, score=0.0 required=5.0 tests=none autolearn=ham version=3.4.6\n\n",
		&verdict);
	assert_int_equal(verdict.test_count, 0);
	assert_string_equal(verdict.autolearn, "ham");
	assert_string_equal(verdict.version, "SpamAssassin 3.4.6");
	verdict_free(&verdict);

	take("X-Spam-Status: Yes, score=3 tests=A=1.5,B=-0.25 autolearn=no\n\n", &verdict);
	assert_int_equal(verdict.test_count, 2);
	assert_true(verdict.tests[1].has_score);
	assert_int_equal(verdict.tests[1].score, -250);
	verdict_free(&verdict);
}

/* With report_safe the reply describes a wrapper: its X-Spam block is SpamAssassin's own too. */
static void wrapper(void **state)
{
	struct verdict verdict;

	(void)state;
	take("Received: from localhost by HOST\r\n\twith SpamAssassin (version "
	     "4.0.1);\r\n\tdate\r\n"
	     "From: X-Spam-Status: Yes, tests=FORGED\r\nTo: b@example.org\r\nSubject: s\r\n" BLOCK
	     "MIME-Version: 1.0\r\nX-Spam-Late: no\r\n\r\n",
		&verdict);
	assert_int_equal(verdict.test_count, 3);
	assert_int_equal(verdict.extra.count, 1);
	verdict_free(&verdict);
	/* Not SpamAssassin's: nothing is taken from behind somebody else's fields. */
	take("Received: from localhost by HOST (x)\r\n\twith ESMTP\r\nFrom: a\r\n" BLOCK "\r\n",
		&verdict);
	assert_int_equal(verdict.test_count, 0);
	assert_null(verdict.version);
	verdict_free(&verdict);
}

/* Traps 12 and 13, attack row A4: long lines, empty lines, control and 8-bit bytes. */
static void hostile_headers(void **state)
{
	AUTO(buf_free) struct buf bytes = { 0 };
	struct verdict verdict;
	const char *value;

	(void)state;
	take("X-Spam-A: one\r\n\r\n\ttwo\x1b\xff\rX: y\r\n \t \r\n\tthree\r\nX-Spam-B: b\r\n\r\n",
		&verdict);
	assert_int_equal(verdict.extra.count, 2);
	assert_string_equal(headers_value(&verdict.extra, 0), " one\n\ttwo???X: y\n\tthree");
	verdict_free(&verdict);

	buf_init(&bytes, 4 * 1024 * 1024);
	for (unsigned i = 0; i < 100; i++) {
		buf_printf(&bytes, "X-Spam-Extra-%u: ", i);
		for (unsigned line = 0; line < 20; line++) {
			for (unsigned n = 0; n < 1500; n++)
				buf_putc(&bytes, 'x');
			buf_puts(&bytes, "\n\t");
		}
		buf_puts(&bytes, "end\n");
	}
	buf_puts(&bytes, "\n");
	take(buf_text(&bytes), &verdict);
	assert_int_equal(verdict.extra.count, LIMIT_EXTRA_HEADERS);
	for (size_t i = 0; i < verdict.extra.count; i++) {
		value = headers_value(&verdict.extra, i);
		assert_true(strlen(headers_name(&verdict.extra, i)) + 1 + strlen(value) <=
			LIMIT_ADDED_HEADER);
		assert_true(strlen(headers_name(&verdict.extra, i)) + 1 + strcspn(value, "\n") <=
			LIMIT_ADDED_LINE);
	}
	verdict_free(&verdict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(good_replies),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(bad_replies),
		cmocka_unit_test(limits),
		cmocka_unit_test(ping_and_tell),
		cmocka_unit_test(headers_reply),
		cmocka_unit_test(wrapper),
		cmocka_unit_test(hostile_headers),
	};

	/* Trap 27: a comma locale must not change how numbers are read. */
	setlocale(LC_ALL, "de_DE.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
