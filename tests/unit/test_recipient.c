/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy for one recipient of one message, and how it is explained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_file.h"
#include "policy/lookup.h"
#include "policy/recipient.h"
#include "policy/user.h"

static const char aliases[] = "sales@example.com ann@example.com\n";

/* Load the settings with these lines in them, and the alias table. */
static struct settings *load(struct config_file *file, const char *lines)
{
	struct strlist errors = { 0 };
	struct settings *settings;
	char text[1024];

	config_file_begin(file);
	write_file(file->table, aliases, strlen(aliases));
	snprintf(text, sizeof(text), "alias_table = \"%s\"\n%s", file->table, lines);
	settings = load_text(file, text, &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.items[i]);
	strlist_free(&errors);
	assert_non_null(settings);
	return settings;
}

static void nobody_is_redirected_to_himself(void **state)
{
	static const struct {
		const char *recipient, *redirect, *copy_to;
	} rows[] = {
		{ "a@example.com", "spam@example.com", "spam@example.com" },
		{ "Spam@Example.COM.", "", "" },
		{ "a@copied.example", "", "b@copied.example" },
		{ "b@copied.example", "", "" },
	};
	struct config_file file;
	struct settings *settings = load(&file,
		SCORER_LINE "policy { tag = 5 redirect = \"spam@example.com\" "
			    "copy_to = \"spam@example.com\" }\n"
			    "domain \"copied.example\" { redirect = \"\" "
			    "copy_to = \"b@copied.example\" }\n");
	const struct sockaddr client = { .sa_family = AF_UNSPEC };
	const struct recipient_facts facts = { "x@example.net", NULL, &client, false };
	struct policy_fields fields;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		recipient_policy(settings, &facts, rows[i].recipient, &fields);
		assert_string_equal(fields.redirect, rows[i].redirect);
		assert_string_equal(fields.copy_to, rows[i].copy_to);
	}
	settings_free(&settings);
	config_file_end(&file);
}

/* A login that is an address says whose mail it is; the envelope can say anything. */
static void outbound_mail_is_its_senders(void **state)
{
	static const struct {
		const char *sender, *login;
		int32_t reject;
	} rows[] = {
		{ "boss@example.com", NULL, 30000 },
		{ "boss@example.com", "clerk@example.com", 9000 },
		{ "clerk@example.com", "boss@example.com", 30000 },
		{ "boss@example.com", "uid17", 30000 },
		{ NULL, NULL, 8000 },
	};
	struct config_file file;
	struct settings *settings = load(&file,
		SCORER_LINE "outbound { reject = 8 }\nsender \"boss@example.com\" { reject = 30 }\n"
			    "sender \"example.com\" { reject = 9 }\n");
	const struct sockaddr client = { .sa_family = AF_UNSPEC };
	struct policy_fields fields;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct recipient_facts facts = { rows[i].sender, rows[i].login, &client,
			true };

		recipient_policy(settings, &facts, "to@example.net", &fields);
		assert_int_equal(fields.reject, rows[i].reject);
	}
	settings_free(&settings);
	config_file_end(&file);
}

static void explanations_name_alias_and_user(void **state)
{
	struct config_file file;
	struct settings *settings = load(&file,
		"scorer \"sa\" { servers = { \"tcp://127.0.0.1:783\" } user = recipient }\n");
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	assert_true(policy_explain(settings, "Sales@example.com", &out));
	assert_non_null(strstr(buf_text(&out), "alias of       ann@example.com at "));
	assert_non_null(strstr(buf_text(&out), "/domains:1"));
	assert_non_null(strstr(
		buf_text(&out), "scored for     ann@example.com by scorer sa, user = recipient\n"));
	buf_clear(&out);
	assert_true(policy_explain(settings, "\"odd one\"@example.com", &out));
	assert_non_null(strstr(buf_text(&out), "scored for     nobody in particular by scorer"));
	buf_clear(&out);
	assert_true(policy_explain_outbound(settings, "x@example.com", &out));
	assert_non_null(strstr(buf_text(&out), "looked for     x@example.com, example.com, .com"));
	assert_non_null(strstr(buf_text(&out), "scored         no\n"));
	buf_free(&out);
	/* A text that does not fit is no explanation. */
	buf_init(&out, 100);
	assert_false(policy_explain(settings, "Sales@example.com", &out));
	buf_free(&out);
	settings_free(&settings);
	config_file_end(&file);
}

static void a_fixed_user_is_everybodys(void **state)
{
	struct config_file file;
	struct settings *settings = load(
		&file, "scorer \"sa\" { servers = { \"tcp://127.0.0.1:783\" } user = filter }\n");
	char user[POLICY_USER_SIZE];

	(void)state;
	assert_null(policy_user_scorer(settings));
	policy_user(settings, settings->scorers, "a@example.com", user);
	assert_string_equal(user, "filter");
	settings_free(&settings);
	config_file_end(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_redirected_to_himself),
		cmocka_unit_test(outbound_mail_is_its_senders),
		cmocka_unit_test(explanations_name_alias_and_user),
		cmocka_unit_test(a_fixed_user_is_everybodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
