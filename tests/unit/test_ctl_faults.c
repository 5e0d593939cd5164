/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tool makes of texts (log lines, other filters' options, message files, lists of Postfix)
 * when there is no memory for it, and of odd ones: the whole, or a failure (F17).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_file.h"
#include "ctl/log_line.h"
#include "ctl/message_file.h"
#include "ctl/migration.h"
#include "ctl/milter_list.h"
#include "ctl/story.h"
#include "ctl/what_if.h"
#include "ctl/words.h"
#include "faults.h"

#define TEXT_SIZE 65536

/* A text that is made from another one. */
struct work {
	bool (*make)(const char *from, struct buf *out);
	const char *from;
	char whole[TEXT_SIZE]; /* what comes of it when nothing fails */
	struct buf out;
};

static bool run_work(void *context)
{
	struct work *work = context;

	buf_init(&work->out, TEXT_SIZE - 1);
	return work->make(work->from, &work->out) && !work->out.failed;
}

/* Half a result that is called good is what must not be. */
static void expect_whole(void *context, bool good, const struct fault_report *report)
{
	struct work *work = context;

	if (report->failed == 0)
		snprintf(work->whole, TEXT_SIZE, "%s", buf_text(&work->out));
	if (good)
		fault_expect(strcmp(buf_text(&work->out), work->whole) == 0);
	buf_free(&work->out);
}

/* Returns what comes of it; valid until the next call. */
static const char *sweep(bool (*make)(const char *from, struct buf *out), const char *from)
{
	static struct work work;
	struct fault_trial trial = { NULL, run_work, expect_whole, NULL, &work, true, false };

	work = (struct work){ .make = make, .from = from };
	assert_true(fault_sweep(&trial) > 0);
	return work.whole;
}

static void put_list(const struct strlist *list, struct buf *out)
{
	for (size_t i = 0; i < list->count; i++)
		buf_printf(out, "%s|", list->items[i]);
}

static bool split(const char *from, struct buf *out)
{
	struct strlist words = { 0 };
	bool good = words_split(from, &words);

	put_list(&words, out);
	strlist_free(&words);
	return good;
}

static bool assign(const char *from, struct buf *out)
{
	struct strlist variables = { 0 };
	bool good = defaults_read(from, &variables);

	put_list(&variables, out);
	strlist_free(&variables);
	return good;
}

static void words_are_those_of_a_shell(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "a  'b c'\t\"d \\\" e\"", "a|b c|d \" e|" },
		{ "a\\ b c\\\nd", "a b|cd|" },
		{ "\"a\\b\" \"c\\\\\" \"d\\$e\"", "a\\b|c\\|d$e|" },
		{ "'a\\' b", "a\\|b|" },
		{ "\"it's\" '\"'", "it's|\"|" },
		{ "$HOME a\\", "$HOME|a\\|" },
	};
	static const struct {
		const char *text, *variables;
	} scripts[] = {
		{ "A=1\nB=\"$A 2\"; C=3\n", "A|1|B|1 2|C|3|" },
		{ "A=1\nA+=2\nB=${A}x$AB$A\n", "A|1|A|12|B|12x12|" },
		{ "export A='$B'\nnonsense\n# A=2\n", "A|$B|" },
		{ "AB=1\nA=2\nC=$A$AB\n", "AB|1|A|2|C|21|" },
		{ "A=${B\nB=$\nC=\"\\$A\"\n", "A|${B|B|$|C|$A|" },
		{ "A=1 command\nB=2&&x\n", "A|1|B|2|" },
	};
	struct strlist words = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(sweep(split, rows[i].text), rows[i].words);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		assert_string_equal(sweep(assign, scripts[i].text), scripts[i].variables);
	assert_false(words_split("a 'b", &words));
	assert_false(words_split("\"", &words));
	strlist_free(&words);
}

static bool tell(const char *from, struct buf *out)
{
	struct strlist sentences = { 0 };
	struct log_line line;
	bool good = log_line_parse(from, &line) && story_tell(&line, &sentences);

	put_list(&sentences, out);
	strlist_free(&sentences);
	log_line_free(&line);
	return good;
}

