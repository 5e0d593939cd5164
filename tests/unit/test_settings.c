/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading a configuration: defaults, every error with its line, unsafe files, the domain table,
 * the printed form, shared snapshots, lack of memory. Attack A33; fault F17; trap 32.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <cmocka.h>

#include "config_file.h"
#include "config/accept_list.h"
#include "config/alias_table.h"
#include "config/policy_index.h"
#include "policy/lookup.h"
#include "policy/mailbox.h"

/* The linker sends our allocations here (--wrap); libConfuse's own are left alone. */
static long allocations_left = -1; /* -1: no limit; 0: every further one fails */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

static bool may_allocate(void)
{
	if (allocations_left > 0)
		allocations_left--;
	return allocations_left != 0;
}

void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
	return may_allocate() ? __real_realloc(memory, size) : NULL;
}

char *__wrap_strdup(const char *text)
{
	return may_allocate() ? __real_strdup(text) : NULL;
}

static struct config_file file;

static int begin(void **state)
{
	(void)state;
	config_file_begin(&file);
	return 0;
}

static int end(void **state)
{
	(void)state;
	config_file_end(&file);
	return 0;
}

/* Load text that must be good. */
static struct settings *load_good(const char *text)
{
	struct strlist errors = { 0 };
	struct settings *settings = load_text(&file, text, &errors);

	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.items[i]);
	assert_non_null(settings);
	assert_int_equal(errors.count, 0);
	strlist_free(&errors);
	return settings;
}

/* Load text that must be refused with exactly these errors. */
static void refused(const char *text, const char *expected)
{
	struct strlist errors = { 0 };
	struct settings *settings = load_text(&file, text, &errors);
	struct buf all;

	buf_init(&all, 1 << 20);
	errors_text(&file, &errors, &all);
	if (strcmp(buf_text(&all), expected) != 0)
		fail_msg(
			"for <<<%s>>>\ngot <<<%s>>>\nnot <<<%s>>>", text, buf_text(&all), expected);
	assert_null(settings);
	buf_free(&all);
	strlist_free(&errors);
}

/* As above, where one part of the errors tells enough. */
static void refused_with(const char *text, const char *part)
{
	struct strlist errors = { 0 };
	struct settings *settings = load_text(&file, text, &errors);
	struct buf all;

	buf_init(&all, 1 << 20);
	errors_text(&file, &errors, &all);
	if (strstr(buf_text(&all), part) == NULL)
		fail_msg(
			"for <<<%s>>>\ngot <<<%s>>>\nwithout <<<%s>>>", text, buf_text(&all), part);
	assert_null(settings);
	buf_free(&all);
	strlist_free(&errors);
}

static void defaults_suit_a_small_mail_server(void **state)
{
	struct settings *settings = load_good(SCORER_LINE);

	(void)state;
	assert_string_equal(
		settings->listen.text, "unix:/var/spool/postfix/spambridge/milter.sock");
	assert_int_equal(settings->listen.family, LISTEN_UNIX);
	assert_string_equal(settings->socket_group, "postfix");
	assert_int_equal(settings->socket_mode, 0660);
	assert_string_equal(settings->control, "/run/spambridge/control.sock");
	assert_string_equal(settings->user, "spambridge");
	assert_int_equal(settings->log, LOG_TARGET_AUTO);
	assert_int_equal(settings->log_level, LOG_LEVEL_INFO);
	assert_true(settings->deadline_ms == 20000);
	assert_int_equal(settings->max_scan_size, 512 * 1024);
	assert_int_equal(settings->oversize, OVERSIZE_HEAD);
	assert_int_equal(settings->message_memory, 1024 * 1024);
	assert_string_equal(settings->temp_directory, "/var/tmp");
	assert_int_equal(settings->max_sessions, 1000);
	assert_true(settings->resolve_every_ms == 60000);
	assert_true(settings->late_verdicts_ms == 3600000);
	assert_int_equal(settings->late_verdict_limit, 1000);
	assert_int_equal(settings->trusted_networks.count, 2);
	assert_true(settings->skip_authenticated);
	assert_int_equal(settings->keep_spam_headers_from.count, 0);
	assert_int_equal(settings->scorer_count, 1);
	assert_string_equal(settings->scorers[0].name, "sa");
	assert_int_equal(settings->scorers[0].protocol, SCORER_SPAMD);
	assert_int_equal(settings->scorers[0].max_connections, 5);
	assert_true(settings->scorers[0].hedge_after_ms == -1);
	assert_string_equal(settings->scorers[0].ca_file, "");
	assert_int_equal(settings->policy.set, (1u << POLICY_FIELD_COUNT) - 1);
	assert_int_equal(settings->policy.tag, 5000);
	assert_int_equal(settings->policy.reject, 15000);
	assert_int_equal(settings->policy.on_failure, ON_FAILURE_ACCEPT);
	assert_null(settings->policy.origins[POLICY_TAG].file);
	assert_false(settings->outbound.scan);
	assert_false(settings_need_whole_message(settings));
	settings_free(&settings);
	assert_null(settings);
	settings_free(&settings);
}

