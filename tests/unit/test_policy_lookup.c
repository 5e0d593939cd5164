/* SPDX-License-Identifier: BSD-2-Clause */
/* Which policy applies to an address: the most specific section wins. Traps 49, 52, 53. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <cmocka.h>

#include "config_file.h"
#include "config/policy_index.h"
#include "policy/accept.h"
#include "policy/lookup.h"

static const char configuration[] =
	"recipient_delimiter = \"+-\"\n"
	"on_failure = tempfail\n"
	"scorer \"sa\" { servers = { \"tcp://127.0.0.1:783\" } }\n"
	"policy { tag = 5 reject = 15 }\n"
	"domain \"example.com\" { tag = 4 reject = 12 }\n"
	"domain \".example.com\" { tag = 3 }\n"
	"domain \".com\" { tag = 2 reject = 9 on_failure = accept }\n"
	"domain \"b\xc3\xbc"
	"cher.example\" { tag = 6 }\n"
	"domain \"[192.0.2.1]\" { tag = 7 }\n"
	"address \"abuse@Example.com\" { tag = off reject = off reject_text = \"no\" }\n"
	"address \"lists+news@example.com\" { tag = 8 }\n"
	"address \"lists@example.com\" { reject = 20 tag = 9 }\n"
	"address \"\\\"odd one\\\"@example.com\" { tag = 1 }\n"
	"outbound { scan = true reject = 8 accept_recipients = { \"abuse@\" } }\n"
	"sender \"example.com\" { tag = 1 }\n"
	"sender \".example.com\" { tag = 2 reject = off }\n"
	"sender \"boss@example.com\" { reject = 30 }\n"
	"domain \"accept.example\" { accept_senders = { \"news@a.example\", \"b.example\", "
	"\".c.example\", \"bounces@\" } accept_clients = { \"192.0.2.0/24\", \"2001:db8::/32\" } "
	"accept_recipients = { \"postmaster@\", \"abuse@accept.example\" } }\n"
	"address \"strict@accept.example\" { accept_senders = { } }\n";

struct fixture {
	struct config_file file;
	struct settings *settings;
};

static int begin(void **state)
{
	static struct fixture fixture;
	struct strlist errors = { 0 };

	config_file_begin(&fixture.file);
	fixture.settings = load_text(&fixture.file, configuration, &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.items[i]);
	strlist_free(&errors);
	*state = &fixture;
	return fixture.settings == NULL;
}

static int end(void **state)
{
	struct fixture *fixture = *state;

	settings_free(&fixture->settings);
	config_file_end(&fixture->file);
	return 0;
}

#define OFF THRESHOLD_OFF

static void most_specific_section_wins_field_by_field(void **state)
{
	static const struct {
		const char *address;
		int32_t tag, reject;
		enum on_failure on_failure;
	} rows[] = {
		{ "user@example.net", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "user@example.com", 4000, 12000, ON_FAILURE_ACCEPT },
		{ "USER@EXAMPLE.COM.", 4000, 12000, ON_FAILURE_ACCEPT },
		{ "user@a.example.com", 3000, 9000, ON_FAILURE_ACCEPT },
		{ "user@b.a.example.com", 3000, 9000, ON_FAILURE_ACCEPT },
		{ "user@notexample.com", 2000, 9000, ON_FAILURE_ACCEPT },
		{ "user@com", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "abuse@example.com", OFF, OFF, ON_FAILURE_ACCEPT },
		{ "\"Abuse\"@example.com", OFF, OFF, ON_FAILURE_ACCEPT },
		{ "abuse+x@example.com", OFF, OFF, ON_FAILURE_ACCEPT },
		{ "abuse-x+y@example.com", OFF, OFF, ON_FAILURE_ACCEPT },
		{ "abuse@a.example.com", 3000, 9000, ON_FAILURE_ACCEPT },
		{ "lists+news@example.com", 8000, 20000, ON_FAILURE_ACCEPT },
		{ "lists+NEWS@example.com", 8000, 20000, ON_FAILURE_ACCEPT },
		{ "lists+other@example.com", 9000, 20000, ON_FAILURE_ACCEPT },
		{ "lists@example.com", 9000, 20000, ON_FAILURE_ACCEPT },
		{ "+abuse@example.com", 4000, 12000, ON_FAILURE_ACCEPT },
		{ "\"odd one\"@example.com", 1000, 12000, ON_FAILURE_ACCEPT },
		{ "\"odd\\ one\"@example.com", 1000, 12000, ON_FAILURE_ACCEPT },
		{ "x@b\xc3\x9c"
		  "CHER.example",
			6000, 15000, ON_FAILURE_TEMPFAIL },
		{ "x@xn--bcher-kva.EXAMPLE", 6000, 15000, ON_FAILURE_TEMPFAIL },
		{ "x@[192.0.2.1]", 7000, 15000, ON_FAILURE_TEMPFAIL },
		{ "x@[192.0.2.2]", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "x@[IPv6:2001:db8::1]", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "postmaster", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "@", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "@example.com", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "x@", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "x@.example.com", 5000, 15000, ON_FAILURE_TEMPFAIL },
		{ "x@y@example.com", 4000, 12000, ON_FAILURE_ACCEPT },
		{ "\xff\xff@\xff", 5000, 15000, ON_FAILURE_TEMPFAIL },
	};
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_fields fields;

		policy_lookup(fixture->settings, rows[i].address, &fields);
		assert_int_equal(fields.set, (1u << POLICY_FIELD_COUNT) - 1);
		if (fields.tag != rows[i].tag || fields.reject != rows[i].reject ||
			fields.on_failure != rows[i].on_failure)
			fail_msg("%s: tag %d reject %d on_failure %u", rows[i].address, fields.tag,
				fields.reject, fields.on_failure);
	}
}

static void each_field_knows_its_origin(void **state)
{
	const struct fixture *fixture = *state;
	struct policy_fields fields;
	struct buf out;

	policy_lookup(fixture->settings, "lists+x@sub.example.com", &fields);
	assert_int_equal(fields.origins[POLICY_TAG].line, 6);
	assert_string_equal(fields.origins[POLICY_TAG].key, ".example.com");
	assert_string_equal(fields.origins[POLICY_TAG].file, fixture->file.path);
	assert_int_equal(fields.origins[POLICY_REJECT].line, 7);
	assert_null(fields.origins[POLICY_REJECT_TEXT].file);
	policy_lookup(fixture->settings, "x@example.net", &fields);
	assert_int_equal(fields.origins[POLICY_TAG].line, 4);
	assert_null(fields.origins[POLICY_TAG].key);
	assert_int_equal(fields.origins[POLICY_ON_FAILURE].line, 2);
	buf_init(&out, 10000);
	origin_print(&fields.origins[POLICY_REJECT_TEXT], &out);
	assert_string_equal(buf_text(&out), "default");
	buf_free(&out);
}

static void outbound_falls_back_to_policy(void **state)
{
	const struct fixture *fixture = *state;
	struct policy_fields fields;

	policy_lookup_outbound(fixture->settings, "abuse@example.net", &fields);
	assert_int_equal(fields.set, POLICY_ALL);
	assert_int_equal(fields.reject, 8000);
	assert_int_equal(fields.tag, 5000);
	assert_int_equal(fields.origins[POLICY_REJECT].line, 14);
	assert_null(fields.accept_senders);
	assert_non_null(fields.accept_recipients);
	policy_lookup_outbound(fixture->settings, NULL, &fields);
	assert_int_equal(fields.reject, 8000);
}

static void senders_have_their_own_sections(void **state)
{
	static const struct {
		const char *sender;
		int32_t tag, reject;
	} rows[] = {
		{ "x@example.com", 1000, 8000 },
		{ "x@a.example.com", 2000, OFF },
		{ "Boss+x@Example.com.", 1000, 30000 },
		{ "x@example.net", 5000, 8000 },
		{ "", 5000, 8000 },
	};
	const struct fixture *fixture = *state;
	struct policy_fields fields;
	struct buf out;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		policy_lookup_outbound(fixture->settings, rows[i].sender, &fields);
		assert_int_equal(fields.tag, rows[i].tag);
		assert_int_equal(fields.reject, rows[i].reject);
	}
	buf_init(&out, 100000);
	assert_true(policy_explain_outbound(fixture->settings, "boss@example.com", &out));
	assert_non_null(strstr(buf_text(&out), "from sender \"boss@example.com\" at "));
	assert_non_null(strstr(buf_text(&out), "scored         yes\n"));
	buf_free(&out);
}

static void explanation_names_sections(void **state)
{
	const struct fixture *fixture = *state;
	struct buf out;

	buf_init(&out, 100000);
	assert_true(policy_explain(fixture->settings, "Abuse+x@example.com\033", &out));
	assert_null(strchr(buf_text(&out), '\033'));
	buf_clear(&out);
	assert_true(policy_explain(fixture->settings, "Abuse+x@example.com", &out));
	assert_non_null(strstr(buf_text(&out), "address        Abuse+x@example.com\n"));
	assert_non_null(strstr(buf_text(&out),
		"looked for     abuse+x@example.com, "
		"abuse@example.com, example.com, .com, policy\n"));
	assert_non_null(strstr(buf_text(&out),
		"tag            off         from address \"abuse@example.com\" at "));
	assert_non_null(strstr(buf_text(&out), "spambridge.conf:10\n"));
	assert_non_null(
		strstr(buf_text(&out), "on_failure     accept      from domain \".com\" at "));
	buf_clear(&out);
	assert_true(policy_explain(fixture->settings, "", &out));
	assert_non_null(strstr(buf_text(&out), "looked for     policy\n"));
	buf_free(&out);
}

static bool accepted(
	const struct settings *settings, const char *to, const char *from, const char *client)
{
	struct sockaddr_in ipv4 = { .sin_family = AF_UNSPEC };
	struct policy_fields fields;
	enum policy_field by;

	if (client != NULL) {
		ipv4.sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, client, &ipv4.sin_addr), 1);
	}
	policy_lookup(settings, to, &fields);
	return policy_accepts(&fields, to,
		&(struct accept_facts){
			from, (struct sockaddr *)&ipv4, settings->recipient_delimiter },
		&by);
}

static void lists_accept_for_their_section(void **state)
{
	static const struct {
		const char *to, *from, *client;
		bool accepted;
	} rows[] = {
		{ "x@accept.example", "news@a.example", NULL, true },
		{ "x@accept.example", "NEWS@A.example.", NULL, true },
		{ "x@accept.example", "news+1@a.example", NULL, true },
		{ "x@accept.example", "other@a.example", NULL, false },
		{ "x@accept.example", "news@x.a.example", NULL, false },
		{ "x@accept.example", "any@b.example", NULL, true },
		{ "x@accept.example", "any@x.b.example", NULL, false },
		{ "x@accept.example", "any@c.example", NULL, false },
		{ "x@accept.example", "any@x.c.example", NULL, true },
		{ "x@accept.example", "any@y.x.c.example", NULL, true },
		{ "x@accept.example", "bounces@anywhere.example", NULL, true },
		{ "x@accept.example", "bounces-7@anywhere.example", NULL, true },
		{ "x@accept.example", "xbounces@anywhere.example", NULL, false },
		{ "x@accept.example", "b.example", NULL, false },
		{ "x@accept.example", "", NULL, false },
		{ "x@accept.example", NULL, NULL, false },
		{ "x@accept.example", NULL, "192.0.2.9", true },
		{ "x@accept.example", NULL, "192.0.3.9", false },
		{ "Postmaster@accept.example", NULL, NULL, true },
		{ "abuse+x@accept.example", NULL, NULL, true },
		{ "postmaster@sub.accept.example", NULL, NULL, false },
		{ "x@example.net", "news@a.example", "192.0.2.9", false },
		/* An empty list replaces that of the domain, and only that one. */
		{ "strict@accept.example", "news@a.example", NULL, false },
		{ "strict@accept.example", NULL, "192.0.2.9", true },
	};
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (accepted(fixture->settings, rows[i].to, rows[i].from, rows[i].client) !=
			rows[i].accepted)
			fail_msg("row %zu: to %s from %s", i, rows[i].to,
				rows[i].from != NULL ? rows[i].from : "nobody");
}

