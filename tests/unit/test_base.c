/* SPDX-License-Identifier: BSD-2-Clause */
/* The base room: buffers, scores, cursors, deadlines, encoders. Traps 24, 26, 27; attacks A19, A20. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/deadline.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/repeat.h"
#include "base/score.h"

static void buffer_keeps_its_maximum(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 5);
	assert_string_equal(buf_text(&buf), "");
	assert_true(buf_append(&buf, "abc", 3));
	assert_true(buf_append(&buf, "de", 2));
	assert_false(buf_putc(&buf, 'f'));
	assert_string_equal(buf_text(&buf), "abcde");
	assert_false(buf_append(&buf, "", 0)); /* failure is remembered */
	buf_clear(&buf);
	assert_true(buf_printf(&buf, "%d", 12345));
	assert_false(buf_printf(&buf, "%d", 6));
	buf_free(&buf);
	assert_true(buf_puts(&buf, "x"));
	buf_consume(&buf, 9);
	assert_int_equal(buf.length, 0);
	buf_free(&buf);
}

static void buffer_writes_crlf(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ "a", "a" },
		{ "a\nb", "a\r\nb" },
		{ "a\r\nb\n", "a\r\nb\r\n" },
		{ "\n\n", "\r\n\r\n" },
		{ "a\rb\n", "a\rb\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf buf;

		buf_init(&buf, 100);
		assert_true(buf_put_crlf(&buf, rows[i].in, strlen(rows[i].in)));
		assert_string_equal(buf_text(&buf), rows[i].out);
		buf_free(&buf);
	}
}

static void scores_are_thousandths(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int32_t milli;
	} rows[] = {
		{ "5.0", true, 5000 },
		{ "5", true, 5000 },
		{ "-0.0", true, 0 },
		{ "4.9", true, 4900 },
		{ "+1.25", true, 1250 },
		{ "-12.3456", true, -12345 },
		{ "1001.3", true, 1001300 },
		{ "1000000", true, 1000000000 },
		{ "1000000.001", false, 0 },
		{ "", false, 0 },
		{ "-", false, 0 },
		{ ".5", false, 0 },
		{ "5.", false, 0 },
		{ "5,0", false, 0 },
		{ "nan", false, 0 },
		{ "inf", false, 0 },
		{ "1e3", false, 0 },
		{ " 5", false, 0 },
		{ "5 ", false, 0 },
		{ "0x5", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "--5", false, 0 },
		{ "+-5", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int32_t milli = 77;

		assert_int_equal(
			score_parse(rows[i].text, strlen(rows[i].text), &milli), rows[i].good);
		assert_int_equal(milli, rows[i].good ? rows[i].milli : 77);
	}
}