static void values_may_stand_bare_or_quoted(void **state)
{
	struct settings *settings = load_good(
		"deadline=20s // comment\r\n"
		"max_scan_size = '256K' /* and\n another */ log = \"stderr\"\n"
		"trusted_networks = { 10.0.0.0/8, \"2001:db8::/32\", }\n"
		"keep_spam_headers_from = 192.0.2.1\n"
		"socket_group = \"\"\n"
		"scorer sa { servers = { tcp://127.0.0.1:783 } user = 'a\\'b\\\\c' }\n"
		"policy { tag = 5.5 reject = off reject_text = \"say \\\"no\\\" \\\\ 100%%\" }");

	(void)state;
	assert_true(settings->deadline_ms == 20000);
	assert_int_equal(settings->max_scan_size, 256 * 1024);
	assert_int_equal(settings->log, LOG_TARGET_STDERR);
	assert_int_equal(settings->trusted_networks.count, 2);
	assert_int_equal(settings->keep_spam_headers_from.count, 1);
	assert_string_equal(settings->socket_group, "");
	assert_string_equal(settings->scorers[0].servers.items[0].host, "127.0.0.1");
	assert_string_equal(settings->scorers[0].user, "a'b\\c");
	assert_int_equal(settings->policy.tag, 5500);
	assert_int_equal(settings->policy.reject, THRESHOLD_OFF);
	assert_string_equal(settings->policy.reject_text, "say \"no\" \\ 100%%");
	settings_free(&settings);
}

static void an_empty_list_is_not_the_default(void **state)
{
	struct settings *settings = load_good("trusted_networks = {}\n" SCORER_LINE);

	(void)state;
	assert_int_equal(settings->trusted_networks.count, 0);
	settings_free(&settings);
}

static void on_failure_at_the_top_is_the_policy_default(void **state)
{
	struct settings *settings = load_good("on_failure = tempfail\n" SCORER_LINE);

	(void)state;
	assert_int_equal(settings->policy.on_failure, ON_FAILURE_TEMPFAIL);
	assert_int_equal(settings->policy.origins[POLICY_ON_FAILURE].line, 1);
	settings_free(&settings);
	settings = load_good("mode = observe\n" SCORER_LINE);
	assert_int_equal(settings->policy.mode, MODE_OBSERVE);
	settings_free(&settings);
	settings = load_good("on_failure = tempfail\npolicy { on_failure = accept }\n" SCORER_LINE);
	assert_int_equal(settings->policy.on_failure, ON_FAILURE_ACCEPT);
	settings_free(&settings);
}

static void all_errors_are_told_with_their_lines(void **state)
{
	(void)state;
	refused("# a comment\n"
		"/* two\n"
		"   lines */ lisen = \"unix:/x\"\n"
		"deadline = 20x // a comment\n"
		"deadline = 10s\n"
		"on_failure accept\n"
		"user =\n"
		"log = foo\n"
		"scorer \"a\" {\n"
		"\tservers = { \"foo\",\n"
		"\t\t\"tcp://x:99999\" }\n"
		"\thedge_afer = 5s\n"
		"\tmax_connections = { 5 }\n"
		"}\n"
		"policy { tag = 15 reject = 5 }\n"
		"domain \"ex ample\" { }\n"
		"domain { tag = 5 }\n"
		"policy \"x\" { }\n"
		"}\n"
		"address \"a@b\" { tag = 1e5\n",
		"spambridge.conf:3: unknown option 'lisen'; did you mean 'listen'?\n"
		"spambridge.conf:4: deadline: '20x' is not understood; write a whole number with "
		"ms, s, m, h or d, such as 20s\n"
		"spambridge.conf:5: deadline is set a second time; the first is in line 4, remove "
		"one\n"
		"spambridge.conf:6: '=' is missing; write on_failure = value\n"
		"spambridge.conf:7: user has no value; write one behind '='\n"
		"spambridge.conf:8: log: 'foo' is not known; write one of auto, stderr, syslog, "
		"journal\n"
		"spambridge.conf:10: servers: 'foo' is no server; write unix:/path, "
		"tcp://host:port "
		"or tls://host:port, or http://host:port or https://host:port\n"
		"spambridge.conf:11: servers: 'tcp://x:99999' has no good host and port; write "
		"host:port, IPv6 addresses in brackets\n"
		"spambridge.conf:12: unknown option 'hedge_afer' in scorer; did you mean "
		"'hedge_after'?\n"
		"spambridge.conf:13: max_connections takes one value, not a list; remove the "
		"braces\n"
		"spambridge.conf:15: tag is above reject; put them in the order tag, defer, "
		"quarantine, reject, or switch one off\n"
		"spambridge.conf:16: 'ex ample' is no domain; write \"example.com\", or "
		"\".example.com\" for its sub-domains\n"
		"spambridge.conf:17: section domain has no title; write domain \"title\" { }\n"
		"spambridge.conf:18: section policy takes no title; write policy { }\n"
		"spambridge.conf:19: stray '}'; a setting is written name = value\n"
		"spambridge.conf:20: the section that begins here has no end; close it with '}'\n"
		"spambridge.conf:20: tag: '1e5' is not understood; write a score such as 5.0, or "
		"off\n");
}

