/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log is told of a server: the first failure loudly, the rest counted, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "scorer/server_news.h"

/* Let the counting have begun a period ago. */
static void let_a_period_pass(struct server *server)
{
	server->trouble.repeat.from_us -= REPEAT_PERIOD_US;
}

static enum server_news_kind note(
	struct server *server, enum server_outcome outcome, enum server_change change)
{
	if (change == SERVER_SET_ASIDE)
		server->healthy = false;
	if (change == SERVER_RETURNED)
		server->healthy = true;
	return server_news_note(server, outcome, change, "why").kind;
}

static void odd_messages_are_counted(void **state)
{
	struct server server = { .healthy = true };
	struct server_news news;

	(void)state;
	assert_int_equal(note(&server, SERVER_NONSENSE, SERVER_SAME), NEWS_FAILED);
	for (int i = 0; i < 57; i++) {
		assert_int_equal(note(&server, SERVER_ANSWERED, SERVER_SAME), NEWS_NONE);
		assert_int_equal(note(&server, SERVER_NONSENSE, SERVER_SAME), NEWS_NONE);
	}
	assert_int_equal(server_news_look(&server, false).kind, NEWS_NONE);
	let_a_period_pass(&server);
	news = server_news_look(&server, false);
	assert_int_equal(news.kind, NEWS_REPEATED);
	assert_int_equal(news.count, 57);
	assert_int_equal(news.seconds, 60);
	assert_true(news.healthy);
	assert_string_equal(news.why, "why");
	let_a_period_pass(&server);
	assert_int_equal(server_news_look(&server, false).kind, NEWS_OVER);
	let_a_period_pass(&server);
	assert_int_equal(server_news_look(&server, false).kind, NEWS_NONE);
	assert_int_equal(note(&server, SERVER_BROKEN, SERVER_SAME), NEWS_FAILED);
}

static void an_outage_is_two_lines(void **state)
{
	struct server server = { .healthy = true };

	(void)state;
	assert_int_equal(note(&server, SERVER_REFUSED, SERVER_SET_ASIDE), NEWS_SET_ASIDE);
	/* exchanges that had begun before end as badly */
	assert_int_equal(note(&server, SERVER_UNKNOWN, SERVER_SAME), NEWS_NONE);
	let_a_period_pass(&server);
	assert_int_equal(server_news_look(&server, false).kind, NEWS_NONE);
	assert_int_equal(note(&server, SERVER_UNKNOWN, SERVER_RETURNED), NEWS_ANSWERS);
	let_a_period_pass(&server);
	assert_int_equal(server_news_look(&server, false).kind, NEWS_NONE);
	assert_int_equal(note(&server, SERVER_REFUSED, SERVER_SET_ASIDE), NEWS_SET_ASIDE);
}

static void a_server_that_comes_and_goes_is_counted(void **state)
{
	struct server server = { .healthy = true };
	struct server_news news;

	(void)state;
	assert_int_equal(note(&server, SERVER_SILENT, SERVER_SAME), NEWS_FAILED);
	assert_int_equal(note(&server, SERVER_SILENT, SERVER_SET_ASIDE), NEWS_SET_ASIDE);
	assert_int_equal(note(&server, SERVER_UNKNOWN, SERVER_RETURNED), NEWS_ANSWERS);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(note(&server, SERVER_SILENT, SERVER_SET_ASIDE), NEWS_NONE);
		assert_int_equal(note(&server, SERVER_UNKNOWN, SERVER_RETURNED), NEWS_NONE);
	}
	assert_int_equal(note(&server, SERVER_SILENT, SERVER_SET_ASIDE), NEWS_NONE);
	news = server_news_look(&server, true);
	assert_int_equal(news.kind, NEWS_REPEATED);
	assert_int_equal(news.count, 101);
	assert_false(news.healthy);
	assert_int_equal(note(&server, SERVER_UNKNOWN, SERVER_RETURNED), NEWS_ANSWERS);
	let_a_period_pass(&server);
	assert_int_equal(server_news_look(&server, false).kind, NEWS_OVER);
}

static void a_name_that_was_found_is_said(void **state)
{
	struct server server = { .healthy = false };

	(void)state;
	assert_int_equal(note(&server, SERVER_UNKNOWN, SERVER_SAME), NEWS_NONE);
	assert_int_equal(note(&server, SERVER_UNKNOWN, SERVER_RETURNED), NEWS_ANSWERS);
}

/* What is said goes to the log, and nothing does where there is nothing to say. */
static void each_kind_has_a_line(void **state)
{
	static const struct {
		struct server_news news;
		const char *line;
	} rows[] = {
		{ { .kind = NEWS_NONE }, "" },
		{ { .kind = NEWS_FAILED, .why = "w" }, "warning: scorer sa: server s failed: w\n" },
		{ { .kind = NEWS_SET_ASIDE, .why = "w" },
			"warning: scorer sa: server s is set aside until it answers again: w\n" },
		{ { .kind = NEWS_ANSWERS }, "scorer sa: server s answers\n" },
		{ { .kind = NEWS_REPEATED, .count = 3, .seconds = 60, .healthy = true, .why = "w" },
			"repeated 3 times in 60 s, now it is asked: w\n" },
		{ { .kind = NEWS_REPEATED, .count = 3, .seconds = 60, .why = "w" },
			"repeated 3 times in 60 s, now it is set aside: w\n" },
		{ { .kind = NEWS_OVER }, "scorer sa: server s: no failure for 60 s, it is over\n" },
	};
	const struct scorer_setting scorer = { .name = (char *)"sa" };
	const struct server_setting setting = { .text = (char *)"s" };
	const struct server server = { .scorer = &scorer, .setting = &setting };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int before = dup(STDERR_FILENO), pipe_ends[2];
		char text[500] = "";
		ssize_t got;

		assert_int_equal(pipe(pipe_ends), 0);
		dup2(pipe_ends[1], STDERR_FILENO);
		server_news_say(&server, &rows[i].news);
		dup2(before, STDERR_FILENO);
		close(before);
		close(pipe_ends[1]);
		got = read(pipe_ends[0], text, sizeof(text) - 1);
		close(pipe_ends[0]);
		assert_true(got >= 0);
		if ((got > 0) != (rows[i].line[0] != '\0') || strstr(text, rows[i].line) == NULL)
			fail_msg("row %zu: %s", i, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(odd_messages_are_counted),
		cmocka_unit_test(an_outage_is_two_lines),
		cmocka_unit_test(a_server_that_comes_and_goes_is_counted),
		cmocka_unit_test(a_name_that_was_found_is_said),
		cmocka_unit_test(each_kind_has_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