/* A small generator with a fixed start: the same cases each time. */
static unsigned draw(uint32_t *state, unsigned below)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) % below;
}

static const char *const locals[] = { "a", "B", "a+x", "\"a\"", "a.b", "\"a b\"", "A+B+c" };
static const char *const domains[] = { "example.com", "EXAMPLE.com", "x.example.com",
	"y.x.example.com",
	"b\xc3\xbc"
	"cher.example",
	"xn--bcher-kva.example",
	"c.B\xc3\x9c"
	"CHER.example" };

/* Upper case for some letters, and perhaps a dot behind: the same address. */
static void disguise(uint32_t *seed, const char *address, char *out)
{
	for (; *address != '\0'; address++) {
		char c = *address;

		if (draw(seed, 2) == 0 && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		*out++ = c;
	}
	if (draw(seed, 2) == 0)
		*out++ = '.';
	*out = '\0';
}

static bool same(const struct policy_fields *a, const struct policy_fields *b)
{
	return a->tag == b->tag && a->reject == b->reject && a->on_failure == b->on_failure &&
		strcmp(a->reject_text, b->reject_text) == 0;
}

static void spelling_makes_no_difference(void **state)
{
	const struct fixture *fixture = *state;
	uint32_t seed = 1;

	for (unsigned i = 0; i < 3000; i++) {
		struct policy_fields plain, disguised;
		char address[128], other[160];

		snprintf(address, sizeof(address), "%s@%s", locals[draw(&seed, 7)],
			domains[draw(&seed, 7)]);
		disguise(&seed, address, other);
		policy_lookup(fixture->settings, address, &plain);
		policy_lookup(fixture->settings, other, &disguised);
		if (!same(&plain, &disguised))
			fail_msg("%s and %s differ", address, other);
	}
}

/* Keys for u+s@c.b.a, from the most to the least specific. */
static const char *const chain[] = { "u+s@c.b.a", "u@c.b.a", "c.b.a", ".b.a", ".a" };
enum { CHAIN = 5 };

/* Every subset of sections, each of which sets tag: the most specific one there wins. */
static void more_specific_always_wins(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned subset = 0; subset < 1u << CHAIN; subset++) {
		struct settings settings = *fixture->settings;
		struct policy_fields fields;
		int32_t expected = 5000;

		settings.index = policy_index_new();
		for (int i = CHAIN - 1; i >= 0; i--) {
			struct policy_entry entry = { .key = chain[i],
				.origin = { .file = "f", .line = 1 } };

			if ((subset & 1u << i) == 0)
				continue;
			entry.fields.set = 1u << POLICY_TAG;
			entry.fields.tag = expected = 100 + i;
			assert_int_equal(policy_index_add(settings.index, &entry, NULL), 0);
		}
		policy_lookup(&settings, "U+S@C.B.A.", &fields);
		assert_int_equal(fields.tag, expected);
		assert_int_equal(fields.reject, 15000);
		policy_index_free(&settings.index);
	}
}

