/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading a configuration when each of its calls fails: the whole of it, or an error (F17, F18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_file.h"
#include "config/alias_table.h"
#include "config/policy_index.h"
#include "config/secret.h"
#include "faults.h"

#define TABLE_LINES   40
#define EXPECTED_SIZE 65536

static const char form[] =
	"listen = \"inet:8891@127.0.0.1\"\n"
	"http_listen = \"127.0.0.1:9000\"\n"
	"trusted_networks = { \"192.0.2.0/24\", \"2001:db8::/32\" }\n"
	"shadow = \"other\"\n"
	"domain_table = \"%1$s\"\n"
	"alias_table = \"%2$s\"\n"
	"scorer \"sa\" { servers = { \"tcp://a.example:783\", \"unix:/run/spamd.sock\" }\n"
	"  user = recipient }\n"
	"scorer \"rs\" { protocol = rspamd servers = { \"http://127.0.0.1\" }\n"
	"  learn_servers = { \"http://127.0.0.1:11334\" } password_file = \"%3$s\" }\n"
	"scorer \"other\" { protocol = json servers = { \"https://[::1]/api\" } auth_file = "
	"\"%3$s\"\n"
	"  path = \"/check\" headers = { \"X-One: 1\", \"X-Two: 2\" } }\n"
	"policy { tag = 4.5 accept_senders = { \"a@example.org\", \"b@\", \".example.net\" }\n"
	"  accept_clients = { \"198.51.100.0/24\" } }\n"
	"domain \"example.com\" { tag = 3 subject_tag = \"[spam] \" }\n"
	"address \"ann@example.com\" { accept_recipients = { \"x@example.com\" } }\n"
	"sender \"ours.example\" { reject = 9 }\n"
	"outbound { scan = true reject = 8 }\n"
	"quarantine { digest_from = \"spam@example.com\" }\n";

struct scene {
	struct config_file file;
	char aliases[128], secret[128];
	char expected[EXPECTED_SIZE]; /* as settings_print() shows it */
	struct settings *settings;
	struct strlist errors;
};

static void write_rows(const char *path, const char *before, const char *behind)
{
	char text[TABLE_LINES * 64];
	size_t length = 0;

	for (int i = 0; i < TABLE_LINES; i++)
		length += (size_t)snprintf(
			text + length, sizeof(text) - length, "%s%d%s\n", before, i, behind);
	write_file(path, text, length);
}

static int begin(void **state)
{
	static struct scene scene;
	char text[2 * sizeof(form)];

	config_file_begin(&scene.file);
	snprintf(scene.aliases, sizeof(scene.aliases), "%s/aliases", scene.file.directory);
	snprintf(scene.secret, sizeof(scene.secret), "%s/secret", scene.file.directory);
	write_rows(scene.file.table, "d", ".example tag=2 reject_text=\"no, thanks\"");
	write_rows(scene.aliases, "a", "@example.com ann@example.com");
	write_file(scene.secret, "X-Key:s3cret\r\n", 14);
	snprintf(text, sizeof(text), form, scene.file.table, scene.aliases, scene.secret);
	write_file(scene.file.path, text, strlen(text));
	*state = &scene;
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;

	unlink(scene->aliases);
	unlink(scene->secret);
	config_file_end(&scene->file);
	return 0;
}

static bool load(void *context)
{
	struct scene *scene = context;

	scene->settings = settings_load(scene->file.path, &scene->errors);
	return scene->settings != NULL;
}

static void expect_whole(struct scene *scene)
{
	const struct settings *settings = scene->settings;
	struct buf text;

	buf_init(&text, EXPECTED_SIZE - 1);
	fault_expect(settings_print(settings, &text));
	if (scene->expected[0] == '\0')
		snprintf(scene->expected, EXPECTED_SIZE, "%s", buf_text(&text));
	fault_expect(strcmp(buf_text(&text), scene->expected) == 0);
	buf_free(&text);
	fault_expect(scene->errors.count == 0);
	fault_expect(settings->scorer_count == 3);
	fault_expect(strcmp(settings->scorers[1].password, "X-Key:s3cret") == 0);
	fault_expect(strstr(settings->scorers[2].auth_line, "s3cret") != NULL);
}

/* A file that ends early was a shorter file; that is how tables grow under a reader. */
static void expect_tables(const struct scene *scene, const struct fault_report *report)
{
	if (report->error == FAULT_ENDS)
		return;
	fault_expect(policy_index_count(scene->settings->index) == TABLE_LINES + 2);
	fault_expect(policy_index_count(scene->settings->senders) == 1);
	fault_expect(alias_table_count(scene->settings->aliases) == TABLE_LINES);
}

static void check(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;

	if (good) {
		expect_whole(scene);
		expect_tables(scene, report);
	} else {
		/* Only where there is no memory for an error either is none. */
		fault_expect(scene->errors.count > 0 || strcmp(report->call, "memory") == 0 ||
			report->failed > 1);
	}
	strlist_free(&scene->errors);
	settings_free(&scene->settings);
}

static void a_configuration_is_whole_or_refused(void **state)
{
	struct fault_trial trial = { NULL, load, check, NULL, *state, false, false };

	assert_true(fault_sweep(&trial) > 500);
}

struct printing {
	struct settings *settings;
	struct buf text;
	size_t whole;
};

static bool print(void *context)
{
	struct printing *printing = context;

	buf_init(&printing->text, EXPECTED_SIZE);
	return settings_print(printing->settings, &printing->text);
}

static void expect_all_of_it(void *context, bool good, const struct fault_report *report)
{
	struct printing *printing = context;

	if (report->failed == 0)
		printing->whole = printing->text.length;
	fault_expect(good == (printing->text.length == printing->whole));
	buf_free(&printing->text);
}

static void what_is_printed_is_whole_or_said_not_to_be(void **state)
{
	struct scene *scene = *state;
	struct printing printing = { .settings = NULL };
	struct fault_trial trial = { NULL, print, expect_all_of_it, NULL, &printing, false, false };

	if (!load(scene))
		fail_msg("%s", scene->errors.items[0]);
	printing.settings = scene->settings;
	assert_true(fault_sweep(&trial) > 3);
	settings_free(&scene->settings);
}

static void secrets_of_others_are_refused(void **state)
{
	static const struct {
		mode_t mode;
		uid_t user;
		gid_t group;
		const char *text, *error;
	} rows[] = {
		{ 0600, 0, 0, "word", NULL },
		{ 0640, 0, 0, "word\n", NULL },
		{ 0600, 0, 0, "word\r\n", NULL },
		{ 0600, 1, 0, "word", NULL }, /* the account that the daemon becomes */
		{ 0640, 0, 1, "word", NULL },
		{ 0600, 12345, 0, "word", "belongs to user id 12345" },
		{ 0640, 0, 12345, "word", "may be read by group id 12345" },
		{ 0600, 0, 12345, "word", NULL },
		{ 0644, 0, 0, "word", "may be used by others" },
		{ 0620, 0, 0, "word", "may be used by others" },
		{ 0610, 0, 0, "word", "may be used by others" },
		{ 0600, 0, 0, "", "not exactly one line" },
		{ 0600, 0, 0, "\n", "not exactly one line" },
		{ 0600, 0, 0, "a\nb\n", "not exactly one line" },
		{ 0600, 0, 0, "a\n\n", "not exactly one line" },
	};
	const struct scene *scene = *state;
	const char *path = scene->file.table;

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_INIT;
		struct buf line;
		int result;

		buf_init(&line, 4096);
		write_file(path, rows[i].text, strlen(rows[i].text));
		assert_int_equal(chown(path, rows[i].user, rows[i].group), 0);
		assert_int_equal(chmod(path, rows[i].mode), 0);
		result = secret_read(path, "daemon", &line, &err);
		if (rows[i].error == NULL) {
			assert_int_equal(result, 0);
			assert_string_equal(buf_text(&line), "word");
		} else {
			assert_int_equal(result, -1);
			assert_int_equal(line.length, 0);
			assert_non_null(strstr(err.text, rows[i].error));
		}
		secret_forget(&line);
		unlink(path);
	}
}

static void a_secret_is_a_file(void **state)
{
	const struct scene *scene = *state;
	struct err err = ERR_INIT, other = ERR_INIT;
	struct buf line;

	buf_init(&line, 4096);
	assert_int_equal(secret_read(scene->file.directory, NULL, &line, &err), -1);
	assert_non_null(strstr(err.text, "no regular file"));
	assert_int_equal(secret_read("/nonexistent", "nobody-of-this-name", &line, &other), -1);
	assert_non_null(strstr(other.text, "cannot be opened"));
	buf_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_is_whole_or_refused),
		cmocka_unit_test(what_is_printed_is_whole_or_said_not_to_be),
		cmocka_unit_test(secrets_of_others_are_refused),
		cmocka_unit_test(a_secret_is_a_file),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
