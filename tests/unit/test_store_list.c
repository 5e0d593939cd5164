/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of the quarantine, row by row: filters, what ends a list, decoded words. */
#include "quarantine_fixture.h"

#include <fcntl.h>
#include <time.h>

#include "faults.h"
#include "quarantine/list.h"
#include "quarantine/words.h"

static void write_at(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
}

static void filters_choose(void **state)
{
	static const struct {
		struct list_filter filter;
		bool fits;
	} rows[] = {
		{ { .limit = 0 }, true },
		{ { .has_min = true, .min_score = 12345 }, true },
		{ { .has_min = true, .min_score = 12346 }, false },
		{ { .has_max = true, .max_score = 12344 }, false },
		{ { .has_min = true, .has_max = true, .min_score = 1, .max_score = 20000 }, true },
		{ { .domain = "Example.COM" }, true },
		{ { .domain = ".com" }, true },
		{ { .domain = ".example.com" }, false },
		{ { .domain = ".a.very.long.domain.that.no.recipient.is.in.example" }, false },
		{ { .domain = "example.net" }, false },
		{ { .domain = ".net" }, false },
		{ { .to = "ONE@" }, true },
		{ { .to = "three" }, false },
		{ { .from = "SENDER@" }, true },
		{ { .from = "a@example" }, true },
		{ { .from = "nobody" }, false },
		{ { .subject = "HELL" }, true },
		{ { .subject = "=?utf-8" }, true },
		{ { .subject = "nothing" }, false },
		{ { .text = "sender@" }, true },
		{ { .text = "4xyz" }, true },
		{ { .text = "192.0.2.7" }, true },
		{ { .text = "host.example" }, true },
		{ { .text = "the-id@" }, true },
		{ { .text = "A <a@" }, true },
		{ { .text = "hello" }, true },
		{ { .text = "two@example" }, true },
		{ { .text = "nothing" }, false },
		{ { .text = "nothing", .in_message = true }, true },
	};
	struct fixture *fixture = *state;
	struct item item;

	item_init(&item);
	memcpy(item.id, "abcdefghijklmnopqrstuvwxyz", ITEM_ID_SIZE);
	assert_true(client_copy(&item.client, &fixture->client));
	assert_true(envelope_copy(&item.envelope, &fixture->envelope));
	free(item.envelope.sender);
	item.envelope.sender = strdup("sender@example.net");
	item.verdict.status = VERDICT_SCORED;
	item.verdict.score = 12345;
	item.from = strdup("A <a@example.net>");
	item.subject = strdup("=?utf-8?q?hell=6F?=");
	item.message_id = strdup("<the-id@example.net>");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (list_fits(&rows[i].filter, &item) != rows[i].fits)
			fail_msg("row %zu", i);
	assert_true(list_fits(&(struct list_filter){ .text = "abcdefg" }, &item));
	item.verdict.status = VERDICT_TIMEOUT;
	assert_false(list_fits(&(struct list_filter){ .has_max = true }, &item));
	free(item.subject);
	item.subject = NULL;
	assert_false(list_fits(&(struct list_filter){ .subject = "" }, &item));
	item_free(&item);
}

struct visit {
	size_t seen, most, asked;
	bool progress_stops;
};

static bool count_visit(const struct list_line *line, void *context)
{
	struct visit *visit = context;

	(void)line;
	return ++visit->seen < visit->most;
}

static bool progress(size_t done, size_t total, void *context)
{
	struct visit *visit = context;

	visit->asked++;
	return done == total || !visit->progress_stops;
}

static struct visit visit_with(
	struct fixture *fixture, struct list_filter filter, size_t most, bool progress_stops)
{
	struct visit visit = { 0, most, 0, progress_stops };
	struct directory directory;

	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	filter.progress = progress;
	filter.progress_context = &visit;
	assert_int_equal(list_items(&directory, &filter, count_visit, &visit, NULL), 0);
	directory_close(&directory);
	return visit;
}

