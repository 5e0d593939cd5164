/* SPDX-License-Identifier: BSD-2-Clause */
/* rspamd's replies, our request headers: traps 10, 12, 31, 33, 34, 45, attacks A3 to A5 and A7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/field.h"
#include "protocol/rspamd.h"

#define BEGIN "{\"is_skipped\":false,\"score\":1.5,\"required_score\":15.0,\"action\":\"no action\""
#define END   ",\"message-id\":\"undef\"}"

static int parse(
	const char *reply, size_t length, struct verdict *verdict, struct rspamd_answer *answer)
{
	verdict_init(verdict);
	rspamd_answer_init(answer);
	return rspamd_reply_parse(reply, length, verdict, answer);
}

static void release(struct verdict *verdict, struct rspamd_answer *answer)
{
	verdict_free(verdict);
	rspamd_answer_free(answer);
}

/* As rspamd 3.4 sent it. */
static void recorded(void **state)
{
	static const char gtube[] =
		"{\"is_skipped\":true,\"score\":15.0,\"required_score\":15.0,\"action\":\"reject\","
		"\"symbols\":{\"GTUBE\":{\"name\":\"GTUBE\",\"score\":0.0,\"metric_score\":0.0}},"
		"\"messages\":{\"smtp_message\":\"Gtube pattern\"},"
		"\"message-id\":\"gtube1@mail.example.org\",\"time_real\":0.071261}";
	static const char plain[] =
		"{\"is_skipped\":false,\"score\":1.500000,\"required_score\":15.0,"
		"\"action\":\"no action\",\"symbols\":{\"T_PLAIN\":{\"name\":\"T_PLAIN\","
		"\"score\":1.500000,\"metric_score\":1.500000,\"options\":[\"opt1\",\"opt2\"]}},"
		"\"messages\":{},\"message-id\":\"a1b2c3@mail.example.org\",\"time_real\":0.000543,"
		"\"milter\":{\"spam_header\":\"X-Spamd-Result\",\"add_headers\":{\"X-Spam-Bar\":\"+"
		"+\","
		"\"X-Spam\":{\"order\":0,\"value\":\"Yes\"}},"
		"\"remove_headers\":{\"X-Spam-Flag\":0,\"X-Old\":2}}}";
	struct rspamd_answer answer;
	struct verdict verdict;

	(void)state;
	assert_int_equal(parse(gtube, strlen(gtube), &verdict, &answer), 0);
	assert_int_equal(verdict.status, VERDICT_SCORED);
	assert_int_equal(verdict.score, 15000);
	assert_int_equal(verdict.required, 15000);
	assert_true(verdict.spam && answer.is_skipped && answer.saw_message);
	assert_int_equal(answer.action, RSPAMD_REJECT);
	assert_string_equal(answer.smtp_message, "Gtube pattern");
	assert_string_equal(verdict.tests[0].name, "GTUBE");
	assert_true(verdict.tests[0].has_score);
	release(&verdict, &answer);

	assert_int_equal(parse(plain, strlen(plain), &verdict, &answer), 0);
	assert_false(verdict.spam);
	assert_int_equal(verdict.score, 1500);
	assert_int_equal(verdict.tests[0].score, 1500);
	assert_int_equal(verdict.tests[0].options.count, 2);
	assert_string_equal(verdict.tests[0].options.items[1], "opt2");
	assert_int_equal(answer.edits.addition_count, 2);
	assert_string_equal(answer.edits.additions[0].name, "X-Spam-Bar");
	assert_string_equal(answer.edits.additions[0].value, " ++");
	assert_int_equal(answer.edits.additions[0].position, EDIT_APPEND);
	assert_string_equal(answer.edits.additions[1].value, " Yes");
	assert_int_equal(answer.edits.additions[1].position, 0);
	assert_int_equal(answer.edits.removal_count, 2);
	assert_string_equal(answer.edits.removals[1].name, "X-Old");
	assert_int_equal(answer.edits.removals[1].which, 2);
	release(&verdict, &answer);
}

