/* SPDX-License-Identifier: BSD-2-Clause */
/* The mail room: header lists, envelopes, message bodies in memory and in a file, verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "base/limits.h"
#include "mail/edits.h"
#include "mail/envelope.h"
#include "mail/headers.h"
#include "mail/message.h"
#include "mail/pieces.h"
#include "mail/verdict.h"

static void headers_keep_order_and_text(void **state)
{
	struct header_list list;
	struct buf out;

	(void)state;
	headers_init(&list, 10000);
	assert_true(headers_add(&list, "Subject", " one\n\ttwo"));
	assert_true(headers_add(&list, "X-Spam-Flag", " YES"));
	assert_true(headers_add(&list, "x-spam-FLAG", "no"));
	assert_int_equal(headers_find(&list, "x-spam-flag", 0), 1);
	assert_int_equal(headers_find(&list, "x-spam-flag", 2), 2);
	assert_int_equal(headers_find(&list, "Subject-X", 0), 3); /* trap 5 */
	buf_init(&out, 1000);
	assert_true(header_render(&out, headers_name(&list, 0), headers_value(&list, 0)));
	assert_string_equal(buf_text(&out), "Subject: one\r\n\ttwo\r\n");
	buf_free(&out);
	headers_free(&list);
}

/* Traps 1, 2 and 4: every copy, whatever its case, the last first. */
static void reserved_fields_are_listed_last_first(void **state)
{
	static const char *const names[] = { "X-Spam-Flag", "Subject", "x-spam-flag",
		"X-SPAM-SCORE", "To", "X-Spam-FLAG", "x-Rspamd-Bar" };
	static const struct header_instance expected[] = { { 6, 1 }, { 5, 3 }, { 3, 1 }, { 2, 2 },
		{ 0, 1 } };
	struct header_instance *instances;
	struct header_list list;
	size_t count;

	(void)state;
	headers_init(&list, 10000);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(headers_add(&list, names[i], " x"));
	assert_true(headers_matching(&list, header_is_reserved, &instances, &count));
	assert_int_equal(count, 5);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(instances[i].index, expected[i].index);
		assert_int_equal(instances[i].instance, expected[i].instance);
	}
	free(instances);
	headers_free(&list);
}

static void headers_have_a_maximum(void **state)
{
	struct header_list list;

	(void)state;
	headers_init(&list, 12);
	assert_true(headers_add(&list, "A", "b"));
	assert_false(headers_add(&list, "Subject", " longer than there is room"));
	assert_int_equal(list.count, 1);
	headers_free(&list);
}

static void reserved_names_are_known_in_any_spelling(void **state)
{
	static const char *const reserved[] = { "X-Spam", "x-spam-status", "X-SPAM-Flag ",
		"X-Rspamd-Queue", " X-Spam-Level", "X-Spamd-Result" };
	static const char *const free_names[] = { "X-Spa", "Subject", "XX-Spam-Flag", "X-Mailer",
		"" };

	(void)state;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		assert_true(header_is_reserved(reserved[i]));
	for (size_t i = 0; i < sizeof(free_names) / sizeof(free_names[0]); i++)
		assert_false(header_is_reserved(free_names[i]));
}