/* Time, limit, the visitor and the progress end a list; what cannot be read has only a time. */
static void lists_end_early(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	char path[256], needle[40000];
	int64_t now_s = time(NULL);

	memset(needle, 'x', sizeof(needle) - 1);
	needle[sizeof(needle) - 1] = '\0';
	fixture_put(fixture, store);
	fixture_put(fixture, store);
	snprintf(path, sizeof(path),
		"%s/new/1600000000.M000000Qabcdefghijklmnopqrstuvwxyz.spambridge", fixture->path);
	write_at(path);
	assert_int_equal(visit_with(fixture, (struct list_filter){ 0 }, 9, false).seen, 3);
	assert_int_equal(visit_with(fixture, (struct list_filter){ 0 }, 9, false).asked, 4);
	assert_int_equal(visit_with(fixture, (struct list_filter){ 0 }, 9, true).seen, 0);
	assert_int_equal(visit_with(fixture, (struct list_filter){ 0 }, 1, false).seen, 1);
	assert_int_equal(visit_with(fixture, (struct list_filter){ .limit = 2 }, 9, false).seen, 2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .since_s = now_s - 60 }, 9, false).seen,
		2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .before_s = now_s - 60 }, 9, false).seen,
		1);
	assert_int_equal(visit_with(fixture, (struct list_filter){ .to = "@" }, 9, false).seen, 2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .from = "@" }, 9, false).seen, 2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .domain = "example.com" }, 9, false).seen,
		2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .subject = "hello" }, 9, false).seen, 2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .has_min = true }, 9, false).seen, 2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .has_max = true, .max_score = 99999 }, 9,
			false)
			.seen,
		2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .has_state = true }, 9, false).seen, 2);
	assert_int_equal(
		visit_with(fixture,
			(struct list_filter){ .has_state = true, .state = RECIPIENT_RELEASED }, 9,
			false)
			.seen,
		0);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .text = "sender@", .in_message = true },
			9, false)
			.seen,
		2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .text = "sender@" }, 9, false).seen, 2);
	assert_int_equal(
		visit_with(fixture, (struct list_filter){ .text = needle, .in_message = true }, 9,
			false)
			.seen,
		0);
	store_free(&store);
}

static void odd_words_stay_as_they_are(void **state)
{
	static const struct {
		const char *text, *decoded;
	} rows[] = {
		{ "=?utf-8?q?=c3=BC_=x=?=", "\xc3\xbc =x=" },
		{ "=?utf-8?q?=g0=0g=~?=", "=g0=0g=~" },
		{ "=??q?a?=", "=??q?a?=" },
		{ "=?a b?q?a?=", "=?a b?q?a?=" },
		{ "=?*en?q?a?=", "=?*en?q?a?=" },
		{ "=?utf-8//TRANSLIT?q?a?=", "=?utf-8//TRANSLIT?q?a?=" },
		{ "=?a-very-long-name-of-a-character-set-that-nobody-has-ever-heard-of-x?q?a?=",
			"=?a-very-long-name-of-a-character-set-that-nobody-has-ever-heard-of-x?q?a?"
			"=" },
		{ "=?utf-8?b?YQ!!==?=", "a" },
		{ "=?utf-8?b?!?=x", "x" },
		{ "=?utf-8?q?a=ff=?=", "a\xef\xbf\xbd=" },
		{ "=?utf-8?q?\?=", "=?utf-8?q?\?=" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *decoded = words_decode(rows[i].text);

		assert_non_null(decoded);
		assert_string_equal(decoded, rows[i].decoded);
		free(decoded);
	}
}

/* An item that was released while the list was made is left out, without a complaint. */
static bool remove_all(size_t done, size_t total, void *context)
{
	char command[256];

	(void)done;
	(void)total;
	snprintf(command, sizeof(command), "rm -f %s/new/*", (const char *)context);
	return system(command) == 0;
}

static void what_vanishes_is_left_out(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct list_filter filter = { .progress = remove_all, .progress_context = fixture->path };
	struct visit visit = { .most = 9 };
	struct directory directory;

	fixture_put(fixture, store);
	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	assert_int_equal(list_items(&directory, &filter, count_visit, &visit, NULL), 0);
	assert_int_equal(visit.seen, 0);
	directory_close(&directory);
	store_free(&store);
}

/* A word of some length, so that its bytes need memory twice. */
#define LONG_WORD                                                                       \
	"=?utf-8?q?0123456789012345678901234567890123456789012345678901234567890123456" \
	"=C3=BC?= x"
#define LONG_WORD_DECODED \
	"0123456789012345678901234567890123456789012345678901234567890123456\xc3\xbc x"

static bool decode_word(void *context)
{
	char **decoded = context;

	*decoded = words_decode(LONG_WORD);
	return *decoded != NULL && strcmp(*decoded, LONG_WORD_DECODED) == 0;
}

/* Decoded, as it stood, or nothing: never half a word. */
static void check_word(void *context, bool good, const struct fault_report *report)
{
	char **decoded = context;

	fault_expect(good || report->failed > 0);
	fault_expect(good || *decoded == NULL || strcmp(*decoded, LONG_WORD) == 0);
	free(*decoded);
}

static void words_are_decoded_whole(void **state)
{
	char *decoded = NULL;
	struct fault_trial trial = { NULL, decode_word, check_word, NULL, &decoded, true, false };

	(void)state;
	assert_true(fault_sweep(&trial) > 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(filters_choose),
		TEST(lists_end_early),
		TEST(what_vanishes_is_left_out),
		cmocka_unit_test(odd_words_stay_as_they_are),
		cmocka_unit_test(words_are_decoded_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