/* Trap 34: every action, whatever the score. */
static void actions(void **state)
{
	static const struct {
		const char *word;
		enum rspamd_action action;
		bool spam;
	} rows[] = {
		{ "no action", RSPAMD_NO_ACTION, false },
		{ "greylist", RSPAMD_GREYLIST, false },
		{ "add header", RSPAMD_ADD_HEADER, true },
		{ "rewrite subject", RSPAMD_REWRITE_SUBJECT, true },
		{ "soft reject", RSPAMD_SOFT_REJECT, false },
		{ "reject", RSPAMD_REJECT, true },
		{ "discard", RSPAMD_DISCARD, true },
		{ "quarantine", RSPAMD_QUARANTINE, true },
		{ "accept", RSPAMD_ACCEPT, false },
		{ "my own", RSPAMD_OTHER, false },
		{ "other", RSPAMD_OTHER, false },
		{ "Reject", RSPAMD_OTHER, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rspamd_answer answer;
		struct verdict verdict;
		char reply[256];

		snprintf(reply, sizeof(reply),
			"{\"score\":-0.0,\"required_score\":null,\"action\":\"%s\"}", rows[i].word);
		assert_int_equal(parse(reply, strlen(reply), &verdict, &answer), 0);
		assert_int_equal(answer.action, rows[i].action);
		assert_string_equal(answer.action_name, rows[i].word);
		assert_int_equal(verdict.spam, rows[i].spam);
		assert_int_equal(verdict.score, 0);
		assert_false(verdict.has_required);
		assert_false(answer.saw_message);
		release(&verdict, &answer);
	}
}

static void milter_block(void **state)
{
	static const char reply[] = BEGIN
		",\"subject\":\"[SPAM] "
		"caf\xc3\xa9\",\"dkim-signature\":[\"v=1;\\r\\n\\ta=b\",\"v=2\"],"
		"\"milter\":{\"add_headers\":{\"X-A\":[{\"value\":\"1\",\"order\":1},\"2\"],"
		"\"X-Evil\\r\\nX-B\":\"x\",\"X-C\":\"a\\r\\nX-Spam-Flag: "
		"NO\\r\\n\\r\\nbody\\u0007\"},"
		"\"remove_headers\":{\"X-D\":[1,-1],\"X-E\":2.0},\"change_from\":\"<new@x.example>"
		"\","
		"\"add_rcpt\":[\"<a@x>\",\"b@x\"],\"del_rcpt\":[\"c@x\"],\"reject\":\"quarantine\","
		"\"no_action\":true}" END;
	struct rspamd_answer answer;
	struct verdict verdict;

	(void)state;
	assert_int_equal(parse(reply, strlen(reply), &verdict, &answer), 0);
	assert_string_equal(answer.edits.subject, " =?UTF-8?B?W1NQQU1dIGNhZsOp?=");
	assert_int_equal(answer.edits.addition_count, 5);
	assert_string_equal(answer.edits.additions[0].value, " 1");
	assert_int_equal(answer.edits.additions[0].position, 1);
	assert_string_equal(answer.edits.additions[1].value, " 2");
	assert_string_equal(answer.edits.additions[2].name, "X-C");
	assert_string_equal(answer.edits.additions[2].value, " a\n\tX-Spam-Flag: NO\n\tbody?");
	assert_string_equal(answer.edits.additions[3].name, "DKIM-Signature");
	assert_string_equal(answer.edits.additions[3].value, " v=1;\n\ta=b");
	assert_int_equal(answer.edits.additions[4].position, 1);
	assert_int_equal(answer.edits.removal_count, 3);
	assert_int_equal(answer.edits.removals[1].which, -1);
	assert_int_equal(answer.edits.removals[2].which, 2);
	assert_string_equal(answer.edits.change_from, "new@x.example");
	assert_int_equal(answer.edits.add_rcpt.count, 2);
	assert_string_equal(answer.edits.add_rcpt.items[0], "a@x");
	assert_string_equal(answer.edits.del_rcpt.items[0], "c@x");
	assert_true(answer.reject_quarantines && answer.milter_no_action);
	assert_false(answer.reject_discards);
	release(&verdict, &answer);
}

/* Trap 31 and attack row A5: whatever is odd is a failure, and no score is left behind. */
static void refused(void **state)
{
	static const char *const rows[] = {
		"",
		"{}",
		"[]",
		"null",
		"\"x\"",
		"1",
		"{",
		"pong\r\n",
		"{\"score\":1,\"required_score\":15}",
		"{\"action\":\"reject\"}",
		"{\"score\":\"1\",\"action\":\"reject\"}",
		"{\"score\":null,\"action\":\"reject\"}",
		"{\"score\":nan,\"action\":\"reject\"}",
		"{\"score\":Infinity,\"action\":\"reject\"}",
		"{\"score\":1e999,\"action\":\"reject\"}",
		"{\"score\":1e9,\"action\":\"reject\"}",
		"{\"score\":99999999999999999999,\"action\":\"reject\"}",
		"{\"score\":1,5,\"action\":\"reject\"}",
		"{\"score\":1,\"score\":2,\"action\":\"reject\"}",
		"{\"score\":1,\"action\":1}",
		"{\"score\":1,\"action\":\"rej\\u0000ect\"}",
		"{\"score\":1,\"action\":\"reject\"}{}",
		"{\"score\":1,\"action\":\"reject\",\"required_score\":\"15\"}",
		"{\"score\":1,\"action\":\"reject\",\"symbols\":[]}",
		"{\"score\":1,\"action\":\"reject\",\"symbols\":{\"A\":1}}",
		"{\"score\":1,\"action\":\"reject\",\"symbols\":{\"A\":{\"score\":\"1\"}}}",
		"{\"score\":1,\"action\":\"reject\",\"symbols\":{\"A\":{\"options\":\"x\"}}}",
		"{\"score\":1,\"action\":\"reject\",\"symbols\":{\"A\":{\"options\":[1]}}}",
		"{\"score\":1,\"action\":\"reject\",\"messages\":\"x\"}",
		"{\"score\":1,\"action\":\"reject\",\"messages\":{\"smtp_message\":1}}",
		"{\"score\":1,\"action\":\"reject\",\"subject\":1}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":1}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"add_headers\":[]}}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"add_headers\":{\"A\":1}}}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"add_headers\":{\"A\":{\"value\":"
		"1}}}}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"remove_headers\":{\"A\":\"1\"}}}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"remove_headers\":{\"A\":1.5}}}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"add_rcpt\":\"a@b\"}}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"add_rcpt\":[\"a@b\\r\\nX\"]}}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"add_rcpt\":[\"a@b> <c@d\"]}}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"add_rcpt\":[\"\"]}}",
		"{\"score\":1,\"action\":\"reject\",\"milter\":{\"change_from\":\"a b@c\"}}",
		"{\"score\":1,\"action\":\"reject\",\"dkim-signature\":1}",
		"{\"score\":1,\"action\":\"reject\",\"x\":[{\"y\xff\":1}]}",
		"\xff\xfe{\0\"\0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rspamd_answer answer;
		struct verdict verdict;

		if (parse(rows[i], strlen(rows[i]), &verdict, &answer) != -1)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(verdict.status, VERDICT_MALFORMED);
		assert_string_not_equal(verdict.err.text, "");
		release(&verdict, &answer);
	}
}