static void release_marks_are_known_in_any_spelling(void **state)
{
	static const char *const marks[] = { "X-Spambridge-Release", "x-spambridge-RELEASE",
		" X-Spambridge-Release", "\tX-Spambridge-Release", "X-Spambridge-Release \t" };
	static const char *const others[] = { "X-Spambridge-Released", "X-Spambridge",
		"X-Spam-Flag", "X-Spambridge-Release x", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		assert_true(header_is_release_mark(marks[i]));
		assert_true(header_is_reserved(marks[i]));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(header_is_release_mark(others[i]));
}

static void addresses_lose_their_brackets(void **state)
{
	struct envelope envelope = { 0 };
	char *mail[] = { (char *)"<a@example.org>", (char *)"SIZE=9", (char *)"SMTPUTF8", NULL };
	char *null_sender[] = { (char *)"<>", NULL };
	char *bare[] = { (char *)"", NULL };

	(void)state;
	assert_true(envelope_set_sender(&envelope, mail));
	assert_string_equal(envelope.sender, "a@example.org");
	assert_true(envelope.utf8);
	assert_false(envelope.eight_bit);
	assert_true(envelope_set_sender(&envelope, null_sender));
	assert_string_equal(envelope.sender, "");
	assert_true(envelope_set_sender(&envelope, bare));
	assert_string_equal(envelope.sender, "");
	assert_true(envelope_add_recipient(&envelope, "<B@Example.org>"));
	assert_true(envelope_add_recipient(&envelope, "c"));
	assert_string_equal(envelope.recipients.items[0], "B@Example.org");
	assert_string_equal(envelope.recipients_raw.items[0], "<B@Example.org>"); /* trap 53 */
	assert_string_equal(envelope.recipients.items[1], "c");
	assert_string_equal(envelope_id(&envelope), "-");
	envelope_free(&envelope);
}

static void envelopes_have_a_maximum(void **state)
{
	struct envelope envelope = { 0 }, copy;
	char longer[LIMIT_ADDRESS + 3];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_true(envelope_add_recipient(&envelope, longer));
	assert_int_equal(strlen(envelope.recipients.items[0]), LIMIT_ADDRESS);
	for (int i = 1; i < LIMIT_RECIPIENTS; i++)
		assert_true(envelope_add_recipient(&envelope, "a"));
	assert_false(envelope_add_recipient(&envelope, "a"));
	assert_int_equal(envelope.recipients.count, LIMIT_RECIPIENTS);
	assert_int_equal(envelope.recipients_raw.count, LIMIT_RECIPIENTS);
	assert_true(fact_set(&envelope.queue_id, "4X"));
	assert_string_equal(envelope_id(&envelope), "4X");
	/* That the sender is not known yet is copied, too. */
	assert_true(envelope_copy(&copy, &envelope));
	assert_null(copy.sender);
	assert_false(copy.has_sender);
	assert_int_equal(copy.recipients.count, LIMIT_RECIPIENTS);
	envelope_free(&copy);
	envelope_free(&envelope);
}

static void addresses_of_both_families_are_read(void **state)
{
	static const struct {
		const char *text;
		int family;
	} rows[] = { { "192.0.2.1", AF_INET }, { "2001:db8::1", AF_INET6 },
		{ "IPv6:2001:db8::1", AF_UNSPEC }, { "", AF_UNSPEC }, { NULL, AF_UNSPEC } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_storage address;

		assert_int_equal(
			address_parse_ip(rows[i].text, &address), rows[i].family != AF_UNSPEC);
		assert_int_equal(address.ss_family, rows[i].family);
	}
}

static void fields_have_a_maximum_number(void **state)
{
	struct header_list list;

	(void)state;
	headers_init(&list, LIMIT_HEADER_BYTES);
	while (list.count < LIMIT_HEADER_COUNT)
		assert_true(headers_add(&list, "A", "b"));
	assert_false(headers_add(&list, "A", "b"));
	headers_free(&list);
}

static void sizes_are_those_of_the_wire(void **state)
{
	static const struct {
		const char *value;
		size_t bytes;
	} rows[] = { { " a", 2 }, { " a\n\tb", 6 }, { " a\r\n\tb", 6 }, { "\n b", 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message_limits limits = { SIZE_MAX, 100, "/tmp" };
		struct message *message = message_new(&limits);

		assert_true(message_add_header(message, "X", rows[i].value));
		assert_int_equal(message_size(message), 1 + 1 + rows[i].bytes + 2 + 2);
		message_free(&message);
	}
}

/* Each single thing that a scorer asks for counts; what is dropped is dropped by name. */
static void edits_count(void **state)
{
	struct message_edits rows[] = {
		{ .addition_count = 1 },
		{ .removal_count = 1 },
		{ .subject = (char *)"" },
		{ .change_from = (char *)"" },
		{ .add_rcpt = { .count = 1 } },
		{ .del_rcpt = { .count = 1 } },
	};
	struct message_edits none = { .addition_count = 0 }, *copy;

	(void)state;
	assert_true(edits_are_empty(&none));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_false(edits_are_empty(&rows[i]));
	for (int i = 0; i < 3; i++) {
		none.additions[i].name = strdup(i == 1 ? "x-B" : "X-A");
		none.additions[i].value = strdup(" v");
	}
	none.addition_count = 3;
	edits_drop(&none, "x-a");
	assert_int_equal(none.addition_count, 1);
	assert_string_equal(none.additions[0].name, "x-B");
	copy = edits_copy(&none);
	assert_null(copy->subject);
	assert_string_equal(copy->additions[0].name, "x-B");
	edits_free(&copy);
	edits_clear(&none);
	assert_true(edits_are_empty(&none));
}

/* The body as message_peek() gives it, with a small scratch so that a file takes many steps. */
static void check_body(struct message *message, const char *expected, size_t length)
{
	char scratch[7];
	size_t offset = 0;
	const void *bytes;
	long got;

	while ((got = message_peek(message, offset, scratch, sizeof(scratch), &bytes)) > 0) {
		assert_memory_equal(bytes, expected + offset, (size_t)got);
		offset += (size_t)got;
	}
	assert_int_equal(got, 0);
	assert_int_equal(offset, length);
}

static void bodies_are_the_same_in_memory_and_in_a_file(void **state)
{
	char text[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 % 256);
	/* Traps 19 and 21: chunks of every size, NUL and CR anywhere; memory limits around them. */
	for (size_t memory = 0; memory <= 5001; memory += 1667)
		for (size_t chunk = 1; chunk < 700; chunk += 97) {
			struct message_limits limits = { SIZE_MAX, memory, "/tmp" };
			struct message *message = message_new(&limits);

			for (size_t at = 0; at < sizeof(text); at += chunk)
				assert_int_equal(MESSAGE_MORE,
					message_add_body(message, text + at,
						at + chunk > sizeof(text) ? sizeof(text) - at :
									    chunk));
			message_seal(message);
			check_body(message, text, sizeof(text));
			assert_false(message_body_cut(message));
			message_free(&message);
			assert_null(message);
		}
}

/* Pieces end where no chunk does, and a body goes to the file from several of them. */
static void large_bodies_are_kept_in_pieces(void **state)
{
	static char text[3 * PIECES_SIZE + 5];
	const size_t chunks[] = { 65535, PIECES_SIZE, PIECES_SIZE - 1, 1000, sizeof(text) };
	const size_t memories[] = { SIZE_MAX, sizeof(text), sizeof(text) - 1, PIECES_SIZE };

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 % 251);
	for (size_t i = 0; i < 5 * 4; i++) {
		struct message_limits limits = { SIZE_MAX, memories[i % 4], "/tmp" };
		struct message *message = message_new(&limits);
		size_t chunk = chunks[i / 4];

		for (size_t at = 0; at < sizeof(text); at += chunk)
			assert_int_equal(MESSAGE_MORE,
				message_add_body(message, text + at,
					at + chunk > sizeof(text) ? sizeof(text) - at : chunk));
		message_seal(message);
		assert_int_equal(message_in_file(message), memories[i % 4] < sizeof(text));
		check_body(message, text, sizeof(text));
		message_free(&message);
	}
}

static void bodies_stop_at_what_is_needed(void **state)
{
	struct message_limits limits = { 10, 100, "/tmp" };
	struct message *message = message_new(&limits);

	(void)state;
	assert_int_equal(message_add_body(message, "0123456789", 10), MESSAGE_MORE);
	assert_false(message_body_cut(message));
	assert_int_equal(message_add_body(message, "", 0), MESSAGE_MORE);
	assert_int_equal(message_add_body(message, "ab", 2), MESSAGE_ENOUGH);
	assert_true(message_body_cut(message));
	assert_int_equal(message_size(message), 14);
	check_body(message, "0123456789", 10);
	message_free(&message);
}

/* Held mail is kept whole; that is said before the body comes or not at all. */
static void bodies_are_kept_whole_if_said_in_time(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct message_limits limits = { 2, 100, "/tmp" };
		struct message *message = message_new(&limits);

		if (late == 1)
			assert_int_equal(message_add_body(message, "a", 1), MESSAGE_MORE);
		message_keep_whole(message);
		assert_int_equal(message_add_body(message, "bcd", 3),
			late == 1 ? MESSAGE_ENOUGH : MESSAGE_MORE);
		assert_int_equal(message_body_cut(message), late == 1);
		message_free(&message);
	}
}

