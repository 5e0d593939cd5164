/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies and requests of services with JSON: trap 31, attack row A5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/field.h"
#include "protocol/json_verdict.h"

static void pointers(void **state)
{
	static const struct {
		const char *pointer;
		bool good;
	} rows[] = {
		{ "", true },
		{ "/", true },
		{ "/score", true },
		{ "/a~1b/m~0n/0", true },
		{ "score", false },
		{ "/a~", false },
		{ "/a~2", false },
	};
	char name[400] = "/";
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(json_pointer_check(rows[i].pointer, NULL), rows[i].good ? 0 : -1);
	memset(name + 1, 'x', sizeof(name) - 2);
	assert_int_equal(json_pointer_check(name, &err), -1);
	assert_non_null(strstr(err.text, "too long"));
}

struct row {
	struct json_rules rules;
	const char *reply;
	int32_t score, required;
	bool spam;
	size_t tests;
	const char *name; /* of the first test */
	int32_t test_score;
};

/* The example of RFC 6901 section 5 leads to these values, and the shapes that services use. */
static const struct row good[] = {
	{ { .score = "/score", .tests = "/rules", .tests_name = "name", .ok = "/success" },
		"{\"success\":true,\"score\":\"1.5\",\"rules\":[{\"score\":\"0.1\",\"name\":\"A "
		"B\"}]}",
		1500, 0, false, 1, "A_B", 100 },
	{ { .score = "/a~1b", .required = "/m~0n" }, "{\"a/b\":5,\"m~n\":5.0}", 5000, 5000, true, 0,
		NULL, 0 },
	{ { .score = "/x/1/ ", .required = "/y" }, "{\"x\":[0,{\" \":-0.25}],\"y\":null}", -250, 0,
		false, 0, NULL, 0 },
	{ { .score = "/", .tests = "/t" }, "{\"\":1,\"t\":\"A, B ,,C\"}", 1000, 0, false, 3, "A",
		0 },
	{ { .score = "/s", .tests = "/t" }, "{\"s\":1e2,\"t\":[\"A\",\"B\"]}", 100000, 0, false, 2,
		"A", 0 },
	{ { .score = "/s", .tests = "/t" }, "{\"s\":7,\"t\":{\"A\":1.5,\"B\":{\"score\":2}}}", 7000,
		0, false, 2, "A", 1500 },
	{ { .score = "/s", .tests = "/t" }, "{\"s\":7,\"t\":null}", 7000, 0, false, 0, NULL, 0 },
	{ { .score = "/s", .tests = "/none", .report = "/none" }, "{\"s\":0.1}", 100, 0, false, 0,
		NULL, 0 },
	{ { .score = "/0" }, "[3]", 3000, 0, false, 0, NULL, 0 },
};

static void good_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct row *row = &good[i];
		struct verdict verdict;

		verdict_init(&verdict);
		if (json_verdict_parse(row->reply, strlen(row->reply), &row->rules, &verdict) != 0)
			fail_msg("row %zu: %s", i, verdict.err.text);
		assert_int_equal(verdict.status, VERDICT_SCORED);
		assert_int_equal(verdict.score, row->score);
		assert_int_equal(verdict.required, row->required);
		assert_int_equal(verdict.spam, row->spam);
		assert_int_equal(verdict.test_count, row->tests);
		if (row->name != NULL) {
			assert_string_equal(verdict.tests[0].name, row->name);
			assert_int_equal(verdict.tests[0].score, row->test_score);
			assert_int_equal(verdict.tests[0].has_score, row->test_score != 0);
		}
		verdict_free(&verdict);
	}
}

