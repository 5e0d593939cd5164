/* SPDX-License-Identifier: BSD-2-Clause */
/* Ids, file names, addresses and the header block of a quarantined item. */
#include "quarantine_fixture.h"

#include "quarantine/address.h"
#include "quarantine/item.h"
#include "quarantine/words.h"

/* Trap 80, attack A18: whatever comes from a command line is an id or nothing. */
static void only_ids_pass_for_ids(void **state)
{
	static const char *const bad[] = { "", "../x", "-rf", "a/b", "ABC", "a b", "abc\n", "ab1",
		"abcdefghijklmnopqrstuvwxyz2", "abcdefghijklmnopqrstuvwxyz.", "\xc3\xa4", "a.b" };
	char id[ITEM_ID_SIZE], other[ITEM_ID_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(item_id_is_prefix(bad[i]));
		assert_false(item_id_is_valid(bad[i]));
	}
	assert_true(item_id_is_prefix("a"));
	assert_false(item_id_is_valid("a"));
	assert_int_equal(item_id_new(id, NULL), 0);
	assert_int_equal(item_id_new(other, NULL), 0);
	assert_true(item_id_is_valid(id));
	assert_string_not_equal(id, other);
}

static void names_tell_id_and_time(void **state)
{
	static const char *const bad[] = { "", "x", "1700000000.M123456Qshort.spambridge",
		"170000000x.M123456Qabcdefghijklmnopqrstuvwxyz.spambridge",
		"17000000000.M123456Qabcdefghijklmnopqrstuvwxyz.spambridge",
		"1700000000.M12345xQabcdefghijklmnopqrstuvwxyz.spambridge",
		"170000000.M123456Qabcdefghijklmnopqrstuvwxyz.spambridge",
		"1700000000.M123456Qabcdefghijklmnopqrstuvwxyz.spambridgex",
		"1700000000.M123456QAbcdefghijklmnopqrstuvwxyz.spambridge",
		"1700000000.M123456Qabcdefghijklmnopqrstuvwxyz" };
	const char *id = "abcdefghijklmnopqrstuvwxyz";
	char name[ITEM_NAME_SIZE], flagged[ITEM_NAME_SIZE + 8], got[ITEM_ID_SIZE];
	int64_t time_us = 0;

	(void)state;
	item_name_format(name, id, INT64_C(1700000000123456));
	assert_string_equal(name, "1700000000.M123456Qabcdefghijklmnopqrstuvwxyz.spambridge");
	snprintf(flagged, sizeof(flagged), "%s:2,RS", name);
	assert_true(item_name_parse(name, got, &time_us));
	assert_string_equal(got, id);
	assert_true(time_us == INT64_C(1700000000123456));
	assert_true(item_name_parse(flagged, got, &time_us));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(item_name_parse(bad[i], got, &time_us));
}

/* Attack A1, trap 52. */
static void only_single_mailboxes_are_safe(void **state)
{
	static const char *const good[] = { "a@b", "a.b+c@example.com", "postmaster",
		"\"a b\"@example.com", "\"a\\\"b\"@x", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]",
		("j\xc3\xb6rg@b\xc3\xbc"
		 "cher.example"),
		"a=b@c", "'a'@b", "#x@y", "a-b@c", "a..b@c" };
	static const char *const bad[] = { "", "-oQ/tmp@x", "-x", "a b@c", "a@b c", "a,b@c",
		"a@b,c@d", "<a@b>", "a@b>", "a@", "@b", "a@b\r\nRCPT TO:<c@d>", "a\n@b", "a@-b",
		"\"a@b", "a;b@c", "a(x)@b", "\"a\"b@c", "a@b@c", "\"a\nb\"@c", "a@[1 2]", "a:b@c",
		"|x@y y", "\"\\" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!address_is_safe(good[i]))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_is_safe(bad[i]))
			fail_msg("taken: %s", bad[i]);
	assert_true(address_equal("a@EXAMPLE.com", "a@example.COM"));
	assert_false(address_equal("A@example.com", "a@example.com"));
	assert_false(address_equal("a@example.com", "a"));
}

static void fill_item(struct item *item, const char *hostile)
{
	item_init(item);
	assert_int_equal(item_id_new(item->id, NULL), 0);
	item->time_s = 1700000000;
	item->length = 77;
	item->envelope.sender = strdup(hostile);
	item->envelope.utf8 = true;
	assert_true(strlist_add(&item->envelope.recipients, hostile));
	assert_true(strlist_add(&item->envelope.recipients, "b@example.com"));
	item->client.helo = strdup(hostile);
	item->subject = strdup(hostile);
	item->reason = strdup("score");
	item->verdict.status = VERDICT_SCORED;
	item->verdict.score = -1500;
	assert_true(verdict_add_test(&item->verdict, "A_TEST", 6, true, 2500));
	assert_true(verdict_add_test(&item->verdict, "BARE", 4, false, 0));
	for (size_t i = 0; i < 2; i++)
		assert_true(
			verdict_test_add_option(&item->verdict.tests[i], hostile, strlen(hostile)));
}