static void single_errors_are_told(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{ "", "spambridge.conf: no scorer is configured; add scorer" },
		{ "scorer \"a\" { }", ":1: scorer a has no servers; add servers" },
		{ "scorer \"a\" { servers = {} }", ":1: scorer a has no servers" },
		{ "scorer \"a b\" { servers = { \"tcp://h\" } }",
			":1: 'a b' is no name for a scorer" },
		{ "scorer \"\" { servers = { \"tcp://h\" } }",
			":1: section scorer has an empty title" },
		{ SCORER_LINE SCORER_LINE,
			":2: section scorer sa stands here a second time; the first "
			"is in line 1" },
		{ SCORER_LINE "policy {}\npolicy {}",
			":3: section policy stands here a second time" },
		{ SCORER_LINE "domain \"a.b\" {}\ndomain \"A.B.\" {}",
			":3: 'a.b' is set a second time; the first is at " },
		{ "scorer \"a\" { servers = { \"tcp://h\", \"tcp://h\" } }", "stands there twice" },
		{ "scorer \"a\" { protocol = rspamd servers = { \"tcp://h\" } }",
			":1: servers: 'tcp://h' does not fit the protocol; write "
			"http://host:port" },
		{ "scorer \"a\" { servers = { \"tcp://h\" } trust_action = true }",
			":1: scorer a: trust_action belongs to protocol = rspamd; remove it" },
		{ "scorer \"a\" { protocol = rspamd servers = { \"http://h\" } user = recipient }",
			":1: scorer a: user belongs to protocol = spamd; remove it" },
		{ "scorer \"a\" { protocol = rspamd servers = { \"http://h\" } score = \"/x\" }",
			":1: scorer a: score belongs to protocol = json; remove it" },
		{ "scorer \"a\" { protocol = json servers = { \"http://h\" } score = \"x\" }",
			":1: score: 'x' is no JSON pointer; begin it with '/'" },
		{ "scorer \"a\" { protocol = json servers = { \"http://h\" } members = { \"a\" } }",
			":1: members: 'a' is no member; write name=value" },
		{ "scorer \"a\" { protocol = json servers = { \"http://h\" } members = { \"a=b\" } "
		  "}",
			":1: scorer a: members need request = json" },
		{ "scorer \"a\" { protocol = json servers = { \"http://h\" } envelope = members }",
			":1: scorer a: envelope = members needs request = json" },
		{ "scorer \"a\" { protocol = json servers = { \"http://h\" } headers = { \"Host\" "
		  "} }",
			":1: headers: 'Host' is no header line; write \"Name: value\"" },
		{ "scorer \"a\" { protocol = json servers = { \"http://h\" } "
		  "headers = { \"content-length: 3\" } }",
			":1: headers: content-length is written by the daemon itself; remove it" },
		{ "scorer \"a\" { protocol = json servers = { \"http://h\" } path = \"x\" }",
			":1: path: 'x' is no path of a URL; begin it with '/'" },
		{ "scorer \"a\" { protocol = json servers = { \"http://h\" } auth_file = \"/none\" "
		  "}",
			":1: auth_file: /none: cannot be opened by user id" },
		{ "scorer \"a\" { servers = { \"http://h\" } }",
			"'http://h' does not fit the protocol" },
		{ "deadline = 5s\nscorer \"a\" {\nservers = { \"tcp://h\" }\nhedge_after = 6s\n}",
			":2: scorer a: hedge_after lies behind the deadline" },
		{ "scorer \"a\" { servers = { \"tls://h\" } cert_file = \"/x\" }",
			"cert_file and key_file belong together" },
		{ "listen = \"unix:/a\"\ncontrol = \"/a\"\n" SCORER_LINE,
			":2: control is the same socket as listen" },
		{ "include(\"/etc/passwd\")", ":1: include is not supported" },
		{ "user = \"${USER}\"", ":1: environment variables are not filled in" },
		{ "user = ${USER}", ":1: environment variables are not filled in" },
		{ "user = \"a", ":1: the string that begins here has no end" },
		{ "user = 'a\nlog = x'", ":1: the string that begins here has no end" },
		{ "\n\n/* x", ":3: the comment that begins here has no end" },
		{ "user = \"a\\n\"", ":1: only \\\" and \\\\ are escapes here" },
		{ "user = \"a\001\"", ":1: a control byte stands in this string" },
		{ "user = a\001", ":1: control byte 0x01 in the text" },
		{ "user = a * b", ":1: stray '*'" },
		{ "policy|tag = 5", ":1: unknown option 'policy|tag'" },
		{ "= 5", ":1: stray '='" },
		{ "deadline += 5s", ":1: stray '+'" },
		{ "trusted_networks = { 1.2.3.4 5.6.7.8 }",
			":1: trusted_networks: ',' or '}' is "
			"missing" },
		{ "trusted_networks = { , }", ":1: trusted_networks: a value or '}' is missing" },
		{ "trusted_networks = { 1.2.3.4\nlog = auto\n", "trusted_networks: ',' or '}'" },
		{ "address \"x\" { }", ":1: 'x' is no address" },
		{ "policy tag = 5", ":1: section policy takes no title" },
		{ "policy", ":1: '{' is missing; write policy { }" },
		{ "domain \"x\"", ":1: '{' is missing; write domain \"title\" { }" },
		{ "deadline = 281s", ":1: deadline: 281s is out of range; write 100ms to 280s" },
		{ "domain_table = \"/nonexistent/x\"\n" SCORER_LINE, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refused_with(rows[i].text, rows[i].part);
}

static void an_error_does_not_spoil_the_next_load(void **state)
{
	struct settings *settings;

	(void)state;
	/* libConfuse keeps the state of an unfinished string; it must never see one. */
	refused_with("user = \"a", "has no end");
	settings = load_good(SCORER_LINE "user = daemon\n");
	assert_string_equal(settings->user, "daemon");
	settings_free(&settings);
	refused_with("/* a", "has no end");
	settings = load_good(SCORER_LINE);
	settings_free(&settings);
}

static void too_many_errors_end_the_list(void **state)
{
	struct strlist errors = { 0 };
	struct buf text;

	(void)state;
	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < 20000; i++)
		buf_puts(&text, "x = y\n");
	assert_null(load_text(&file, buf_text(&text), &errors));
	assert_int_equal(errors.count, 101);
	assert_non_null(strstr(errors.items[100], "too many errors"));
	strlist_free(&errors);
	buf_free(&text);
}

