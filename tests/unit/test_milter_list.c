/* SPDX-License-Identifier: BSD-2-Clause */
/* Our filter among Postfix's smtpd_milters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/milter_list.h"

#define QUEUE "/var/spool/postfix"

static const struct listen_setting below = { .family = LISTEN_UNIX,
	.path = (char *)QUEUE "/sb/milter.sock" };
static const struct listen_setting outside = { .family = LISTEN_UNIX,
	.path = (char *)"/run/sb/milter.sock" };
static const struct listen_setting port = {
	.family = LISTEN_INET, .host = (char *)"127.0.0.1", .port = 8891
};
static const struct listen_setting any = {
	.family = LISTEN_INET, .host = (char *)"0.0.0.0", .port = 8891
};
static const struct listen_setting six = {
	.family = LISTEN_INET6, .host = (char *)"::1", .port = 8891
};

static const struct {
	const struct listen_setting *listen;
	const char *list;
	size_t count;
	const char *removed;
} samples[] = {
	{ &below, "", 0, "" },
	{ &below, "unix:sb/milter.sock", 1, "" },
	{ &below, "unix:/sb/milter.sock", 1, "" },
	{ &below, "local:" QUEUE "/sb/milter.sock", 1, "" },
	{ &below, "unix:run/sb/milter.sock", 0, "unix:run/sb/milter.sock" },
	{ &below, "unix:sb/milter.sock2", 0, "unix:sb/milter.sock2" },
	{ &below, "unix:a, unix:sb/milter.sock, unix:b", 1, "unix:a, unix:b" },
	{ &below, "unix:a unix:sb/milter.sock", 1, "unix:a" },
	{ &below, "unix:sb/milter.sock,unix:a", 1, "unix:a" },
	{ &below, "unix:sb/milter.sock unix:a unix:/sb/milter.sock", 2, "unix:a" },
	{ &below, "{ unix:sb/milter.sock, default_action=accept } inet:h:1", 1, "inet:h:1" },
	{ &below, "inet:h:1 {unix:sb/milter.sock}", 1, "inet:h:1" },
	{ &below, "{ inet:h:1, x=unix:sb/milter.sock }", 0, "{ inet:h:1, x=unix:sb/milter.sock }" },
	{ &below, "{", 0, "{" },
	{ &below, "{ }", 0, "{ }" },
	{ &below, "a}, unix:sb/milter.sock", 1, "a}" },
	{ &below, "$mine, ", 0, "$mine, " },
	{ &outside, "unix:/run/sb/milter.sock", 1, "" },
	{ &outside, "unix:run/sb/milter.sock", 0, "unix:run/sb/milter.sock" },
	{ &port, "inet:127.0.0.1:8891 inet:127.0.0.1:8892", 1, "inet:127.0.0.1:8892" },
	{ &port, "inet:localhost:8891", 1, "" },
	{ &port, "inet:[::1]:8891", 1, "" },
	{ &port, "inet:192.0.2.1:8891", 0, "inet:192.0.2.1:8891" },
	{ &port, "inet:8891", 0, "inet:8891" },
	{ &port, "unix:127.0.0.1:8891", 0, "unix:127.0.0.1:8891" },
	{ &six, "inet:[::1]:8891", 1, "" },
};

static void test_find_and_remove(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct buf out;

		buf_init(&out, 1000);
		print_message("%s\n", samples[i].list);
		assert_int_equal(milter_list_count(samples[i].list, samples[i].listen, QUEUE),
			samples[i].count);
		assert_true(milter_list_remove(samples[i].list, samples[i].listen, QUEUE, &out));
		assert_string_equal(buf_text(&out), samples[i].removed);
		buf_free(&out);
	}
}

/* What was added is found again, and taking it out restores the list. */
static void test_add_and_back(void **state)
{
	static const char *const lists[] = { "", "unix:a", "$mine, inet:h:1",
		"{ inet:h:1, default_action=accept }" };
	static const struct listen_setting *const all[] = { &below, &outside, &port, &six };

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		const struct listen_setting *listen = all[i % 4];
		struct buf address, added, back;

		buf_init(&address, 1000);
		buf_init(&added, 1000);
		buf_init(&back, 1000);
		assert_true(milter_address(listen, QUEUE, &address));
		assert_true(milter_list_add(lists[i / 4], buf_text(&address), &added));
		assert_int_equal(milter_list_count(buf_text(&added), listen, QUEUE), 1);
		assert_int_equal(strncmp(buf_text(&added), lists[i / 4], strlen(lists[i / 4])), 0);
		assert_true(milter_list_remove(buf_text(&added), listen, QUEUE, &back));
		assert_string_equal(buf_text(&back), lists[i / 4]);
		buf_free(&address);
		buf_free(&added);
		buf_free(&back);
	}
}

static void check_address(const struct listen_setting *listen, const char *expected)
{
	struct buf out;

	buf_init(&out, 1000);
	assert_true(milter_address(listen, QUEUE "/", &out));
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

static void test_address(void **state)
{
	(void)state;
	check_address(&below, "unix:sb/milter.sock");
	check_address(&outside, "unix:/run/sb/milter.sock");
	check_address(&port, "inet:127.0.0.1:8891");
	check_address(&any, "inet:127.0.0.1:8891");
	check_address(&six, "inet:[::1]:8891");
}

static void test_settings_of_an_entry(void **state)
{
	static const struct {
		const char *list, *name, *value; /* value NULL: none */
	} rows[] = {
		{ "unix:a", "protocol", NULL },
		{ "", "protocol", NULL },
		{ "{ unix:a, protocol=4 }", "protocol", "4" },
		{ "{ unix:a, protocol = 4, default_action=accept }", "protocol", "4" },
		{ "{ unix:a protocol=4 content_timeout\t=\t5s}", "content_timeout", "5s" },
		{ "{unix:a,protocol=4}", "protocol", "4" },
		{ "{ unix:protocol=4 }", "protocol", NULL },
		{ "{ unix:a, command_timeout=5s }", "content_timeout", NULL },
		{ "{ unix:a, protocol }", "protocol", NULL },
		{ "{ unix:a, protocol=", "protocol", "" },
		{ "{ unix:a } protocol=4", "protocol", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct milter_entry entry = { 0 };
		size_t position = 0;
		struct buf out;

		buf_init(&out, 100);
		print_message("%s\n", rows[i].list);
		(void)milter_list_next(rows[i].list, &position, &entry);
		assert_int_equal(milter_entry_setting(rows[i].list, &entry, rows[i].name, &out),
			rows[i].value != NULL);
		assert_string_equal(buf_text(&out), rows[i].value == NULL ? "" : rows[i].value);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_and_remove),
		cmocka_unit_test(test_add_and_back),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_settings_of_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