/* Nesting, NUL bytes, size; and invalid UTF-8 from a message, which must not unscore it. */
static void odd_bytes(void **state)
{
	static const char nul[] = BEGIN "\0" END;
	static const char mended[] =
		BEGIN ",\"milter\":{\"add_headers\":{\"X-T\":\"q\xc3( z\"}}" END;
	AUTO(buf_free) struct buf deep = { 0 };
	struct rspamd_answer answer;
	struct verdict verdict;

	(void)state;
	buf_init(&deep, LIMIT_HTTP_REPLY * 2);
	buf_puts(&deep, BEGIN ",\"x\":");
	for (size_t i = 0; i < 100000; i++)
		buf_putc(&deep, '[');
	assert_int_equal(parse(deep.data, deep.length, &verdict, &answer), -1);
	release(&verdict, &answer);
	buf_clear(&deep);
	buf_puts(&deep, BEGIN ",\"x\":\"");
	while (deep.length <= LIMIT_HTTP_REPLY)
		buf_putc(&deep, '[');
	buf_puts(&deep, "\"}");
	assert_int_equal(parse(deep.data, deep.length, &verdict, &answer), -1);
	release(&verdict, &answer);
	assert_int_equal(parse(nul, sizeof(nul) - 1, &verdict, &answer), -1);
	release(&verdict, &answer);
	assert_int_equal(parse(mended, strlen(mended), &verdict, &answer), 0);
	assert_string_equal(answer.edits.additions[0].value,
		" q??"
		"?( z");
	release(&verdict, &answer);
}

