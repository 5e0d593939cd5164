/* SPDX-License-Identifier: BSD-2-Clause */
/* An item's metadata: each member when it is missing, of another kind or out of range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <cmocka.h>

#include "base/limits.h"
#include "faults.h"
#include "quarantine/item_json.h"

#define WHOLE                                                                                      \
	"{\"id\":\"abcdefghijklmnopqrstuvwxyz\",\"time\":1700000000,\"expires\":1800000000,"       \
	"\"sender\":\"a@b.example\",\"recipients\":[\"c@d.example\",{\"hex\":\"c3f6\"}],"          \
	"\"smtputf8\":true,\"8bitmime\":false,\"queue_id\":\"4X\",\"client\":{\"name\":\"n\","     \
	"\"address\":\"192.0.2.1\",\"helo\":\"h\",\"login\":\"l\",\"tls_version\":\"t\","          \
	"\"server_name\":\"s\",\"daemon_name\":\"d\"},\"verdict\":{\"status\":\"scored\","         \
	"\"score\":12345,\"required\":5000,\"tests\":[[\"A\",1000],[\"B\"],[\"C\",null,[\"x\"]]]," \
	"\"spam\":true,\"late\":false,\"truncated\":false,\"scorer\":\"sa\",\"server\":\"v\","     \
	"\"version\":\"4\"},\"action\":\"quarantine\",\"reason\":\"score\",\"subject\":\"s\","     \
	"\"from\":\"f\",\"date\":\"d\",\"message_id\":\"m\"}"

static enum item_parse_result parse(const char *text, struct item *item)
{
	struct err err = ERR_INIT;
	enum item_parse_result result;

	item_init(item);
	result = item_json_parse(text, strlen(text), item, &err);
	assert_int_equal(result == ITEM_DAMAGED, err.text[0] != '\0');
	return result;
}

static void everything_comes_back(void **state)
{
	struct item item;
	json_t *json;
	char *text;

	(void)state;
	assert_int_equal(parse(WHOLE, &item), ITEM_COMPLETE);
	assert_string_equal(item.envelope.recipients.items[1], "\xc3\xf6");
	assert_int_equal(item.verdict.test_count, 3);
	json = item_json(&item);
	assert_non_null(json);
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	json = json_loads(WHOLE, 0, NULL);
	/* What is false is left out. */
	json_object_del(json, "8bitmime");
	json_object_del(json_object_get(json, "verdict"), "late");
	json_object_del(json_object_get(json, "verdict"), "truncated");
	{
		json_t *again = json_loads(text, 0, NULL);

		assert_true(json_equal(json, again));
		json_decref(again);
	}
	json_decref(json);
	free(text);
	item_free(&item);
}

/* No sender, nothing known: less is written. */
static void little_is_written_of_little(void **state)
{
	struct item item;
	json_t *json;

	(void)state;
	item_init(&item);
	item.verdict.status = VERDICT_TIMEOUT;
	err_set(&item.verdict.err, "no answer");
	json = item_json(&item);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "sender")), "");
	assert_null(json_object_get(json, "expires"));
	assert_null(json_object_get(json_object_get(json, "verdict"), "score"));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "verdict"), "error")),
		"no answer");
	json_decref(json);
	item_free(&item);
}

/* Put `value`, JSON, in the place of the member; NULL: take it away. */
static void change(json_t *whole, const char *within, const char *member, const char *value)
{
	json_t *object = within == NULL ? whole : json_object_get(whole, within);

	if (value == NULL)
		json_object_del(object, member);
	else
		json_object_set_new(object, member, json_loads(value, JSON_DECODE_ANY, NULL));
}