static void long_addresses_are_harmless(void **state)
{
	const struct fixture *fixture = *state;
	struct policy_fields fields;
	char address[10000];

	for (size_t i = 0; i < sizeof(address) - 1; i++)
		address[i] = i % 2 == 0 ? 'a' : '.';
	address[sizeof(address) - 1] = '\0';
	address[1] = '@';
	policy_lookup(fixture->settings, address, &fields);
	assert_int_equal(fields.tag, 5000);
	memset(address, '+', sizeof(address) - 1);
	memcpy(address + sizeof(address) - 13, "@example.com", 13);
	policy_lookup(fixture->settings, address, &fields);
	assert_int_equal(fields.tag, 5000);
	memcpy(address + 2000, "@example.com", 13);
	policy_lookup(fixture->settings, address, &fields);
	assert_int_equal(fields.tag, 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_specific_section_wins_field_by_field),
		cmocka_unit_test(each_field_knows_its_origin),
		cmocka_unit_test(outbound_falls_back_to_policy),
		cmocka_unit_test(senders_have_their_own_sections),
		cmocka_unit_test(explanation_names_sections),
		cmocka_unit_test(lists_accept_for_their_section),
		cmocka_unit_test(spelling_makes_no_difference),
		cmocka_unit_test(more_specific_always_wins),
		cmocka_unit_test(long_addresses_are_harmless),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