/* Attack row A4: 100,000 symbols, a 500 KB value, 1,000 fields. */
static void too_much(void **state)
{
	AUTO(buf_free) struct buf reply = { 0 };
	struct rspamd_answer answer;
	struct verdict verdict;

	(void)state;
	buf_init(&reply, LIMIT_HTTP_REPLY);
	buf_puts(&reply, BEGIN ",\"symbols\":{\"A\":{}");
	for (int i = 0; i < 20000; i++)
		buf_printf(&reply, ",\"S%d\":{\"score\":1}", i);
	buf_puts(&reply, "},\"milter\":{\"add_headers\":{\"X-Long\":\"");
	for (int i = 0; i < 500000; i++)
		buf_putc(&reply, i % 5000 == 4999 ? ' ' : 'x');
	buf_puts(&reply, "\"");
	for (int i = 0; i < 1000; i++)
		buf_printf(&reply, ",\"X-%d\":\"v\"", i);
	assert_true(buf_puts(&reply, "}}" END));
	assert_int_equal(parse(reply.data, reply.length, &verdict, &answer), 0);
	assert_int_equal(verdict.test_count, LIMIT_TESTS);
	assert_int_equal(answer.edits.addition_count, LIMIT_EXTRA_HEADERS);
	for (size_t i = 0; i < answer.edits.addition_count; i++)
		assert_true(field_is_safe(
			answer.edits.additions[i].name, answer.edits.additions[i].value));
	release(&verdict, &answer);
}

static const char *header_value(const struct header_list *list, const char *name, size_t from)
{
	size_t index = headers_find(list, name, from);

	return index == list->count ? NULL : headers_value(list, index);
}

/* Attack row A7, traps 45 and 52. */
static void request_headers(void **state)
{
	struct client client = { 0 };
	struct envelope envelope = { .has_sender = true };
	struct header_list list;

	(void)state;
	headers_init(&list, 1024 * 1024);
	assert_true(fact_set(&client.name, "p\r\nRcpt: <x@y>") &&
		fact_set(&client.address, "IPv6:::1") && fact_set(&client.helo, " a (b)\x7f ") &&
		fact_set(&client.server_name, "mx.example.net") &&
		fact_set(&client.tls_version, "TLSv1.3") &&
		fact_set(&envelope.sender, "\"a,b\"@x") && fact_set(&envelope.queue_id, "4A\n"));
	assert_true(strlist_add(&envelope.recipients, "u@x") &&
		strlist_add(&envelope.recipients, "a,b@x") &&
		strlist_add(&envelope.recipients, "a>,<b@x") &&
		strlist_add(&envelope.recipients, "a\r\nIP: 127.0.0.1@x") &&
		strlist_add(&envelope.recipients, "\xc3\xa9@x"));
	assert_true(rspamd_request_headers(&list, &client, &envelope));
	assert_string_equal(header_value(&list, "IP", 0), "::1");
	assert_string_equal(header_value(&list, "Helo", 0), "a (b)?");
	assert_string_equal(header_value(&list, "Hostname", 0), "p??Rcpt: <x@y>");
	assert_string_equal(header_value(&list, "From", 0), "<\"a,b\"@x>");
	assert_string_equal(header_value(&list, "Rcpt", 0), "<u@x>");
	assert_string_equal(
		header_value(&list, "Rcpt", headers_find(&list, "Rcpt", 0) + 1), "<\xc3\xa9@x>");
	assert_string_equal(header_value(&list, "Queue-Id", 0), "4A?");
	assert_string_equal(header_value(&list, "TLS-Version", 0), "TLSv1.3");
	assert_null(header_value(&list, "User", 0));
	headers_free(&list);
	assert_true(fact_set(&client.address, "unknown"));
	envelope.sender[0] = '\0';
	assert_true(rspamd_request_headers(&list, &client, &envelope));
	assert_null(header_value(&list, "IP", 0));
	assert_string_equal(header_value(&list, "From", 0), "<>");
	headers_free(&list);
	client_free(&client);
	envelope_free(&envelope);
}