static void assert_same_tests(const struct verdict *verdict, const struct verdict *other)
{
	assert_int_equal(verdict->test_count, other->test_count);
	for (size_t i = 0; i < verdict->test_count; i++) {
		const struct verdict_test *one = &verdict->tests[i], *two = &other->tests[i];

		assert_string_equal(one->name, two->name);
		assert_int_equal(one->score, two->score);
		assert_int_equal(one->has_score, two->has_score);
		assert_int_equal(one->options.count, two->options.count);
		for (size_t k = 0; k < one->options.count; k++)
			assert_string_equal(one->options.items[k], two->options.items[k]);
	}
}

/* Attacks A2, A14, A26: any bytes survive, and none of them forges a field. */
static void hostile_text_makes_the_round_trip(void **state)
{
	static const char *const hostile[] = { "a\"b\\c", "x\r\nX-Quarantine-ID: y\r\n\r\nbody",
		"\xff\xfe\x80", "\xc3\xa4\xe2\x80\xae", "a>, <victim@example.com",
		"\x1b]0;x\x07\x7f", " ",
		"      \t      \t                                                                  "
		"  \t",
		"\"sha256=\":{}[]" };

	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct item item, back;
		struct buf out;
		struct err err = ERR_INIT;
		size_t need = 0;

		fill_item(&item, hostile[i]);
		buf_init(&out, 1000000);
		assert_true(item_print(&out, &item));
		assert_int_equal(out.length, item.block);
		for (size_t j = 0; j < out.length; j++)
			assert_true(out.data[j] == '\r' || out.data[j] == '\n' ||
				out.data[j] == '\t' || (out.data[j] >= 0x20 && out.data[j] < 0x7f));
		assert_null(strstr(out.data, "\r\n\r\n"));
		assert_null(strstr(out.data + 1, "\nX-Quarantine-ID"));
		assert_null(strstr(strstr(out.data, "\nX-Envelope-From: <"), "<victim"));
		item_init(&back);
		assert_int_equal(
			item_parse(out.data, out.length, &need, &back, &err), ITEM_COMPLETE);
		assert_string_equal(back.id, item.id);
		assert_string_equal(back.envelope.sender, hostile[i]);
		assert_string_equal(back.envelope.recipients.items[0], hostile[i]);
		assert_int_equal(back.envelope.recipients.count, 2);
		assert_string_equal(back.client.helo, hostile[i]);
		assert_string_equal(back.subject, hostile[i]);
		assert_true(back.envelope.utf8);
		assert_int_equal(back.verdict.score, -1500);
		assert_same_tests(&back.verdict, &item.verdict);
		item_free(&item);
		item_free(&back);
		buf_free(&out);
	}
}

/* A read that is too short asks for more, and never for more than is there. */
static void short_reads_ask_for_more(void **state)
{
	struct item item, back;
	struct buf out;
	size_t need = 0;

	(void)state;
	fill_item(&item, "a@example.net");
	for (int i = 0; i < 500; i++)
		assert_true(strlist_add(&item.envelope.recipients, "somebody@example.org"));
	buf_init(&out, 1000000);
	assert_true(item_print(&out, &item));
	item_init(&back);
	for (size_t length = 0; length < out.length; length += 97) {
		enum item_parse_result result = item_parse(out.data, length, &need, &back, NULL);

		if (result == ITEM_MORE)
			assert_true(need > length && need <= out.length);
		else
			assert_int_equal(result, ITEM_COMPLETE);
	}
	item_free(&item);
	item_free(&back);
	buf_free(&out);
}

static void wrong_metadata_is_damage(void **state)
{
	static const char *const json[] = { "{}", "[]", "{\"id\":1}", "{\"id\":\"x\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(json) / sizeof(json[0]); i++) {
		struct item back;
		char text[512];
		size_t need = 0;

		snprintf(text, sizeof(text),
			"X-Quarantine-ID: abcdefghijklmnopqrstuvwxyz\r\nX-Quarantine-Item: 1 "
			"json=%010zu block=%010d length=%012d sha256=%064d\r\n "
			"%s\r\nX-Envelope-From: <>\r\n",
			strlen(json[i]), 300, 5, 0, json[i]);
		item_init(&back);
		assert_int_equal(item_parse(text, strlen(text), &need, &back, NULL), ITEM_DAMAGED);
		item_free(&back);
	}
}