/* libConfuse's scanner alone takes minutes for these; the test does not measure, it ends. */
static void long_texts_take_no_time(void **state)
{
	static const struct {
		const char *begin;
		char repeated;
		const char *end;
	} rows[] = { { "", ' ', "x" }, { "", 'a', "" }, { "user = ", 'a', "" }, { "#", '#', "\nx" },
		{ "user = \"", ' ', "\"" }, { "x = {", '{', "" }, { "/*", ' ', "*/ x" },
		{ "scorer x { y", '\t', "}" } };
	enum { LENGTH = 8 * 1024 * 1024 };
	struct buf text;

	(void)state;
	buf_init(&text, LENGTH + 100);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strlist errors = { 0 };

		buf_clear(&text);
		buf_puts(&text, rows[i].begin);
		assert_true(buf_reserve(&text, LENGTH + 50));
		memset(text.data + text.length, rows[i].repeated, LENGTH);
		text.length += LENGTH;
		buf_puts(&text, rows[i].end);
		assert_null(settings_parse("text", text.data, text.length, &errors));
		assert_true(errors.count > 0);
		strlist_free(&errors);
	}
	buf_free(&text);
}

static void nul_bytes_hide_nothing(void **state)
{
	static const char text[] = SCORER_LINE "\0 deadline = 5s\n";
	struct strlist errors = { 0 };

	(void)state;
	write_file(file.path, text, sizeof(text) - 1);
	assert_null(settings_load(file.path, &errors));
	assert_non_null(strstr(errors.items[0], ":2: control byte 0x00 in the text"));
	strlist_free(&errors);
}