/* rspamd does not read a request with more than 80 KiB of header, whoever fills it. */
static void request_headers_are_bounded(void **state)
{
	struct client client = { 0 };
	struct envelope envelope = { 0 };
	char *longest[] = { NULL, NULL };
	char text[LIMIT_FACT + 3], address[128];
	struct header_list list;
	size_t bytes = 0;

	(void)state;
	snprintf(text, sizeof(text), "<%0*d>", LIMIT_FACT, 7);
	longest[0] = text;
	assert_true(envelope_set_sender(&envelope, longest));
	text[sizeof(text) - 2] = '\0';
	assert_true(fact_set(&client.helo, text) && fact_set(&client.name, text) &&
		fact_set(&client.server_name, text) && fact_set(&client.tls_version, text) &&
		fact_set(&client.tls_cipher, text) && fact_set(&envelope.auth_login, text) &&
		fact_set(&envelope.queue_id, text));
	for (int i = 0; i < 2000; i++) {
		snprintf(address, sizeof(address), "<%0*d@example.com>", 90, i);
		assert_true(envelope_add_recipient(&envelope, address));
	}
	headers_init(&list, LIMIT_HEADER_BYTES);
	assert_true(rspamd_request_headers(&list, &client, &envelope));
	assert_true(list.count > 100);
	for (size_t i = 0; i < list.count; i++)
		bytes += strlen(headers_name(&list, i)) + strlen(headers_value(&list, i)) + 4;
	assert_true(bytes < 72 * 1024);
	headers_free(&list);
	client_free(&client);
	envelope_free(&envelope);
}

/* Only the controller's own yes counts; its words are told in printable ASCII. */
static void what_the_controller_says(void **state)
{
	static const struct {
		long status;
		const char *reply;
		const char *why; /* NULL: learnt */
	} rows[] = {
		{ 200, "{\"success\":true}", NULL },
		{ 208, "{\"error\":\"<a@b> has been already learned as spam, ignore it\"}", NULL },
		{ 208, "", NULL },
		{ 200, "", "HTTP status 200" },
		{ 200, "{}", "HTTP status 200" },
		{ 200, "true", "HTTP status 200" },
		{ 200, "{\"success\":1}", "HTTP status 200" },
		{ 200, "{\"success\":true,\"success\":true}", "HTTP status 200" },
		{ 204, "{\"success\":true}", "HTTP status 204" },
		{ 401, "{\"error\":\"Unauthorized\"}", "HTTP status 401: Unauthorized" },
		{ 500, "{\"error\":\"a\\r\\nb\\u001b\"}", "HTTP status 500: a b?" },
		{ 500, "<html>", "HTTP status 500" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict;
		int result;

		verdict_init(&verdict);
		result = rspamd_learnt_parse(
			rows[i].status, rows[i].reply, strlen(rows[i].reply), &verdict);
		assert_int_equal(result, rows[i].why == NULL ? 0 : -1);
		assert_int_equal(
			verdict.status, rows[i].why == NULL ? VERDICT_SCORED : VERDICT_MALFORMED);
		if (rows[i].why != NULL)
			assert_string_equal(strstr(verdict.err.text, "HTTP status"), rows[i].why);
		verdict_free(&verdict);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded),
		cmocka_unit_test(actions),
		cmocka_unit_test(milter_block),
		cmocka_unit_test(refused),
		cmocka_unit_test(odd_bytes),
		cmocka_unit_test(too_much),
		cmocka_unit_test(request_headers),
		cmocka_unit_test(request_headers_are_bounded),
		cmocka_unit_test(what_the_controller_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
