/* SPDX-License-Identifier: BSD-2-Clause */
/* Names in the form in which they compare, and the index of policy entries. Traps 52, 53. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "config/policy_index.h"

static void domains_normalise(void **state)
{
	static const struct {
		const char *text, *normal; /* NULL: no domain */
	} rows[] = {
		{ "example.com", "example.com" },
		{ "EXAMPLE.Com.", "example.com" },
		{ ".Example.ORG", ".example.org" },
		{ "localhost", "localhost" },
		{ "b\xc3\xbc"
		  "cher.example",
			"xn--bcher-kva.example" },
		{ "B\xc3\x9c"
		  "CHER.example.",
			"xn--bcher-kva.example" },
		{ "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
		{ ".b\xc3\xbc"
		  "cher.example",
			".xn--bcher-kva.example" },
		{ "bu\xcc\x88"
		  "cher.example",
			"xn--bcher-kva.example" }, /* u with combining diaeresis */
		{ "stra\xc3\x9f"
		  "e.example",
			"xn--strae-oqa.example" }, /* not "strasse": non-transitional */
		{ "ex\xe3\x80\x82"
		  "ample",
			"ex.ample" }, /* ideographic full stop */
		{ "_dmarc.example.com", "_dmarc.example.com" },
		{ "-a.example", "-a.example" },
		{ "a--b.example", "a--b.example" },
		{ "xn--.example", "xn--.example" },
		{ "[192.0.2.1]", "[192.0.2.1]" },
		{ "[IPv6:2001:DB8:0:0::1]", "[ipv6:2001:db8::1]" },
		{ "[ipv6:::1]", "[ipv6:::1]" },
		{ "[::1]", NULL },
		{ "[192.0.2]", NULL },
		{ "[192.0.2.1", NULL },
		{ "[]", NULL },
		{ "", NULL },
		{ ".", NULL },
		{ "..", NULL },
		{ "a..b", NULL },
		{ "..a", NULL },
		{ "a..", NULL },
		{ "a b", NULL },
		{ "a@b", NULL },
		{ "a\tb", NULL },
		{ "a\"b", NULL },
		{ "\xff\xfe.example", NULL },
		{ "a\xc3.example", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[LIMIT_ADDRESS] = "";
		bool good = domain_normalise(rows[i].text, out, sizeof(out));

		if (good != (rows[i].normal != NULL) || (good && strcmp(out, rows[i].normal) != 0))
			fail_msg("'%s' gives %d '%s'", rows[i].text, good, out);
	}
}

static void names_have_a_length(void **state)
{
	char name[300], out[LIMIT_ADDRESS], small[5];

	(void)state;
	memset(name, 'a', 256);
	name[256] = '\0';
	assert_false(domain_normalise(name, out, sizeof(out)));
	name[255] = '\0';
	assert_true(domain_normalise(name, out, sizeof(out)));
	assert_true(domain_normalise("abcd", small, sizeof(small)));
	assert_false(domain_normalise("abcde", small, sizeof(small)));
	assert_true(domain_normalise(".abc", small, sizeof(small)));
	assert_false(domain_normalise(".abcd", small, sizeof(small)));
	assert_false(domain_normalise("[1.2.3.4]", small, sizeof(small)));
}

static void addresses_normalise(void **state)
{
	static const struct {
		const char *text, *local, *domain; /* NULL: no address */
	} rows[] = {
		{ "User@Example.COM", "user", "example.com" },
		{ "\"User\"@example.com", "user", "example.com" },
		{ "\"a b\"@example.com", "\"a b\"", "example.com" },
		{ "\"a\\b\"@example.com", "ab", "example.com" },
		{ "\"a\\\"b\"@example.com", "\"a\\\"b\"", "example.com" },
		{ "\"a@b\"@example.com", "\"a@b\"", "example.com" },
		{ "\"\"@example.com", "\"\"", "example.com" },
		{ "\".a\"@example.com", "\".a\"", "example.com" },
		{ "a+b@example.com", "a+b", "example.com" },
		{ "\xc3\x84@example.com", "\xc3\x84", "example.com" },
		{ "a@b@example.com", "a@b", "example.com" },
		{ "u@[192.0.2.1]", "u", "[192.0.2.1]" },
		{ "u@[IPv6:::1]", "u", "[ipv6:::1]" },
		{ "\"a@example.com", "\"a", "example.com" },
		{ "\"a\\\"@example.com", "\"a\\\"", "example.com" },
		{ "", NULL, NULL },
		{ "user", NULL, NULL },
		{ "@example.com", NULL, NULL },
		{ "user@", NULL, NULL },
		{ "user@.example.com", NULL, NULL },
		{ "user@a..b", NULL, NULL },
		{ "user@exa mple", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char local[LIMIT_ADDRESS] = "", domain[LIMIT_ADDRESS] = "";
		bool good = address_normalise(rows[i].text, local, domain, sizeof(local));

		if (good != (rows[i].local != NULL) ||
			(good &&
				(strcmp(local, rows[i].local) != 0 ||
					strcmp(domain, rows[i].domain) != 0)))
			fail_msg("'%s' gives %d '%s' '%s'", rows[i].text, good, local, domain);
	}
}

static void entries_come_back_as_they_went_in(void **state)
{
	struct policy_index *index = policy_index_new();
	struct policy_entry in = { .key = "example.com", .origin = { .file = "f", .line = 7 } },
			    out;
	struct err err = ERR_INIT;

	(void)state;
	in.fields.set = POLICY_ALL;
	in.fields.defer = 9500;
	in.fields.reject_action = REJECT_ACTION_DISCARD;
	in.fields.reject_code = "451 4.7.1";
	in.fields.redirect = "r@example.com";
	in.fields.redirect_score = 7000;
	in.fields.copy_to = "";
	in.fields.copy_score = THRESHOLD_TAG;
	in.fields.tag = -500;
	in.fields.quarantine = THRESHOLD_OFF;
	in.fields.reject = 15000;
	in.fields.subject_tag = "[SPAM]";
	in.fields.reject_text = "no";
	in.fields.on_failure = ON_FAILURE_TEMPFAIL;
	in.fields.keep_rejected_ms = 86400000;
	assert_int_equal(policy_index_add(index, &in, &err), 0);
	assert_false(policy_index_find(index, "example.co", &out));
	assert_true(policy_index_find(index, "example.com", &out));
	assert_string_equal(out.key, "example.com");
	assert_int_equal(out.fields.set, in.fields.set);
	assert_int_equal(out.fields.tag, -500);
	assert_int_equal(out.fields.quarantine, THRESHOLD_OFF);
	assert_int_equal(out.fields.reject, 15000);
	assert_string_equal(out.fields.subject_tag, "[SPAM]");
	assert_string_equal(out.fields.reject_text, "no");
	assert_int_equal(out.fields.on_failure, ON_FAILURE_TEMPFAIL);
	assert_true(out.fields.keep_rejected_ms == 86400000);
	assert_memory_equal(&out.fields, &in.fields, POLICY_VALUES_SIZE);
	assert_true(policy_index_adds_recipients(index));
	assert_string_equal(out.fields.origins[POLICY_TAG].key, "example.com");
	assert_int_equal(out.fields.origins[POLICY_REJECT].line, 7);
	in.origin.line = 9;
	assert_int_equal(policy_index_add(index, &in, &err), -1);
	assert_non_null(strstr(err.text, "the first is at f:7"));
	assert_int_equal(policy_index_count(index), 1);
	policy_index_free(&index);
	assert_null(index);
	policy_index_free(&index);
}

static void many_entries_are_found(void **state)
{
	enum { COUNT = 20000 };
	struct policy_index *index = policy_index_new();
	struct policy_entry entry = { .origin = { .file = "f", .line = 0 } }, found;
	char key[64];

	(void)state;
	entry.key = key;
	entry.fields.set = 1u << POLICY_TAG;
	for (int i = 0; i < COUNT; i++) {
		snprintf(key, sizeof(key), "d%d.example", i);
		entry.fields.tag = i;
		assert_int_equal(policy_index_add(index, &entry, NULL), 0);
	}
	for (int i = 0; i < COUNT; i++) {
		snprintf(key, sizeof(key), "d%d.example", i);
		assert_true(policy_index_find(index, key, &found));
		assert_int_equal(found.fields.tag, i);
		snprintf(key, sizeof(key), "e%d.example", i);
		assert_false(policy_index_find(index, key, &found));
	}
	/* A million domains are to fit into less than 100 MB. */
	assert_true(policy_index_memory(index) < (size_t)COUNT * 100);
	policy_index_free(&index);
}

static void mail_is_kept_only_when_asked_for(void **state)
{
	static const struct {
		struct policy_fields fields;
		bool keeps;
	} rows[] = {
		{ { .set = 0, .quarantine = 5000 }, false },
		{ { .set = 1u << POLICY_QUARANTINE, .quarantine = 5000 }, true },
		{ { .set = 1u << POLICY_QUARANTINE, .quarantine = THRESHOLD_OFF }, false },
		{ { .set = 1u << POLICY_ON_FAILURE, .on_failure = ON_FAILURE_QUARANTINE }, true },
		{ { .set = 1u << POLICY_ON_FAILURE, .on_failure = ON_FAILURE_TEMPFAIL }, false },
		{ { .set = 1u << POLICY_KEEP_REJECTED, .keep_rejected_ms = 1 }, true },
		{ { .set = 1u << POLICY_KEEP_REJECTED }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_index *index = policy_index_new();
		struct policy_entry entry = { "a", rows[i].fields, { .file = "f", .line = 1 } };

		assert_int_equal(policy_fields_keep_mail(&rows[i].fields), rows[i].keeps);
		assert_int_equal(policy_index_add(index, &entry, NULL), 0);
		assert_int_equal(policy_index_keeps_mail(index), rows[i].keeps);
		policy_index_free(&index);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_normalise),
		cmocka_unit_test(names_have_a_length),
		cmocka_unit_test(addresses_normalise),
		cmocka_unit_test(entries_come_back_as_they_went_in),
		cmocka_unit_test(many_entries_are_found),
		cmocka_unit_test(mail_is_kept_only_when_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
