/* SPDX-License-Identifier: BSD-2-Clause */
/* As which users a message is scored: names, groups, their number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_file.h"
#include "judge/users.h"
#include "policy/user.h"

/* `table` of the fixture is the alias table. */
static const char aliases[] = "sales@example.com ann@example.com\nalias.example example.com\n";

struct fixture {
	struct config_file file;
	struct settings *settings;
};

static int begin(void **state)
{
	static struct fixture fixture;

	config_file_begin(&fixture.file);
	write_file(fixture.file.table, aliases, strlen(aliases));
	fixture.settings = NULL;
	*state = &fixture;
	return 0;
}

static int end(void **state)
{
	struct fixture *fixture = *state;

	settings_free(&fixture->settings);
	config_file_end(&fixture->file);
	return 0;
}

/* Load with these scorer sections. */
static const struct settings *configure(struct fixture *fixture, const char *scorers)
{
	struct strlist errors = { 0 };
	char text[1024];

	snprintf(text, sizeof(text), "alias_table = \"%s\"\n%s", fixture->file.table, scorers);
	settings_free(&fixture->settings);
	fixture->settings = load_text(&fixture->file, text, &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.items[i]);
	strlist_free(&errors);
	assert_non_null(fixture->settings);
	return fixture->settings;
}

#define SPAMD(name, rest) "scorer \"" name "\" { servers = { \"tcp://127.0.0.1:783\" } " rest " }\n"
#define RSPAMD            "scorer \"r\" { protocol = rspamd servers = { \"http://127.0.0.1:11333\" } }\n"