static void members_are_what_they_must_be(void **state)
{
	static const struct {
		const char *within, *member, *value;
		bool good;
	} rows[] = {
		{ NULL, "id", NULL, false },
		{ NULL, "id", "7", false },
		{ NULL, "id", "\"abc\"", false },
		{ NULL, "time", NULL, false },
		{ NULL, "time", "\"7\"", false },
		{ NULL, "time", "-1", false },
		{ NULL, "time", "100000000000", false },
		{ NULL, "time", "99999999999", true },
		{ NULL, "expires", NULL, true },
		{ NULL, "expires", "1.5", false },
		{ NULL, "sender", NULL, false },
		{ NULL, "sender", "\"\"", true },
		{ NULL, "sender", "7", false },
		{ NULL, "sender", "{\"hex\":\"\"}", true },
		{ NULL, "sender", "{\"hex\":7}", false },
		{ NULL, "sender", "{\"hex\":\"0\"}", false },
		{ NULL, "sender", "{\"hex\":\"00\"}", false },
		{ NULL, "sender", "{\"hex\":\"g0\"}", false },
		{ NULL, "sender", "{\"hex\":\"0g\"}", false },
		{ NULL, "sender", "{\"hex\":\"/0\"}", false },
		{ NULL, "recipients", NULL, false },
		{ NULL, "recipients", "[]", false },
		{ NULL, "recipients", "{}", false },
		{ NULL, "recipients", "[7]", false },
		{ NULL, "smtputf8", "7", false },
		{ NULL, "smtputf8", NULL, true },
		{ NULL, "smtputf8", "false", true },
		{ NULL, "8bitmime", "null", false },
		{ NULL, "queue_id", "7", false },
		{ NULL, "client", NULL, false },
		{ NULL, "client", "[]", false },
		{ NULL, "client", "{}", true },
		{ "client", "name", "7", false },
		{ "client", "address", "7", false },
		{ "client", "address", "\"no address\"", true },
		{ "client", "helo", "7", false },
		{ "client", "login", "7", false },
		{ "client", "tls_version", "7", false },
		{ "client", "server_name", "7", false },
		{ "client", "daemon_name", "7", false },
		{ NULL, "verdict", NULL, false },
		{ NULL, "verdict", "[]", false },
		{ NULL, "verdict", "{}", false },
		{ NULL, "verdict", "{\"status\":\"timeout\",\"error\":\"e\"}", true },
		{ NULL, "verdict", "{\"status\":\"timeout\",\"score\":1}", false },
		{ "verdict", "status", "7", false },
		{ "verdict", "status", "\"great\"", false },
		{ "verdict", "score", NULL, false },
		{ "verdict", "score", "1.5", false },
		{ "verdict", "score", "4000000000", false },
		{ "verdict", "score", "-4000000000", false },
		{ "verdict", "required", NULL, true },
		{ "verdict", "required", "\"5\"", false },
		{ "verdict", "tests", NULL, true },
		{ "verdict", "tests", "{}", false },
		{ "verdict", "tests", "[7]", false },
		{ "verdict", "tests", "[[7]]", false },
		{ "verdict", "tests", "[[\"A\",\"1\"]]", false },
		{ "verdict", "tests", "[[\"A\",null,7]]", false },
		{ "verdict", "tests", "[[\"A\",null,[7]]]", false },
		{ "verdict", "tests", "[[\"\",1,[\"x\"]]]", true }, /* no name, no test */
		{ "verdict", "spam", "7", false },
		{ "verdict", "late", "7", false },
		{ "verdict", "truncated", "7", false },
		{ "verdict", "scorer", "7", false },
		{ "verdict", "server", "7", false },
		{ "verdict", "version", "7", false },
		{ NULL, "action", "7", false },
		{ NULL, "reason", "7", false },
		{ NULL, "subject", "7", false },
		{ NULL, "from", "7", false },
		{ NULL, "date", "7", false },
		{ NULL, "message_id", "7", false },
		{ NULL, "message_id", NULL, true },
		{ NULL, "other", "7", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *whole = json_loads(WHOLE, 0, NULL);
		struct item item;
		char *text;

		change(whole, rows[i].within, rows[i].member, rows[i].value);
		text = json_dumps(whole, JSON_COMPACT);
		if ((parse(text, &item) == ITEM_COMPLETE) != rows[i].good)
			fail_msg("%s = %s", rows[i].member,
				rows[i].value == NULL ? "(none)" : rows[i].value);
		item_free(&item);
		free(text);
		json_decref(whole);
	}
}

/* More recipients, tests or options than any message has are none of ours. */
static void lists_have_an_end(void **state)
{
	static const struct {
		const char *within, *member;
		size_t most;
		const char *each;
	} rows[] = {
		{ NULL, "recipients", LIMIT_RECIPIENTS, "\"a@b.example\"" },
		{ "verdict", "tests", LIMIT_TESTS, "[\"A\",1]" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		size_t count = rows[i / 2].most + i % 2;
		json_t *whole = json_loads(WHOLE, 0, NULL), *array = json_array();
		struct item item;
		char *text;

		for (size_t j = 0; j < count; j++)
			json_array_append_new(
				array, json_loads(rows[i / 2].each, JSON_DECODE_ANY, NULL));
		json_object_set_new(rows[i / 2].within == NULL ?
				whole :
				json_object_get(whole, rows[i / 2].within),
			rows[i / 2].member, array);
		text = json_dumps(whole, JSON_COMPACT);
		assert_int_equal(parse(text, &item), i % 2 == 0 ? ITEM_COMPLETE : ITEM_DAMAGED);
		item_free(&item);
		free(text);
		json_decref(whole);
	}
}

static void options_have_an_end(void **state)
{
	json_t *options = json_array(), *whole = json_loads(WHOLE, 0, NULL);
	struct item item;
	char *text;

	(void)state;
	for (size_t i = 0; i <= LIMIT_TEST_OPTIONS; i++)
		json_array_append_new(options, json_string("x"));
	json_object_set_new(
		json_object_get(whole, "verdict"), "tests", json_pack("[[s,n,o]]", "A", options));
	text = json_dumps(whole, JSON_COMPACT);
	assert_int_equal(parse(text, &item), ITEM_DAMAGED);
	item_free(&item);
	free(text);
	json_decref(whole);
}

struct scene {
	struct item item;
	enum item_parse_result result;
	char text[sizeof(WHOLE) + 100]; /* what was printed */
};

static bool print_item(void *context)
{
	struct scene *scene = context;
	struct buf out;
	bool good;

	buf_init(&out, sizeof(scene->text) - 1);
	good = item_json_print(&out, &scene->item);
	memcpy(scene->text, buf_text(&out), out.length + 1);
	buf_free(&out);
	return good;
}

/* All or nothing: what is said to be whole can be read back. */
static void check_printed(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;
	struct item item;

	fault_expect(good == (report->failed == 0));
	if (good)
		assert_int_equal(parse(scene->text, &item), ITEM_COMPLETE);
	if (good)
		item_free(&item);
}

static bool parse_whole(void *context)
{
	struct scene *scene = context;
	struct item item;

	item_init(&item);
	scene->result = item_json_parse(WHOLE, sizeof(WHOLE) - 1, &item, NULL);
	item_free(&item);
	return scene->result == ITEM_COMPLETE;
}

/* F18: who has no memory does not call an item damaged. */
static void check_parsed(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;

	fault_expect(good == (report->failed == 0));
	fault_expect(good || scene->result == ITEM_NO_MEMORY);
}

static void memory_ends(void **state)
{
	struct scene scene = { .result = ITEM_MORE };
	struct fault_trial trial = { NULL, print_item, check_printed, NULL, &scene, true, false };

	(void)state;
	assert_int_equal(parse(WHOLE, &scene.item), ITEM_COMPLETE);
	scene.item.verdict.late = scene.item.verdict.truncated = true;
	err_set(&scene.item.verdict.err, "e");
	assert_true(fault_sweep(&trial) > 50);
	item_free(&scene.item);
	trial.run = parse_whole;
	trial.check = check_parsed;
	assert_true(fault_sweep(&trial) > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_comes_back),
		cmocka_unit_test(little_is_written_of_little),
		cmocka_unit_test(members_are_what_they_must_be),
		cmocka_unit_test(lists_have_an_end),
		cmocka_unit_test(options_have_an_end),
		cmocka_unit_test(memory_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