static void a_missing_directory_is_an_error(void **state)
{
	struct message_limits limits = { SIZE_MAX, 2, "/nonexistent/directory" };
	struct message *message = message_new(&limits);

	(void)state;
	assert_int_equal(message_add_body(message, "abc", 3), MESSAGE_FAILED);
	assert_int_equal(message_add_body(message, "d", 1), MESSAGE_FAILED);
	assert_non_null(strstr(message_error(message), "/nonexistent/directory"));
	message_free(&message);
}

static void verdicts_are_copied_deeply(void **state)
{
	struct verdict verdict, copy, moved;

	(void)state;
	verdict_init(&verdict);
	verdict.status = VERDICT_SCORED;
	verdict.version = strdup("SpamAssassin 4.0.1");
	assert_true(verdict_add_test(&verdict, "GTUBE\r\nX: y", 11, false, 0));
	assert_true(verdict_test_add_option(&verdict.tests[0], "x\r\ny\xc3\x00z", 7));
	assert_true(headers_add(&verdict.extra, "X-Spam-Report", " text"));
	assert_true(verdict_copy(&copy, &verdict));
	verdict_free(&verdict);
	assert_int_equal(verdict.test_count, 0);
	verdict_move(&moved, &copy);
	verdict_free(&copy);
	assert_string_equal(moved.tests[0].name, "GTUBE__X:_y");
	assert_int_equal(moved.tests[0].options.count, 1);
	assert_string_equal(moved.tests[0].options.items[0], "x y??z");
	assert_string_equal(headers_value(&moved.extra, 0), " text");
	assert_string_equal(verdict_status_name(moved.status), "scored");
	for (int i = 0; i < LIMIT_TESTS + 10; i++)
		assert_true(verdict_add_test(&moved, "A", 1, true, 1));
	assert_int_equal(moved.test_count, LIMIT_TESTS);
	verdict_free(&moved);
}

