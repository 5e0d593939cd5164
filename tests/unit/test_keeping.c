/* SPDX-License-Identifier: BSD-2-Clause */
/* How long held mail is kept and who is told of it: each domain's policy, our own users' mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_file.h"
#include "judge/keeping.h"

static const char configuration[] =
	"trusted_networks = { \"192.0.2.0/24\" }\n"
	"scorer \"sa\" { servers = { \"tcp://127.0.0.1:783\" } }\n"
	"quarantine { expire = 20d digest_to = \"all@example.com\" }\n"
	"domain \"example.com\" { expire = 2d digest_to = recipient }\n"
	"domain \"example.org\" { digest_to = nobody }\n"
	"address \"a@example.com\" { expire = 3d digest_to = \"b@example.com\" }\n"
	"outbound { expire = 5d digest_to = recipient }\n"
	"sender \"ours.example\" { expire = 6d digest_to = \"security@ours.example\" }\n";

struct row {
	const char *recipient;
	const char *sender, *login, *client;
	int days;
	const char *contact; /* NULL: himself */
};

static const struct row rows[] = {
	{ "x@example.com", "s@example.net", NULL, "198.51.100.1", 2, NULL },
	{ "a@EXAMPLE.com", "s@example.net", NULL, "198.51.100.1", 3, "b@example.com" },
	{ "x@example.org", "s@example.net", NULL, "198.51.100.1", 20, "" },
	{ "x@example.net", "s@example.net", NULL, "198.51.100.1", 20, "all@example.com" },
	{ "", "", NULL, NULL, 20, "all@example.com" },
	/* Who claims to be one of us is none. */
	{ "x@example.com", "s@ours.example", NULL, "198.51.100.1", 2, NULL },
	/* Ours: the sender's policy, and never the strangers that they write to. */
	{ "x@example.com", "s@ours.example", NULL, "192.0.2.7", 6, "security@ours.example" },
	{ "x@example.com", "s@other.example", "user", "198.51.100.1", 5, "" },
	{ "x@example.com", "s@other.example", "u@ours.example", NULL, 6, "security@ours.example" },
};

static struct settings *load(struct config_file *file)
{
	struct strlist errors = { 0 };
	struct settings *settings;

	config_file_begin(file);
	settings = load_text(file, configuration, &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.items[i]);
	strlist_free(&errors);
	assert_non_null(settings);
	return settings;
}

static void each_recipient_has_his_own(void **state)
{
	struct config_file file;
	struct settings *settings = load(&file);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		const char *contact;
		struct item item;

		item_init(&item);
		item.envelope.sender = strdup(row->sender);
		item.envelope.auth_login = row->login == NULL ? NULL : strdup(row->login);
		assert_true(strlist_add(&item.envelope.recipients, "first@example.invalid"));
		assert_true(strlist_add(&item.envelope.recipients, row->recipient));
		(void)address_parse_ip(row->client, &item.client.sockaddr);
		assert_int_equal(keeping_time(&item, 1, settings), row->days * 86400);
		contact = keeping_contact(&item, 1, settings);
		if (row->contact == NULL)
			assert_null(contact);
		else
			assert_string_equal(contact, row->contact);
		item_free(&item);
	}
	settings_free(&settings);
	config_file_end(&file);
}

static void only_addresses_and_words_are_taken(void **state)
{
	static const char *const wrong[] = { "everybody", "a@", "@b", "a@b c@d", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct strlist errors = { 0 };
		struct config_file file;
		char text[300];

		snprintf(text, sizeof(text),
			"scorer \"sa\" { servers = { \"tcp://127.0.0.1:783\" } }\n"
			"policy { digest_to = \"%s\" }\n",
			wrong[i]);
		config_file_begin(&file);
		assert_null(load_text(&file, text, &errors));
		assert_int_equal(errors.count, 1);
		assert_non_null(strstr(errors.items[0], ":2: digest_to"));
		strlist_free(&errors);
		config_file_end(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_recipient_has_his_own),
		cmocka_unit_test(only_addresses_and_words_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