static void bad_replies(void **state)
{
	static const struct {
		struct json_rules rules;
		const char *reply, *why;
	} rows[] = {
		{ { .score = "/score" }, "{}", "no number as score" },
		{ { .score = "/score" }, "{\"score\":null}", "no number as score" },
		{ { .score = "/score" }, "{\"score\":\"\"}", "no number as score" },
		{ { .score = "/score" }, "{\"score\":\"1,5\"}", "no number as score" },
		{ { .score = "/score" }, "{\"score\":\"nan\"}", "no number as score" },
		{ { .score = "/score" }, "{\"score\":true}", "no number as score" },
		{ { .score = "/score" }, "{\"score\":1e10}", "no number as score" },
		{ { .score = "/score" }, "{\"score\":nan}", "no proper JSON" },
		{ { .score = "/score" }, "{\"score\":1,\"score\":1}", "no proper JSON" },
		{ { .score = "/score" }, "{\"score\":1,\"x\":\"\xff\"}", "no proper JSON" },
		{ { .score = "/score" }, "{\"score\":1}x", "no proper JSON" },
		{ { .score = "/score" }, "{\"score\":\x1b[31m}",
			"no proper JSON: invalid token near '?'" },
		{ { .score = "/score" }, "{\"score\":1 \xc3\xa9}", "near '?" },
		{ { .score = "/score" }, "", "empty" },
		{ { .score = "" }, "{\"\":5}", "no number as score" },
		{ { .score = "/01" }, "[1,2]", "no number as score" },
		{ { .score = "/9" }, "[1,2]", "no number as score" },
		{ { .score = "/s/x" }, "{\"s\":1}", "no number as score" },
		{ { .score = "/s", .required = "/r" }, "{\"s\":1,\"r\":\"x\"}", "required" },
		{ { .score = "/s", .tests = "/t" }, "{\"s\":1,\"t\":1}", "unknown form" },
		{ { .score = "/s", .tests = "/t" }, "{\"s\":1,\"t\":[1]}", "unknown form" },
		{ { .score = "/s", .tests = "/t" }, "{\"s\":1,\"t\":[{\"x\":1}]}", "unknown form" },
		{ { .score = "/s", .ok = "/ok" }, "{\"s\":1}", "reports a failure" },
		{ { .score = "/s", .ok = "/ok", .error = "/e" },
			"{\"s\":1,\"ok\":false,\"e\":\"no\\r\\ncredit\\u001b\"}",
			"reports a failure: no credit?" },
		{ { .score = "/s", .ok = "/ok" }, "{\"s\":1,\"ok\":\"true\"}",
			"reports a failure" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct verdict verdict;

		verdict_init(&verdict);
		assert_int_equal(json_verdict_parse(rows[i].reply, strlen(rows[i].reply),
					 &rows[i].rules, &verdict),
			-1);
		assert_int_equal(verdict.status, VERDICT_MALFORMED);
		if (strstr(verdict.err.text, rows[i].why) == NULL)
			fail_msg("row %zu: %s", i, verdict.err.text);
		verdict_free(&verdict);
	}
}

static void report(void **state)
{
	static const char reply[] = "{\"s\":1,\"r\":\"a\\r\\n\\r\\nX-Spam-Flag: NO\\n\xc3\xa9\"}";
	const struct json_rules rules = { .score = "/s", .report = "/r" };
	struct verdict verdict;

	(void)state;
	verdict_init(&verdict);
	assert_int_equal(json_verdict_parse(reply, strlen(reply), &rules, &verdict), 0);
	assert_int_equal(verdict.extra.count, 1);
	assert_string_equal(headers_name(&verdict.extra, 0), "X-Spam-Report");
	assert_string_equal(headers_value(&verdict.extra, 0), " a\n\tX-Spam-Flag: NO\n\t??");
	verdict_free(&verdict);
}

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void requests(void **state)
{
	static const char message[] = "Subject: \xff\"x\\\r\n\r\na\0b\r\n";
	struct client client = { 0 };
	struct envelope envelope = { .has_sender = true };
	struct strlist members = { 0 };
	struct json_request request = { .message_member = "email", .members = &members };
	AUTO(buf_free) struct buf out = { 0 };
	json_t *object;

	(void)state;
	buf_init(&out, 4096);
	assert_true(strlist_add(&members, "options=short") &&
		strlist_add(&members, "email=forged") && strlist_add(&members, "flag") &&
		strlist_add(&members, "=x") && strlist_add(&members, "eq=a=b"));
	assert_true(json_request_build(&out, &request, message, sizeof(message) - 1));
	object = json_loadb(out.data, out.length, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	assert_int_equal(json_object_size(object), 4);
	assert_string_equal(member(object, "options"), "short");
	assert_string_equal(member(object, "flag"), "");
	assert_string_equal(member(object, "eq"), "a=b");
	assert_string_equal(member(object, "email"),
		"Subject: \xef\xbf\xbd\"x\\\r\n\r\na\xef\xbf\xbd"
		"b\r\n");
	json_decref(object);

	buf_clear(&out);
	assert_true(fact_set(&client.address, "5.9.10.11") && fact_set(&client.helo, "h\xff\r\n") &&
		fact_set(&envelope.sender, "a@b") && fact_set(&envelope.queue_id, "4A") &&
		strlist_add(&envelope.recipients, "c@d"));
	request = (struct json_request){
		.message_member = "m", .base64 = true, .client = &client, .envelope = &envelope
	};
	assert_true(json_request_build(&out, &request, "ab\0\xff", 4));
	object = json_loadb(out.data, out.length, JSON_REJECT_DUPLICATES, NULL);
	assert_string_equal(member(object, "m"), "YWIA/w==");
	assert_string_equal(member(object, "client_address"), "5.9.10.11");
	assert_string_equal(member(object, "helo"), "h\xef\xbf\xbd\r\n");
	assert_string_equal(member(object, "sender"), "a@b");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(object, "recipients"), 0)), "c@d");
	assert_null(json_object_get(object, "login"));
	json_decref(object);
	strlist_free(&members);
	client_free(&client);
	envelope_free(&envelope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers),
		cmocka_unit_test(good_replies),
		cmocka_unit_test(bad_replies),
		cmocka_unit_test(report),
		cmocka_unit_test(requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