static void stories_tell_all_of_a_line(void **state)
{
	static const struct {
		const char *line, *part;
	} rows[] = {
		{ "id=4X from=<> to=3,a@b reason=score action=tag score=7.0 required=5.0"
		  " rule=tag:/etc/s.conf:12 tests=A(1.5),B",
			"It reached tag = 5.0, set at /etc/s.conf:12." },
		{ "id=4X reason=score action=pass score=-1.0 required=5.0 rule=tag:default",
			"It stayed below tag = 5.0, set by default." },
		{ "id=4X reason=score action=pass score=odd required=5.0 rule=tag:default",
			"It stayed below" },
		{ "id=4X reason=score action=pass score=5.0 required=odd rule=tag:default",
			"It stayed below" },
		{ "id=4X reason=score action=pass score=1.0 required=off rule=tag:default",
			"No threshold counted: tag = off, set by default." },
		{ "id=4X reason=accepted action=pass score=9.0 required=5.0"
		  " rule=accept_senders",
			"What decided is accept_senders, set by default." },
		{ "id=4X reason=score action=pass score=9.0 required=5.0",
			"The threshold that counted was 5.0." },
		{ "id=4X reason=new-one action=odd server=s scorer=sa",
			"The reason is \"new-one\"." },
		{ "id=4X reason=released action=pass quarantine=17", "It was held there as 17." },
		{ "id=4X reason=score action=pass would=reject score=20",
			"else what is done would be \"reject\"." },
		{ "id=4X to=2,a@b,c reason=score action=quarantine quarantine=17",
			"A copy is in the quarantine as 17." },
		{ "id=4X reason=score action=pass users=a@b:7.2,-:timeout,c@[IPv6:::1]:1.0",
			"Scored for a@b it has 7.2 points." },
		{ "id=4X reason=score action=pass users=a@b:score",
			"Scored for a@b it has score points." },
		{ "id=4X reason=score action=pass to=2,\"a \\\"b\\x41\"@c client=x", "\"bA@c" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strstr(sweep(tell, rows[i].line), rows[i].part) == NULL)
			fail_msg("<<<%s>>> is not in <<<%s>>>", rows[i].part,
				sweep(tell, rows[i].line));
}

static void half_lines_are_none(void **state)
{
	static const char *const rows[] = { "", "id", "id=4X", "id=4X reason=score",
		"id=4X action=pass", "id=4X reason=- action=pass",
		"id=4X reason=score action=pass X=1", "id=4X reason=score action=\"pass",
		"id=4X reason=score action=pass a=\"\\q\"",
		"id=4X reason=score action=pass a=\"\\x4\"", "4X: other text" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct log_line line;

		if (log_line_parse(rows[i], &line))
			fail_msg("%s", rows[i]);
		assert_int_equal(line.keys.count, 0);
		assert_null(line.logged);
	}
}

static void odd_users_end_the_list(void **state)
{
	char long_name[LIMIT_SCORE_USER + 20];
	const char *const rows[] = { "", ",", "a", ":1",
		"a@b:1234567890123456789012345678901234567", long_name };

	(void)state;
	memset(long_name, 'a', sizeof(long_name));
	memcpy(long_name + sizeof(long_name) - 5, "@b:1", 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = rows[i];
		struct logged_user user;

		assert_false(log_line_user(&at, &user));
		assert_ptr_equal(at, rows[i]);
	}
}

static struct settings *settings;

/* What another configuration makes of a line: "DOMAIN was>will|", or why nothing. */
static bool judge_again(const char *from, struct buf *out)
{
	struct what_if what_if;
	struct log_line line;
	bool good = what_if_init(&what_if, settings);

	if (!good)
		return false;
	good = log_line_parse(from, &line) && what_if_judge(&what_if, &line);
	for (size_t i = 0; good && i < what_if.names.count; i++)
		for (size_t pair = 0; pair < WHAT_IF_ACTIONS * WHAT_IF_ACTIONS; pair++)
			if (what_if.domains[i]
					.counts[pair / WHAT_IF_ACTIONS][pair % WHAT_IF_ACTIONS] > 0)
				buf_printf(out, "%s %s>%s|", key_set_get(&what_if.names, i),
					what_if_action(pair / WHAT_IF_ACTIONS),
					what_if_action(pair % WHAT_IF_ACTIONS));
	buf_printf(out, "several %zu, unknown %zu", what_if.several, what_if.unknown);
	log_line_free(&line);
	what_if_free(&what_if);
	return good;
}

static void lines_are_judged_again(void **state)
{
	static const struct {
		const char *line, *outcome;
	} rows[] = {
		{ "id=1 from=s@b.example to=1,a@example.com reason=score action=pass score=7.0",
			"example.com pass>tag|several 0, unknown 0" },
		{ "id=1 from=<> to=1,a@example.com reason=late action=tag score=25.0",
			"example.com tag>reject|several 0, unknown 0" },
		{ "id=1 from=s@ours.example to=1,a@b.example reason=outbound action=tag score=25.0",
			"ours.example tag>pass|several 0, unknown 0" },
		{ "id=1 client=192.0.2.1 to=1,a@b.example reason=score action=odd score=1.0",
			"- other>pass|several 0, unknown 0" },
		{ "id=1 from=s@ client=192.0.2.1 to=1,a@b.example reason=score action=pass score=9",
			"- pass>pass|several 0, unknown 0" },
		{ "id=1 to=1,postmaster reason=timeout action=tempfail",
			"- tempfail>pass|several 0, unknown 0" },
		{ "id=1 to=1,a@example.com reason=score action=pass", "several 0, unknown 1" },
		{ "id=1 to=1,a@example.com reason=score action=pass score=many",
			"several 0, unknown 1" },
		{ "id=1 to=1,a@example.com reason=error action=tempfail", "several 0, unknown 1" },
		{ "id=1 reason=score action=pass score=1.0", "several 1, unknown 0" },
		{ "id=1 to=2,a@b reason=score action=pass score=1.0", "several 1, unknown 0" },
		{ "id=1 to=2,a@b users=a@b:1.0 reason=score action=pass", "several 1, unknown 0" },
		{ "id=1 to=2,a@b users=a@b:1.0,b:2.0 reason=score action=pass",
			"several 1, unknown 0" },
		{ "id=1 to=2,a@b users=a@b:1.0,c@d:odd reason=score action=pass",
			"several 1, unknown 0" },
		{ "id=1 to=2,a@b users=a@b:1.0,c@d:25.0 reason=score action=pass score=1.0",
			"b pass>pass|several 0, unknown 0" },
		{ "id=1 to=2,a@b users=a@b:21.0,c@d:timeout reason=score action=pass score=1.0",
			"b pass>pass|several 0, unknown 0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(sweep(judge_again, rows[i].line), rows[i].outcome) != 0)
			fail_msg("%s\ngave %s", rows[i].line, sweep(judge_again, rows[i].line));
}

/* Options of spamass-milter as a configuration. */
static bool migrate(const char *from, struct buf *out)
{
	struct migration migration = { 0 };
	struct strlist words = { 0 };
	struct err err = ERR_INIT;
	bool good = words_split(from, &words) && migration_read(&migration, &words, &err) == 0 &&
		migration_print(&migration, out);

	put_list(&migration.missing, out);
	migration_free(&migration);
	strlist_free(&words);
	return good;
}

static void options_are_all_carried_over(void **state)
{
	static const struct {
		const char *options, *part;
	} rows[] = {
		{ "-p /run/x.sock -u nobody -e example.com -i 127.0.0.1,10.0.0.1/8 -I -m -r 15 -Q 8"
		  " -R 'no 100% thanks' -b spam@example.com -d misc -- -d a,b -p 783 -t 20 -s 1000",
			"100%% thanks" },
		{ "-B copy@example.com -T a@example.com,b@example.com -x -D h1,h2 -A",
			"copy@example.com" },
		{ "-r -1", "required_score" },
		{ "-r 7 -Q 9", "never reached" },
		{ "-Q 9 -r 10 -b a@example.com", "9.0" },
		{ "-r 5 -c 450 -C 4.7.0", "450 4.7.0" },
		{ "-r 5 -c 450", "450 4.7.1" },
		{ "-r 5 -c 550 -C 4.7.0", "-c and -C" },
		{ "-r many", "not a score" },
		{ "-- -t soon -s 1x", "soon" },
		{ "-- -t 1234567890", "1234567890" },
		{ "-- -U /run/spamd.sock -S -x", "/run/spamd.sock" },
		{ "-- --ssl-ca-file=/c --ssl-cert=/d --ssl-key=/k -S -d ::1", "[::1]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strstr(sweep(migrate, rows[i].options), rows[i].part) == NULL)
			fail_msg("<<<%s>>> is not in <<<%s>>>", rows[i].part,
				sweep(migrate, rows[i].options));
}

/* A message file, field by field. */
static bool read_message(const char *from, struct buf *out)
{
	const struct message_limits limits = { SIZE_MAX, 4096, "/tmp" };
	struct message *message = message_new(&limits);
	FILE *file = fmemopen((void *)from, strlen(from), "r");
	struct err err = ERR_INIT;
	bool good;

	assert_non_null(file);
	good = message != NULL && message_file_read(file, message, &err) == 0;
	if (good && message_error(message) == NULL) {
		const struct header_list *list = message_headers(message);

		for (size_t i = 0; i < list->count; i++)
			buf_printf(out, "%s:%s|", headers_name(list, i), headers_value(list, i));
		buf_printf(out, "%zu", message_size(message));
	} else {
		good = false;
	}
	message_free(&message);
	fclose(file);
	return good;
}

static void message_files_are_read_whole(void **state)
{
	static char large[20000];

	(void)state;
	assert_string_equal(
		sweep(read_message, "Subject: a\n b\nX:\n\nline\n.\n"), "Subject: a\n b|X:|31");
	memset(large, 'x', sizeof(large) - 1);
	memcpy(large, "A: 1\n\n", 6);
	assert_non_null(strstr(sweep(read_message, large), "A: 1|"));
	large[sizeof(large) / 2] = '\n';
	assert_non_null(strstr(sweep(read_message, large), "A: 1|"));
}

static int begin(void **state)
{
	struct config_file file;
	struct strlist errors = { 0 };

	(void)state;
	config_file_begin(&file);
	settings = load_text(&file,
		SCORER_LINE
		"trusted_networks = { \"192.0.2.0/24\" }\npolicy { tag = 5 reject = 20 }\n",
		&errors);
	config_file_end(&file);
	strlist_free(&errors);
	return settings == NULL ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	settings_free(&settings);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_those_of_a_shell),
		cmocka_unit_test(stories_tell_all_of_a_line),
		cmocka_unit_test(half_lines_are_none),
		cmocka_unit_test(odd_users_end_the_list),
		cmocka_unit_test(lines_are_judged_again),
		cmocka_unit_test(options_are_all_carried_over),
		cmocka_unit_test(message_files_are_read_whole),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