static void scores_are_written_as_spamassassin_does(void **state)
{
	static const struct {
		int32_t milli;
		int decimals;
		const char *text;
	} rows[] = {
		{ 5000, 1, "5.0" },
		{ 4960, 1, "5.0" },
		{ -40, 1, "0.0" },
		{ -50, 1, "-0.1" },
		{ 1001300, 1, "1001.3" },
		{ 7250, 2, "7.25" },
		{ 7250, 0, "7.25" },
		{ 7000, 0, "7.0" },
		{ 125, 0, "0.125" },
		{ -1500, 3, "-1.500" },
		{ INT32_MIN + 1, 3, "-2147483.647" },
	};
	char text[SCORE_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(
			score_format(rows[i].milli, rows[i].decimals, text), rows[i].text);
}

static void two_hexadecimal_digits_are_a_byte(void **state)
{
	static const struct {
		const char *text;
		bool is_byte;
		unsigned char byte;
	} cases[] = { { "00", true, 0 }, { "7e", true, 0x7e }, { "Af", true, 0xaf },
		{ "fFf", true, 0xff }, { "", false, 0 }, { "a", false, 0 }, { "g0", false, 0 },
		{ "0:", false, 0 }, { " 1", false, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cursor cursor = cursor_over(cases[i].text, strlen(cases[i].text));
		size_t length = cursor_left(&cursor);
		char byte = 'n';

		assert_int_equal(cursor_hex(&cursor, &byte), cases[i].is_byte);
		assert_int_equal(length - cursor_left(&cursor), cases[i].is_byte ? 2 : 0);
		assert_int_equal((unsigned char)byte, cases[i].is_byte ? cases[i].byte : 'n');
	}
}

/* A record that nobody can find must be counted, or the counts of messages and lines differ. */
static void records_that_cannot_be_written_are_counted(void **state)
{
	uint64_t before = log_dropped();
	int kept = dup(STDERR_FILENO), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	uint64_t at_once, queued;

	(void)state;
	assert_true(kept >= 0 && full >= 0 && dup2(full, STDERR_FILENO) >= 0);
	log_info(NULL, "without a thread");
	at_once = log_dropped() - before;
	assert_int_equal(log_start(NULL), 0);
	for (int i = 0; i < 5; i++)
		log_info(NULL, "record %d", i);
	log_stop(5000);
	queued = log_dropped() - before - at_once;
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	close(kept);
	close(full);
	assert_int_equal(at_once, 1);
	/* The writer says for each batch that records were dropped, which is dropped, too. */
	assert_true(queued >= 5 && queued <= 10);
}

/* A thread that has ended is no longer in /proc. */
static unsigned count_threads(void)
{
	DIR *folder = opendir("/proc/self/task");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count - 2; /* . and .. */
}

/* A writer that is stuck is left behind, and ends when it can (ThreadSanitizer: thread leak). */
static void log_that_is_stuck_holds_nobody_up(void **state)
{
	static char bytes[4096];
	unsigned threads = count_threads();
	int kept = dup(STDERR_FILENO), ends[2];

	(void)state;
	assert_true(kept >= 0 && pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	while (write(ends[1], bytes, sizeof(bytes)) > 0)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	assert_int_equal(log_start(NULL), 0);
	log_info(NULL, "stuck");
	log_stop(1);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	close(kept);
	close(ends[1]);
	while (count_threads() > threads)
		assert_true(read(ends[0], bytes, sizeof(bytes)) >= 0);
	close(ends[0]);
}

static void cursor_reads_what_matches(void **state)
{
	struct cursor cursor = cursor_over("Spam: 12x\r\nnext\nrest", 20), line, span;
	uint64_t number;

	(void)state;
	assert_false(cursor_literal(&cursor, "spam"));
	assert_true(cursor_literal_nocase(&cursor, "spam"));
	assert_true(cursor_byte(&cursor, ':') && cursor_blanks(&cursor));
	assert_false(cursor_number(&cursor, 11, &number));
	assert_false(cursor_number(&cursor, 0, &number)); /* a digit above the maximum itself */
	assert_true(cursor_number(&cursor, 12, &number));
	assert_int_equal(number, 12);
	assert_true(cursor_line(&cursor, &line));
	assert_int_equal(cursor_left(&line), 1);
	assert_true(cursor_line(&cursor, &line));
	assert_true(cursor_until(&line, 'x', &span));
	assert_int_equal(cursor_left(&span), 2);
	assert_false(cursor_line(&cursor, &line));
	assert_true(cursor_literal(&cursor, "rest") && cursor_at_end(&cursor));
	assert_false(cursor_number(&cursor, UINT64_MAX, &number));
}

static void deadlines_only_shrink(void **state)
{
	struct deadline past = deadline_after_ms(-5), later = deadline_after_ms(60000);

	(void)state;
	assert_true(deadline_passed(past));
	assert_int_equal(deadline_ms_left(past), 0);
	assert_false(deadline_passed(later));
	assert_in_range(deadline_ms_left(later), 50000, 60000);
	assert_int_equal(deadline_sooner(past, later).at_us, past.at_us);
	assert_int_equal(deadline_before_us(later, 7).at_us, later.at_us - 7);
	assert_int_equal(deadline_before_us(deadline_never(), 7).at_us, deadline_never().at_us);
	assert_int_equal(deadline_ms_left(deadline_never()), INT32_MAX);
	assert_true(deadline_timespec(deadline_never()).tv_sec > 0);
}

typedef bool encoder(struct buf *, const char *, size_t);

static void check_encoder(encoder *encode, const char *in, size_t length, const char *expected)
{
	struct buf out;

	buf_init(&out, 10000);
	assert_true(encode(&out, in, length));
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

static void untrusted_text_is_encoded(void **state)
{
	(void)state;
	check_encoder(encode_header, "a\r\n\tb \x1b[1m\xc3\xa9\0z", 14, "a b ?[1m???z");
	check_encoder(encode_header, " lead", 5, " lead");
	check_encoder(encode_log, "plain@example.com", 17, "plain@example.com");
	check_encoder(encode_log, "", 0, "\"\"");
	check_encoder(encode_log, "a b\n\"\\", 6, "\"a b\\x0a\\\"\\\\\"");
	check_encoder(encode_log, "a=b", 3, "\"a=b\"");
	check_encoder(encode_utf8, "\xc3\xa9\xff\0\xed\xa0\x80", 7,
		"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check_encoder(encode_terminal, "\x1b]0;x\a\xc3\xa9\xc2\x9b\xe2\x80\xae", 13,
		"\\x1b]0;x\\x07\xc3\xa9\\u{9b}\\u{202e}");
	check_encoder(encode_terminal, "\xc0\x80\r\n", 4, "\\xc0\\x80\\x0d\\x0a");
}

static void long_log_values_are_cut(void **state)
{
	char text[2000];
	struct buf out;

	(void)state;
	memset(text, 'a', sizeof(text));
	buf_init(&out, 10000);
	assert_true(encode_log(&out, text, sizeof(text)));
	assert_true(out.length <= LIMIT_LOG_VALUE);
	assert_memory_equal(out.data + out.length - 4, "...\"", 4);
	buf_free(&out);
}

static void repetitions_are_counted(void **state)
{
	const int64_t begin_us = 1000000;
	struct repeat repeat = { .on = false };
	uint64_t count = 0;
	int64_t seconds = 0;

	(void)state;
	assert_int_equal(repeat_look(&repeat, begin_us, true, &count, &seconds), REPEAT_NOTHING);
	assert_true(repeat_due(&repeat).at_us == INT64_MAX);
	assert_true(repeat_note(&repeat, begin_us)); /* once loudly */
	assert_true(repeat_due(&repeat).at_us == begin_us + REPEAT_PERIOD_US);
	for (int i = 0; i < 57; i++)
		assert_false(repeat_note(&repeat, begin_us + i));
	assert_int_equal(
		repeat_look(&repeat, begin_us + REPEAT_PERIOD_US - 1, false, &count, &seconds),
		REPEAT_NOTHING);
	assert_int_equal(repeat_look(&repeat, begin_us + REPEAT_PERIOD_US, false, &count, &seconds),
		REPEAT_COUNTED);
	assert_int_equal(count, 57);
	assert_int_equal(seconds, 60);
	/* a quiet period ends it, an early look does not */
	assert_int_equal(
		repeat_look(&repeat, begin_us + REPEAT_PERIOD_US + 1, true, &count, &seconds),
		REPEAT_NOTHING);
	assert_int_equal(
		repeat_look(&repeat, begin_us + 2 * REPEAT_PERIOD_US, false, &count, &seconds),
		REPEAT_OVER);
	assert_true(repeat_note(&repeat, begin_us + 2 * REPEAT_PERIOD_US + 1));
	assert_false(repeat_note(&repeat, begin_us + 2 * REPEAT_PERIOD_US + 2000001));
	/* an early look says what there is */
	assert_int_equal(repeat_look(&repeat, begin_us + 2 * REPEAT_PERIOD_US + 3000001, true,
				 &count, &seconds),
		REPEAT_COUNTED);
	assert_int_equal(count, 1);
	assert_int_equal(seconds, 3);
}

static void digest_is_sha256(void **state)
{
	unsigned char bytes[DIGEST_SIZE];
	char text[DIGEST_TEXT_SIZE];
	struct digest *digest = digest_new();

	(void)state;
	assert_true(digest_add(digest, "a", 1) && digest_add(digest, "bc", 2));
	assert_true(digest_finish(digest, bytes));
	assert_string_equal(digest_text(bytes, text), /* FIPS 180-4, example "abc" */
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_free(&digest);
	assert_null(digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_keeps_its_maximum),
		cmocka_unit_test(buffer_writes_crlf),
		cmocka_unit_test(scores_are_thousandths),
		cmocka_unit_test(scores_are_written_as_spamassassin_does),
		cmocka_unit_test(cursor_reads_what_matches),
		cmocka_unit_test(records_that_cannot_be_written_are_counted),
		cmocka_unit_test(log_that_is_stuck_holds_nobody_up),
		cmocka_unit_test(two_hexadecimal_digits_are_a_byte),
		cmocka_unit_test(deadlines_only_shrink),
		cmocka_unit_test(untrusted_text_is_encoded),
		cmocka_unit_test(long_log_values_are_cut),
		cmocka_unit_test(repetitions_are_counted),
		cmocka_unit_test(digest_is_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