static void options_of_a_test_are_bounded(void **state)
{
	char text[LIMIT_TEST_OPTION * 2];
	struct verdict verdict;

	(void)state;
	memset(text, 'x', sizeof(text));
	verdict_init(&verdict);
	assert_true(verdict_add_test(&verdict, "A", 1, false, 0));
	assert_true(verdict_test_add_option(&verdict.tests[0], "\r\n", 2));
	assert_int_equal(verdict.tests[0].options.count, 0);
	for (int i = 0; i < LIMIT_TEST_OPTIONS + 3; i++)
		assert_true(verdict_test_add_option(&verdict.tests[0], text, sizeof(text)));
	assert_int_equal(verdict.tests[0].options.count, LIMIT_TEST_OPTIONS);
	assert_int_equal(strlen(verdict.tests[0].options.items[0]), LIMIT_TEST_OPTION);
	verdict_free(&verdict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_keep_order_and_text),
		cmocka_unit_test(headers_have_a_maximum),
		cmocka_unit_test(reserved_fields_are_listed_last_first),
		cmocka_unit_test(reserved_names_are_known_in_any_spelling),
		cmocka_unit_test(release_marks_are_known_in_any_spelling),
		cmocka_unit_test(addresses_lose_their_brackets),
		cmocka_unit_test(envelopes_have_a_maximum),
		cmocka_unit_test(addresses_of_both_families_are_read),
		cmocka_unit_test(fields_have_a_maximum_number),
		cmocka_unit_test(sizes_are_those_of_the_wire),
		cmocka_unit_test(edits_count),
		cmocka_unit_test(bodies_are_kept_whole_if_said_in_time),
		cmocka_unit_test(bodies_are_the_same_in_memory_and_in_a_file),
		cmocka_unit_test(large_bodies_are_kept_in_pieces),
		cmocka_unit_test(bodies_stop_at_what_is_needed),
		cmocka_unit_test(a_missing_directory_is_an_error),
		cmocka_unit_test(verdicts_are_copied_deeply),
		cmocka_unit_test(options_of_a_test_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