static void a_recipient_is_a_user(void **state)
{
	static const struct {
		const char *recipient, *whole, *domain;
	} rows[] = {
		{ "bob@example.org", "bob@example.org", "example.org" },
		{ "BOB@Example.ORG.", "bob@example.org", "example.org" },
		{ "bob+news@example.org", "bob@example.org", "example.org" },
		{ "+bob@example.org", "+bob@example.org", "example.org" },
		{ "sales@example.com", "ann@example.com", "example.com" },
		{ "sales+2026@Example.com", "ann@example.com", "example.com" },
		{ "sales@alias.example", "sales@example.com", "example.com" },
		{ "\"bob\"@example.org", "bob@example.org", "example.org" },
		{ "bob@b\xc3\xbc"
		  "cher.example",
			"bob@xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "bob@[192.0.2.1]", "bob@[192.0.2.1]", "[192.0.2.1]" },
		{ "o'neil=x/y@example.org", "o'neil=x/y@example.org", "example.org" },
		{ "root", "root", "" },
		/* Nobody: it would need quotes in the log, in a query, in a path. */
		{ "\"odd one\"@example.org", "", "example.org" },
		{ "\"a,b\"@example.org", "", "example.org" },
		{ "b\xc3\xb6@example.org", "", "example.org" },
		{ "a b", "", "" },
		{ "", "", "" },
	};
	const struct settings *by_address = configure(*state, SPAMD("a", "user = recipient"));
	char user[POLICY_USER_SIZE], long_address[LIMIT_SCORE_USER + 20];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		policy_user(by_address, by_address->scorers, rows[i].recipient, user);
		assert_string_equal(user, rows[i].whole);
	}
	memset(long_address, 'x', sizeof(long_address));
	snprintf(long_address + LIMIT_SCORE_USER, 20, "@example.org");
	policy_user(by_address, by_address->scorers, long_address, user);
	assert_string_equal(user, "");
	by_address = configure(*state, SPAMD("a", "user = domain"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		policy_user(by_address, by_address->scorers, rows[i].recipient, user);
		assert_string_equal(user, rows[i].domain);
	}
}

static void the_scorer_that_takes_users_is_found(void **state)
{
	static const struct {
		const char *scorers, *found;
	} rows[] = {
		{ SPAMD("a", "user = recipient"), "a" },
		{ SPAMD("a", "user = domain"), "a" },
		{ SPAMD("a", "user = \"fixed\""), NULL },
		{ SPAMD("a", ""), NULL },
		{ RSPAMD SPAMD("a", "user = recipient"), "a" },
		{ "shadow = \"a\"\n" SPAMD("a", "user = recipient") SPAMD("b", "user = domain"),
			"b" },
		{ "shadow = \"a\"\n" SPAMD("a", "user = recipient") RSPAMD, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct settings *settings = configure(*state, rows[i].scorers);
		const struct scorer_setting *found = policy_user_scorer(settings);

		if (rows[i].found == NULL)
			assert_null(found);
		else
			assert_string_equal(found->name, rows[i].found);
	}
}

/*
 * Recipients with blanks between them, "!" before one who accepts the message anyway; wanted: the
 * number of each one's user, and the users.
 */
static void check_groups(const struct settings *settings, const char *recipients,
	const char *numbers, const char *names)
{
	struct strlist list = { 0 };
	struct policy_fields policies[8] = { { 0 } };
	struct users users;
	struct buf got;
	char copy[512], *rest = copy;

	snprintf(copy, sizeof(copy), "%s", recipients);
	for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
		policies[list.count].accepted = word[0] == '!';
		assert_true(strlist_add(&list, word + (word[0] == '!')));
	}
	assert_true(users_build(&users, settings, policy_user_scorer(settings), &list, policies));
	buf_init(&got, 1024);
	for (size_t i = 0; i < list.count; i++)
		buf_printf(&got, "%zu", users.of[i]);
	assert_string_equal(buf_text(&got), numbers);
	buf_clear(&got);
	for (size_t i = 0; i < users.names.count; i++)
		buf_printf(&got, "%s%s", i == 0 ? "" : " ", users.names.items[i]);
	assert_string_equal(buf_text(&got), names);
	buf_free(&got);
	users_free(&users);
	strlist_free(&list);
}

static void recipients_are_grouped(void **state)
{
	const struct settings *settings =
		configure(*state, SPAMD("a", "user = recipient max_users_per_message = 3"));

	check_groups(settings, "bob@a.example", "0", "bob@a.example");
	check_groups(settings, "bob@a.example eve@a.example", "01", "bob@a.example eve@a.example");
	check_groups(settings, "ann@example.com bob@a.example sales+x@example.com ANN@EXAMPLE.COM",
		"0100", "ann@example.com bob@a.example");
	check_groups(settings, "a@a.example b@a.example c@a.example", "012",
		"a@a.example b@a.example c@a.example");
	/* One more than the limit: nobody's preferences count for anybody. */
	check_groups(settings, "a@a.example b@a.example c@a.example d@a.example", "0000", "");
	check_groups(settings, "a@a.example \"b,c\"@a.example", "01", "a@a.example ");
	/* Who gets it anyway asks for no scan. */
	check_groups(settings, "!a@a.example b@a.example", "00", "b@a.example");
	check_groups(settings, "!a@a.example", "0", "");
	settings = configure(*state, SPAMD("a", "user = domain max_users_per_message = 3"));
	check_groups(settings, "a@a.example b@A.example c@b.example", "001", "a.example b.example");
}

static void only_the_first_scorer_is_asked_for_several(void **state)
{
	const struct settings *settings = configure(*state, RSPAMD SPAMD("a", "user = recipient"));

	check_groups(settings, "bob@a.example bob+x@a.example", "00", "bob@a.example");
	check_groups(settings, "bob@a.example eve@a.example", "00", "");
	settings = configure(*state, SPAMD("a", "user = \"fixed\""));
	check_groups(settings, "bob@a.example eve@a.example", "00", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_recipient_is_a_user, begin, end),
		cmocka_unit_test_setup_teardown(the_scorer_that_takes_users_is_found, begin, end),
		cmocka_unit_test_setup_teardown(recipients_are_grouped, begin, end),
		cmocka_unit_test_setup_teardown(
			only_the_first_scorer_is_asked_for_several, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