/* Each part of the two lines of fixed width, spoilt: by its width, its kind or its limit. */
static void heads_are_read_strictly(void **state)
{
#define ID   "abcdefghijklmnopqrstuvwxyz"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define HEAD "X-Quarantine-ID: " ID "\r\nX-Quarantine-Item: 1"
	static const char *const bad[] = {
		"X-Quarantine-ID: " ID "2\r\nX-Quarantine-Item: 1",
		"X-Quarantine-ID: abc\r\nX-Quarantine-Item: 1",
		"X-Quarantine-ID: \r\nX-Quarantine-Item: 1",
		"X-Quarantine-ID: " ID "\rX-Quarantine-Item: 1",
		"X-Quarantine-ID: ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\nX-Quarantine-Item: 1",
		"X-Quarantine-ID: " ID "\r\nX-Quarantine-Item: 2",
		HEAD " json=x000000002",
		HEAD " json=000000002",
		HEAD " json=00000000002",
		HEAD " json=0000000000 block=0000000300 length=000000000005 sha256=" ZERO "\r\n",
		HEAD " json=9999999999",
		HEAD " json=0000000002 block=0000000100 length=000000000005 sha256=" ZERO "\r\n",
		HEAD " json=0000000002 block=9999999999",
		HEAD " json=0000000002 block=0000000300 length=999999999999",
		HEAD " json=0000000002 block=0000000300 length=000000000005 sha1=",
		HEAD " json=0000000002 block=0000000300 length=000000000005 sha256=0\r\n",
		HEAD " json=0000000002 block=0000000300 length=000000000005 sha256=\r\n",
		HEAD " json=0000000002 block=0000000300 length=000000000005 sha256=" ZERO "0\r\n",
		HEAD " json=0000000002 block=0000000300 length=000000000005 sha256=g" ZERO,
		HEAD " json=0000000002 block=0000000300 length=000000000005 sha256=" ZERO "\r",
	};
	/* The same with a whole head, and metadata that is not folded as it was written. */
	static const char *const folds[] = { "{}", "\t{}\r\n", " {\r\n}\r\n", " {}x\r\n", " {}\n",
		" {}\rx" };
	char text[600];
	struct item back;
	size_t need;

	(void)state;
	item_init(&back);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]) + sizeof(folds) / sizeof(folds[0]);
		i++) {
		size_t fold = i - sizeof(bad) / sizeof(bad[0]);
		bool is_head = i < sizeof(bad) / sizeof(bad[0]);
		struct err err = ERR_INIT;

		snprintf(text, sizeof(text), "%s%s%0300d",
			is_head ? bad[i] :
				  HEAD " json=0000000002 block=0000000300 length=000000000005 "
				       "sha256=" ZERO "\r\n",
			is_head ? "" : folds[fold], 0);
		if (item_parse(text, strlen(text), &need, &back, &err) != ITEM_DAMAGED)
			fail_msg("taken: %s", text);
		assert_non_null(strstr(err.text, is_head ? "does not begin" : "not folded"));
	}
	item_free(&back);
#undef ID
#undef ZERO
#undef HEAD
}

/* Mail without a sender is shown as from the null sender. */
static void no_sender_is_the_null_sender(void **state)
{
	struct item item, back;
	struct buf out;
	size_t need = 0;

	(void)state;
	fill_item(&item, "a@example.net");
	free(item.envelope.sender);
	item.envelope.sender = NULL;
	buf_init(&out, 100000);
	assert_true(item_print(&out, &item));
	assert_non_null(strstr(buf_text(&out), "\r\nX-Envelope-From: <>\r\n"));
	item_init(&back);
	assert_int_equal(item_parse(out.data, out.length, &need, &back, NULL), ITEM_COMPLETE);
	assert_string_equal(back.envelope.sender, "");
	item_free(&item);
	item_free(&back);
	buf_free(&out);
}

static void words_are_decoded_for_people(void **state)
{
	static const struct {
		const char *given, *shown;
	} cases[] = {
		{ "plain", "plain" },
		{ "=?utf-8?Q?caf=C3=A9_x?=", "caf\xc3\xa9 x" },
		{ "=?ISO-8859-1?q?caf=E9?= =?utf-8?B?w6Q=?= end", "caf\xc3\xa9\xc3\xa4 end" },
		{ "=?utf-8?B?!!!?=", "" },
		{ "=?x-nobody?Q?abc?=", "=?x-nobody?Q?abc?=" },
		{ "=?utf-8?Q?a b?=", "=?utf-8?Q?a b?=" },
		{ "=?utf-8?X?ab?=", "=?utf-8?X?ab?=" },
		{ "=?utf-8//IGNORE?Q?ab?=", "=?utf-8//IGNORE?Q?ab?=" },
		{ "=?utf-8?Q?a=00b?=", "a?b" },
		{ "=?utf-8?Q?broken", "=?utf-8?Q?broken" },
		{ "=?utf-8*en?Q?ok?=", "ok" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *shown = words_decode(cases[i].given);

		assert_string_equal(shown, cases[i].shown);
		free(shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_ids_pass_for_ids),
		cmocka_unit_test(names_tell_id_and_time),
		cmocka_unit_test(only_single_mailboxes_are_safe),
		cmocka_unit_test(hostile_text_makes_the_round_trip),
		cmocka_unit_test(short_reads_ask_for_more),
		cmocka_unit_test(wrong_metadata_is_damage),
		cmocka_unit_test(heads_are_read_strictly),
		cmocka_unit_test(no_sender_is_the_null_sender),
		cmocka_unit_test(words_are_decoded_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