static void expect_refusal(const char *path, const char *part)
{
	struct strlist errors = { 0 };

	assert_null(settings_load(path, &errors));
	assert_int_equal(errors.count, 1);
	if (strstr(errors.items[0], part) == NULL)
		fail_msg("%s", errors.items[0]);
	strlist_free(&errors);
}

static void unsafe_files_are_refused_with_the_remedy(void **state)
{
	struct settings *settings = load_good(SCORER_LINE);
	char command[256];

	(void)state;
	settings_free(&settings);
	assert_int_equal(chmod(file.path, 0620), 0);
	snprintf(command, sizeof(command), "written by its group; run: chmod go-w '%s'", file.path);
	expect_refusal(file.path, command);
	assert_int_equal(chmod(file.path, 0602), 0);
	expect_refusal(file.path, "written by everybody; run: chmod go-w");
	assert_int_equal(chmod(file.path, 0644), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(file.path, 12345, (gid_t)-1), 0);
		expect_refusal(file.path,
			"belongs to user id 12345, who could change it; run: chown "
			"root");
	}
	unlink(file.path);
	expect_refusal(file.path, "does not exist");
	expect_refusal(file.directory, "is no regular file");
	assert_int_equal(mkfifo(file.path, 0600), 0);
	expect_refusal(file.path, "is no regular file");
	unlink(file.path);
	expect_refusal("/dev/zero", "is no regular file");
}

static void links_are_followed(void **state)
{
	struct strlist errors = { 0 };
	struct settings *settings;

	(void)state;
	write_file(file.table, SCORER_LINE, strlen(SCORER_LINE));
	unlink(file.path);
	assert_int_equal(symlink(file.table, file.path), 0);
	settings = settings_load(file.path, &errors);
	assert_non_null(settings);
	settings_free(&settings);
	unlink(file.path);
}

static void huge_files_are_refused(void **state)
{
	int fd;

	(void)state;
	write_file(file.path, "", 0);
	fd = open(file.path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 17 * 1024 * 1024), 0);
	close(fd);
	expect_refusal(file.path, "is larger than 16777216 bytes");
}

/* What is printed loads again and prints the same. */
static void printed_settings_load_again(void **state)
{
	struct settings *settings = load_good(
		"listen = \"inet6:8891@[::1]\" deadline = 1500ms on_failure = tempfail\n"
		"trusted_networks = { 10.0.0.0/8, ::1 } late_verdicts = off\n"
		"scorer \"a\" { servers = { \"tls://[::1]:784\", \"unix:/run/s\" } "
		"hedge_after = 1s\n"
		" user = \"recipient\" ca_file = \"/etc/x \\\"y\\\".pem\" }\n"
		"scorer \"b\" { servers = { \"tcp://h\" } hedge_after = off }\n"
		"policy { tag = -0.125 reject_text = \"a \\\\ \\\"b\\\" %{id}\" }\n"
		"domain \"B\xc3\x9c"
		"CHER.example\" { tag = off }\n"
		"address \"\\\"a \\\\\\\"b\\\"@example.com\" { reject = 7.25 on_failure "
		"= accept }\n"
		"outbound { scan = yes reject = 8 }\n"
		"sender \"a.example\" { reject = 3 } sender \"x@a.example\" { tag = off }\n"
		"domain \"lists.example\" { accept_senders = { } accept_clients = "
		"{ 10.0.0.0/8, \"::1\" } accept_recipients = { \"A@\" } }\n");
	struct buf first, second;

	(void)state;
	buf_init(&first, 1 << 20);
	buf_init(&second, 1 << 20);
	assert_true(settings_print(settings, &first));
	settings_free(&settings);
	settings = load_good(buf_text(&first));
	assert_true(settings_print(settings, &second));
	assert_string_equal(buf_text(&first), buf_text(&second));
	assert_non_null(strstr(buf_text(&first), "deadline = 1500ms\n"));
	assert_non_null(strstr(buf_text(&first), "late_verdicts = off\n"));
	assert_non_null(strstr(buf_text(&first), "\taccept_senders = { }\n"));
	assert_non_null(strstr(buf_text(&first), "\taccept_recipients = { \"a@\" }\n"));
	assert_non_null(strstr(buf_text(&first), "\ttag = -0.125\n"));
	assert_non_null(strstr(buf_text(&first), "domain \"xn--bcher-kva.example\" {\n"));
	settings_free(&settings);
	buf_free(&first);
	buf_free(&second);
}

