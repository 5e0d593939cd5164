/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks in CIDR notation: parsing, printing, matching. Traps 45, 46, 73. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <cmocka.h>

#include "config/network.h"

static void networks_parse(void **state)
{
	static const struct {
		const char *text, *printed; /* NULL: refused */
	} rows[] = {
		{ "127.0.0.0/8", "127.0.0.0/8" },
		{ "192.0.2.1", "192.0.2.1/32" },
		{ "172.16.0.0/255.240.0.0", "172.16.0.0/12" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "10.0.0.0/255.0.0.0", "10.0.0.0/8" },
		{ "1.2.3.4/32", "1.2.3.4/32" },
		{ "::1/128", "::1/128" },
		{ "::1", "::1/128" },
		{ "[::1]", "::1/128" },
		{ "[2001:db8::]/32", "2001:db8::/32" },
		{ "2001:DB8::/33", "2001:db8::/33" },
		{ "::/0", "::/0" },
		{ "::ffff:192.0.2.0/120", "192.0.2.0/24" },
		{ "10.0.0.0/33", NULL },
		{ "10.0.0.0/-1", NULL },
		{ "10.0.0.0/", NULL },
		{ "10.0.0.0/8x", NULL },
		{ "10.0.0/8", NULL },
		{ "10.0.0.0/255.0.255.0", NULL },
		{ "::/129", NULL },
		{ "::1/ffff::", NULL },
		{ "[::1", NULL },
		{ "::1]", NULL },
		{ "[]", NULL },
		{ "", NULL },
		{ "/8", NULL },
		{ "localhost", NULL },
		{ "10.0.0.1/8", NULL },
		{ "2001:db8::1/32", NULL },
		{ "300.0.0.1", NULL },
		{ "1.2.3.4 ", NULL },
		{ "fe80::1%eth0", NULL },
		{ "1111111111111111111111111111111111111111111111111111111111111", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[NETWORK_TEXT_SIZE];
		struct err err = ERR_INIT;
		struct network network;
		int result = network_parse(rows[i].text, &network, &err);

		if (result != (rows[i].printed == NULL ? -1 : 0))
			fail_msg("%s: %d %s", rows[i].text, result, err.text);
		if (result == 0)
			assert_string_equal(network_format(&network, text), rows[i].printed);
		else
			assert_string_not_equal(err.text, "");
	}
}

static void errors_name_what_was_meant(void **state)
{
	struct network network;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(network_parse("192.168.17.5/20", &network, &err), -1);
	assert_non_null(strstr(err.text, "write 192.168.16.0/20,"));
}

static bool matches(const struct network_list *list, const char *address)
{
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in ipv4 = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, address, &ipv4.sin_addr) == 1)
		return network_list_matches(list, (const struct sockaddr *)&ipv4);
	assert_int_equal(inet_pton(AF_INET6, address, &ipv6.sin6_addr), 1);
	return network_list_matches(list, (const struct sockaddr *)&ipv6);
}

static void addresses_match(void **state)
{
	static const struct {
		const char *network, *address;
		bool inside;
	} rows[] = {
		{ "127.0.0.0/8", "127.255.255.255", true },
		{ "127.0.0.0/8", "128.0.0.0", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "8.8.8.8", false },
		{ "::/0", "::ffff:8.8.8.8", false },
		{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
		{ "::1", "::1", true },
		{ "::1", "::2", false },
		{ "::1", "0.0.0.1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.0", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct network_list list = { 0 };
		struct network network;

		assert_int_equal(network_parse(rows[i].network, &network, NULL), 0);
		assert_true(network_list_add(&list, &network));
		if (matches(&list, rows[i].address) != rows[i].inside)
			fail_msg("%s in %s", rows[i].address, rows[i].network);
		network_list_free(&list);
	}
}

static void lists_grow_and_other_families_match_nothing(void **state)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_storage unknown = { .ss_family = AF_UNSPEC };
	struct network_list list = { 0 };
	struct network network;

	(void)state;
	assert_false(matches(&list, "127.0.0.1"));
	for (unsigned i = 0; i < 100; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%u.0.0/16", i);
		assert_int_equal(network_parse(text, &network, NULL), 0);
		assert_true(network_list_add(&list, &network));
	}
	assert_int_equal(network_parse("::/0", &network, NULL), 0);
	assert_true(network_list_add(&list, &network));
	assert_true(matches(&list, "10.99.1.1"));
	assert_false(matches(&list, "10.100.1.1"));
	assert_false(network_list_matches(&list, (const struct sockaddr *)&local));
	assert_false(network_list_matches(&list, (const struct sockaddr *)&unknown));
	network_list_free(&list);
	assert_int_equal(list.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_parse),
		cmocka_unit_test(errors_name_what_was_meant),
		cmocka_unit_test(addresses_match),
		cmocka_unit_test(lists_grow_and_other_families_match_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