/* A configuration that names the test's domain table. */
static struct settings *load_table(const char *table, struct strlist *errors)
{
	struct settings *settings;
	struct buf text;

	write_file(file.table, table, strlen(table));
	buf_init(&text, 10000);
	buf_printf(&text,
		"domain_table = \"%s\"\n" SCORER_LINE "domain \"section.example\" { tag = 1 }\n",
		file.table);
	settings = load_text(&file, buf_text(&text), errors);
	buf_free(&text);
	return settings;
}

static void a_domain_table_sets_policies(void **state)
{
	struct strlist errors = { 0 };
	struct settings *settings = load_table(
		"# domains\n"
		"\n"
		"Example.com tag=4 reject=off on_failure=tempfail  # good\n"
		"  .example.com\ttag=3#near\r\n"
		"lists.example accept_senders=a@b.example,.c.example accept_clients=10.0.0.0/8\n"
		"user@example.com reject_text=\"no \\\"way\\\"\" tag=2\n"
		"\"a b\"@example.com tag=1.5\n"
		"plain.example\n"
		"last.example tag=off",
		&errors);
	struct policy_fields fields;

	(void)state;
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.items[i]);
	assert_non_null(settings);
	assert_int_equal(policy_index_count(settings->index), 8);
	policy_lookup(settings, "x@lists.example", &fields);
	assert_string_equal(fields.accept_senders->next->name, ".c.example");
	assert_non_null(fields.accept_clients);
	assert_null(fields.accept_recipients);
	policy_lookup(settings, "x@example.com", &fields);
	assert_int_equal(fields.tag, 4000);
	assert_int_equal(fields.reject, THRESHOLD_OFF);
	assert_int_equal(fields.on_failure, ON_FAILURE_TEMPFAIL);
	assert_int_equal(fields.origins[POLICY_TAG].line, 3);
	assert_string_equal(fields.origins[POLICY_TAG].file, file.table);
	policy_lookup(settings, "x@sub.example.com", &fields);
	assert_int_equal(fields.tag, 3000);
	policy_lookup(settings, "User@example.com", &fields);
	assert_string_equal(fields.reject_text, "no \"way\"");
	policy_lookup(settings, "\"a b\"@example.com", &fields);
	assert_int_equal(fields.tag, 1500);
	policy_lookup(settings, "x@last.example", &fields);
	assert_int_equal(fields.tag, THRESHOLD_OFF);
	settings_free(&settings);
}

static void errors_in_a_domain_table_have_lines(void **state)
{
	static const struct {
		const char *table, *error;
	} rows[] = {
		{ "a.b tag=x", "domains:1: tag: 'x' is not understood" },
		{ "\n\na..b tag=1", "domains:3: no domain or address begins this line" },
		{ "a.b teg=1", "domains:1: unknown option 'teg'; did you mean 'tag'?" },
		{ "a.b accept_senders=a..b", "domains:1: accept_senders: 'a..b' is no address" },
		{ "a.b scan=1", "domains:1: unknown option 'scan'" },
		{ "a.b deadline=1s",
			"domains:1: unknown option 'deadline'; see spambridge.conf(5)" },
		{ "a.b tag", "domains:1: write option=value" },
		{ "a.b tag = 5", "domains:1: write option=value" },
		{ "a.b tag=", "domains:1: write option=value" },
		{ "a.b =5", "domains:1: write option=value" },
		{ "a.b reject_text=\"x", "domains:1: write option=value" },
		{ "a.b reject_text=\"x\"y", "domains:1: write option=value" },
		{ "a.b tag=1 tag=2", "domains:1: tag is set a second time" },
		{ "a.b tag=9 reject=8", "domains:1: tag is above reject" },
		{ "a.b\nA.B.", "domains:2: 'a.b' is set a second time; the first is at " },
		{ "section.example", "domains:1: 'section.example' is set a second time" },
		{ "a.b tag=1\001", "domains:1: a control byte stands in this line" },
		{ "user@ tag=1", "domains:1: no domain or address begins this line" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strlist errors = { 0 };

		assert_null(load_table(rows[i].table, &errors));
		assert_int_equal(errors.count, 1);
		if (strstr(errors.items[0], rows[i].error) == NULL)
			fail_msg("%s: %s", rows[i].table, errors.items[0]);
		strlist_free(&errors);
	}
}

static struct settings *load_aliases(const char *table, struct strlist *errors)
{
	struct settings *settings;
	struct buf text;

	write_file(file.table, table, strlen(table));
	buf_init(&text, 10000);
	buf_printf(&text, "alias_table = \"%s\"\n" SCORER_LINE "domain \"b.example\" { tag = 1 }\n",
		file.table);
	settings = load_text(&file, buf_text(&text), errors);
	buf_free(&text);
	return settings;
}

static void aliases_stand_for_mailboxes(void **state)
{
	static const struct {
		const char *address, *mailbox; /* NULL: itself */
		unsigned line;
	} rows[] = {
		{ "Sales@A.example", "ann@b.example", 2 },
		{ "sales+x@a.example", "ann@b.example", 2 },
		{ "sales+vip@a.example", "vip@b.example", 3 },
		{ "other+x@a.example", "other+x@c.example", 4 },
		{ "\"a @b\"@a.example", "\"a @b\"@c.example", 4 },
		{ "x@sub.a.example", NULL, 0 },
		{ "chain@d.example", "sales@a.example", 5 }, /* one step only */
		{ "x@b\xc3\xbc"
		  "cher.example",
			"x@b.example", 6 },
		{ "nobody", NULL, 0 },
		{ "", NULL, 0 },
	};
	struct strlist errors = { 0 };
	struct settings *settings = load_aliases("# aliases\n"
						 "sales@a.example\tAnn@B.example # sales\n"
						 "sales+vip@a.example vip@b.example\n"
						 "a.example c.example\n"
						 "chain@d.example sales@a.example\n"
						 "b\xc3\xbc"
						 "cher.example b.example",
		&errors);
	struct policy_fields fields;
	struct mailbox mailbox;

	(void)state;
	assert_non_null(settings);
	assert_int_equal(alias_table_count(settings->aliases), 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		policy_mailbox(settings, rows[i].address, &mailbox);
		assert_int_equal(mailbox.line, rows[i].line);
		assert_string_equal(mailbox.address,
			rows[i].mailbox != NULL ? rows[i].mailbox : rows[i].address);
	}
	policy_lookup(settings, "sales@a.example", &fields);
	assert_int_equal(fields.tag, 1000);
	policy_lookup(settings, "chain@d.example", &fields);
	assert_int_equal(fields.tag, 5000);
	settings_free(&settings);
}

static void errors_in_an_alias_table_have_lines(void **state)
{
	static const struct {
		const char *table, *error;
	} rows[] = {
		{ "a@b.example", "domains:1: write an alias and its mailbox" },
		{ "\na@b.example c@d.example e@f.example", "domains:2: write an alias" },
		{ "a@b.example tag=3", "domains:1: an address stands for an address" },
		{ "a@b.example d.example", "domains:1: an address stands for an address" },
		{ "b.example c@d.example", "domains:1: an address stands for an address" },
		{ ".b.example d.example", "domains:1: write an alias" },
		{ "b.example .d.example", "domains:1: write an alias" },
		{ "a@b.c d@e.f\nA@B.c g@h.i",
			"domains:2: 'a@b.c' is set a second time; the first "
			"is in line 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strlist errors = { 0 };
		struct settings *settings = load_aliases(rows[i].table, &errors);

		assert_null(settings);
		assert_int_equal(errors.count, 1);
		if (strstr(errors.items[0], rows[i].error) == NULL)
			fail_msg("%s", errors.items[0]);
		strlist_free(&errors);
	}
}

static void an_unsafe_table_is_refused(void **state)
{
	struct strlist errors = { 0 };
	struct settings *settings = load_table("a.b tag=1\n", &errors);

	(void)state;
	settings_free(&settings);
	assert_int_equal(chmod(file.table, 0666), 0);
	assert_null(settings_load(file.path, &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(
		strstr(errors.items[0], "domains: may be written by everybody; run: chmod"));
	strlist_free(&errors);
	unlink(file.table);
	assert_null(settings_load(file.path, &errors));
	assert_non_null(strstr(errors.items[0], "domains: the file does not exist"));
	strlist_free(&errors);
}

static void *share(void *argument)
{
	struct settings *settings = argument;

	for (unsigned i = 0; i < 2000; i++) {
		struct settings *mine = settings_ref(settings);

		if (mine->deadline_ms != 20000)
			abort();
		settings_free(&mine);
	}
	settings_free(&settings);
	return NULL;
}

static void snapshots_are_shared_by_threads(void **state)
{
	struct settings *settings = load_good(SCORER_LINE);
	pthread_t threads[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, share, settings_ref(settings)), 0);
	settings_free(&settings);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void *load_and_free(void *argument)
{
	for (unsigned i = 0; i < 20; i++) {
		struct strlist errors = { 0 };
		struct settings *settings = settings_load(argument, &errors);

		if (settings == NULL)
			abort();
		settings_free(&settings);
	}
	return NULL;
}

static void loads_take_turns(void **state)
{
	struct settings *settings = load_good(SCORER_LINE "user = \"a_quoted_user\"\n");
	pthread_t threads[4];

	(void)state;
	settings_free(&settings);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load_and_free, file.path), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/* The n-th allocation and all later ones fail, for every n until a load succeeds. */
static void lack_of_memory_is_an_error(void **state)
{
	struct strlist errors = { 0 };
	struct settings *settings = load_table("a.b tag=1 reject_text=\"x\"\nc.d\n", &errors);
	long needed = 0;

	(void)state;
	assert_non_null(settings);
	settings_free(&settings);
	while (settings == NULL) {
		allocations_left = ++needed;
		settings = settings_load(file.path, &errors);
		allocations_left = -1;
		assert_true(settings != NULL || needed < 100000);
		for (size_t i = 0; settings == NULL && i < errors.count; i++)
			if (strstr(errors.items[i], "memory") == NULL)
				fail_msg("allocation %ld: %s", needed, errors.items[i]);
		strlist_free(&errors);
	}
	assert_true(needed > 50);
	assert_int_equal(policy_index_count(settings->index), 3);
	settings_free(&settings);
}

static void whole_messages_are_needed_only_for_the_quarantine(void **state)
{
	struct settings *settings = load_good(SCORER_LINE);

	(void)state;
	assert_false(settings_need_whole_message(settings));
	settings->oversize = OVERSIZE_QUARANTINE;
	assert_true(settings_need_whole_message(settings));
	settings->oversize = OVERSIZE_HEAD;
	settings->policy.quarantine = 8000;
	assert_true(settings_need_whole_message(settings));
	settings->policy.quarantine = THRESHOLD_OFF;
	settings->outbound.fields.set |= 1u << POLICY_ON_FAILURE;
	settings->outbound.fields.on_failure = ON_FAILURE_QUARANTINE;
	assert_true(settings_need_whole_message(settings));
	settings_free(&settings);
}

/* One policy for all, and yet one recipient's score refuses what another one gets. */
static void several_users_need_whole_messages(void **state)
{
	static const char form[] = "scorer \"sa\" { servers = { \"tcp://127.0.0.1:783\" } %s }\n";
	static const struct {
		const char *options;
		bool differ;
	} rows[] = {
		{ "", false },
		{ "user = \"fixed\"", false },
		{ "user = recipient", true },
		{ "user = domain", true },
		{ "user = recipient max_users_per_message = 1", false },
	};
	unsigned long long plain = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct settings *settings;
		char text[200];

		snprintf(text, sizeof(text), form, rows[i].options);
		settings = load_good(text);
		if (i == 0)
			plain = settings_descriptors_needed(settings);
		assert_int_equal(settings_need_whole_message(settings), rows[i].differ);
		assert_int_equal(settings_descriptors_needed(settings),
			plain + (rows[i].differ ? settings->max_sessions : 0));
		settings_free(&settings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_suit_a_small_mail_server),
		cmocka_unit_test(values_may_stand_bare_or_quoted),
		cmocka_unit_test(an_empty_list_is_not_the_default),
		cmocka_unit_test(on_failure_at_the_top_is_the_policy_default),
		cmocka_unit_test(all_errors_are_told_with_their_lines),
		cmocka_unit_test(single_errors_are_told),
		cmocka_unit_test(an_error_does_not_spoil_the_next_load),
		cmocka_unit_test(too_many_errors_end_the_list),
		cmocka_unit_test(long_texts_take_no_time),
		cmocka_unit_test(nul_bytes_hide_nothing),
		cmocka_unit_test(unsafe_files_are_refused_with_the_remedy),
		cmocka_unit_test(links_are_followed),
		cmocka_unit_test(huge_files_are_refused),
		cmocka_unit_test(printed_settings_load_again),
		cmocka_unit_test(a_domain_table_sets_policies),
		cmocka_unit_test(errors_in_a_domain_table_have_lines),
		cmocka_unit_test(aliases_stand_for_mailboxes),
		cmocka_unit_test(errors_in_an_alias_table_have_lines),
		cmocka_unit_test(an_unsafe_table_is_refused),
		cmocka_unit_test(snapshots_are_shared_by_threads),
		cmocka_unit_test(loads_take_turns),
		cmocka_unit_test(lack_of_memory_is_an_error),
		cmocka_unit_test(whole_messages_are_needed_only_for_the_quarantine),
		cmocka_unit_test(several_users_need_whole_messages),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
