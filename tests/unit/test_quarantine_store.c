/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing to the quarantine and reading back: bytes, damage, room, hostile directories. */
#include "quarantine_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "quarantine/list.h"
#include "quarantine/review.h"

static char *slurp(const struct stored *stored, size_t *ret_length)
{
	char *bytes = malloc(stored->item.length + 1);
	long got = stored_read(stored, 0, bytes, stored->item.length);

	assert_int_equal(got, stored->item.length);
	bytes[got] = '\0';
	*ret_length = (size_t)got;
	return bytes;
}

static void expect_message(
	struct fixture *fixture, const char *id, const char *bytes, size_t length)
{
	struct directory directory;
	struct stored stored;
	size_t got = 0;
	char *read;

	assert_int_equal(fixture_open(fixture, id, &directory, &stored), STORED_GOOD);
	assert_int_equal(stored_verify(&stored, NULL), STORED_GOOD);
	read = slurp(&stored, &got);
	assert_int_equal(got, length);
	assert_memory_equal(read, bytes, length);
	free(read);
	stored_close(&stored);
	directory_close(&directory);
}

static void a_message_comes_back_to_the_byte(void **state)
{
	static const char expected[] = "From: A <a@example.net>\r\nSubject: hello\r\n\r\n"
				       "one\r\n.\r\ntwo\r\n";
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct directory directory;
	struct stored stored;
	struct stat status;
	const char *id = fixture_put(fixture, store);

	expect_message(fixture, id, expected, sizeof(expected) - 1);
	assert_int_equal(fixture_open(fixture, id, &directory, &stored), STORED_GOOD);
	assert_string_equal(stored.item.envelope.sender, "sender@example.net");
	assert_int_equal(stored.item.envelope.recipients.count, 2);
	assert_string_equal(stored.item.client.address, "192.0.2.7");
	assert_string_equal(stored.item.envelope.queue_id, "4XYZ");
	assert_string_equal(stored.item.subject, "hello");
	assert_int_equal(stored.item.verdict.score, 12345);
	assert_int_equal(stored.item.verdict.test_count, 2);
	assert_false(stored.item.verdict.tests[1].has_score);
	assert_int_equal(fstat(stored.fd, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640); /* reviewers read, the world does not */
	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0750);
	stored_close(&stored);
	directory_close(&directory);
	store_free(&store);
}

/* Attacks A9, A10, A11: NUL, stray CR and LF, dots, no body; in memory and in a file. */
static void odd_bodies_come_back_to_the_byte(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} bodies[] = { { "", 0 }, { "\0a\0", 3 }, { "\n.\n", 3 }, { "\r.\r\n.\n.\r\r\n", 10 },
		{ "\r\n\r\n", 4 }, { "no end", 6 } };
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);

	for (size_t i = 0; i < 2 * sizeof(bodies) / sizeof(bodies[0]); i++) {
		const char *bytes = bodies[i / 2].bytes;
		size_t length = bodies[i / 2].length;
		char expected[128] = "From: A <a@example.net>\r\nSubject: s\r\n\tt\r\n\r\n";
		size_t head = strlen(expected);

		memcpy(expected + head, bytes, length);
		set_message(fixture, " s\n\tt", bytes, length, i % 2 == 0 ? 1000 : 1);
		expect_message(fixture, fixture_put(fixture, store), expected, head + length);
	}
	store_free(&store);
}

static void a_cut_message_is_not_stored(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct message_limits limits = { 3, 100, fixture->top };
	struct store_request request;
	char id[ITEM_ID_SIZE];
	struct err err = ERR_INIT;

	message_free(&fixture->message);
	fixture->message = message_new(&limits);
	assert_int_equal(message_add_body(fixture->message, "four", 4), MESSAGE_ENOUGH);
	message_seal(fixture->message);
	request = fixture_request(fixture);
	assert_int_equal(store_write(store, &request, id, &err), -1);
	assert_non_null(strstr(err.text, "not kept whole"));
	store_free(&store);
}

/* The path of an item's file. */
static void item_path(struct fixture *fixture, const char *id, char *path, size_t size)
{
	struct directory directory;
	struct stored stored;

	assert_int_equal(fixture_open(fixture, id, &directory, &stored), STORED_GOOD);
	snprintf(path, size, "%s/new/%s", fixture->path, stored.entry.name);
	stored_close(&stored);
	directory_close(&directory);
}

static enum stored_result open_and_verify(struct fixture *fixture, const char *id)
{
	struct directory directory;
	struct stored stored;
	enum stored_result result = fixture_open(fixture, id, &directory, &stored);

	if (result == STORED_GOOD)
		result = stored_verify(&stored, NULL);
	stored_close(&stored);
	directory_close(&directory);
	return result;
}

/* F41: each single bit of an item is covered; each cut and each added byte is noticed. */
static void every_flipped_bit_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	const char *id = fixture_put(fixture, store);
	unsigned missed = 0;
	char path[256], byte;
	struct stat status;
	int fd;

	item_path(fixture, id, path, sizeof(path));
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	for (off_t at = 0; at < status.st_size; at++) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		for (int bit = 0; bit < 8; bit++) {
			char flipped = (char)(byte ^ (1 << bit));

			assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
			missed += open_and_verify(fixture, id) != STORED_DAMAGED;
		}
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(missed, 0);
	assert_int_equal(open_and_verify(fixture, id), STORED_GOOD);
	assert_int_equal(ftruncate(fd, status.st_size + 1), 0);
	assert_int_equal(open_and_verify(fixture, id), STORED_DAMAGED);
	for (off_t size = status.st_size; size-- > 0;) {
		assert_int_equal(ftruncate(fd, size), 0);
		assert_int_equal(open_and_verify(fixture, id), STORED_DAMAGED);
	}
	close(fd);
	store_free(&store);
}

/* Attack A23: by count and by bytes; what others removed makes room again. */
static void room_is_limited(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 2);
	struct store_request request = fixture_request(fixture);
	struct store_view view;
	struct directory directory;
	char id[ITEM_ID_SIZE], first[ITEM_ID_SIZE];
	struct err err = ERR_INIT;

	memcpy(first, fixture_put(fixture, store), sizeof(first));
	fixture_put(fixture, store);
	assert_int_equal(store_write(store, &request, id, &err), -1);
	assert_non_null(strstr(err.text, "full"));
	store_look(store, &view);
	assert_int_equal(view.items, 2);
	assert_int_equal(view.failed, 1);
	assert_int_equal(directory_open(fixture->path, DIRECTORY_WRITE, &directory, &err), 0);
	assert_int_equal(catalogue_remove(&directory, first, &err), 0);
	directory_close(&directory);
	assert_int_equal(store_check(store, true, &err), 0);
	fixture_put(fixture, store);
	store_free(&store);
	store = fixture_store(fixture, view.bytes + 10, 0);
	assert_int_equal(store_write(store, &request, id, &err), -1);
	store_free(&store);
}

/* F22, attack A16: refused with a reason, and nothing is written. */
static void unsafe_directories_are_refused(void **state)
{
	static const struct {
		const char *command, *reason;
	} cases[] = {
		{ "chmod 0777 q", "chmod 0750" },
		{ "chmod 0755 q", "chmod 0750" },
		{ "chmod 0777 .", "parent" },
		{ "mv q r && ln -s r q", "symbolic link" },
		{ "cd q && mv new other && ln -s other new", "new" },
		{ "mv q/new q/gone", "mounted" },
		{ "chmod 0770 q/new", "others may write" },
		{ "rm -r q", "cannot open" },
		{ "rm -r q; touch q", "no directory" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *fixture = *state;
		struct store *store = fixture_store(fixture, 0, 0);
		struct store_request request = fixture_request(fixture);
		char command[512], id[ITEM_ID_SIZE];
		struct err err = ERR_INIT;

		snprintf(command, sizeof(command), "cd %s && %s", fixture->top, cases[i].command);
		assert_int_equal(system(command), 0);
		assert_int_equal(store_write(store, &request, id, &err), -1);
		if (strstr(err.text, cases[i].reason) == NULL)
			fail_msg("%s: %s", cases[i].command, err.text);
		store_free(&store);
		fixture_teardown(state);
		fixture_setup(state);
	}
}

/* Attack A17: whatever lies about with an item's name is no item, and reading never blocks. */
static void strange_files_are_skipped(void **state)
{
	static const char *const commands[] = { "mkfifo", "mkdir", "ln -s /etc/passwd",
		"truncate -s 1T",
		"perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0);"
		" bind(S, sockaddr_un($ARGV[0])) or die'" };
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	char command[512];

	fixture_put(fixture, store);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char id[ITEM_ID_SIZE], name[ITEM_NAME_SIZE];
		struct directory directory;
		struct stored stored;

		assert_int_equal(item_id_new(id, NULL), 0);
		item_name_format(name, id, INT64_C(1700000000000000));
		snprintf(
			command, sizeof(command), "%s %s/new/%s", commands[i], fixture->path, name);
		assert_int_equal(system(command), 0);
		assert_int_equal(fixture_open(fixture, id, &directory, &stored),
			i == 3 ? STORED_DAMAGED : STORED_STRANGE);
		stored_close(&stored);
		directory_close(&directory);
	}
	store_free(&store);
}

/* Attack A16: a second name somewhere lets somebody change an item behind our back. */
static void items_with_two_names_are_strange(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	const char *id = fixture_put(fixture, store);
	struct directory directory;
	struct stored stored;
	char command[256];

	snprintf(command, sizeof(command), "ln %s/new/* %s/other", fixture->path, fixture->top);
	assert_int_equal(system(command), 0);
	assert_int_equal(fixture_open(fixture, id, &directory, &stored), STORED_STRANGE);
	stored_close(&stored);
	directory_close(&directory);
	store_free(&store);
}

/* F39: one reviewer at a time; who comes second finds nothing left. */
static void a_claim_excludes_others(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	const char *id = fixture_put(fixture, store);
	struct directory directory, other;
	struct stored first, second;

	assert_int_equal(fixture_open(fixture, id, &directory, &first), STORED_GOOD);
	assert_int_equal(fixture_open(fixture, id, &other, &second), STORED_GOOD);
	assert_int_equal(stored_claim(&first, NULL), STORED_GOOD);
	assert_int_equal(stored_claim(&second, NULL), STORED_TAKEN);
	assert_int_equal(stored_remove(&directory, &first, NULL), 0);
	stored_close(&first);
	assert_int_equal(stored_claim(&second, NULL), STORED_GONE);
	stored_close(&second);
	directory_close(&directory);
	directory_close(&other);
	store_free(&store);
}

static void reviews_are_kept(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	const char *id = fixture_put(fixture, store);
	struct directory directory;
	struct stored stored;
	struct review review;
	struct err err = ERR_INIT;
	char command[256];

	assert_int_equal(fixture_open(fixture, id, &directory, &stored), STORED_GOOD);
	assert_int_equal(review_read(&directory, &stored.item, &review, &err), 0);
	assert_int_equal(review_summary(&review), RECIPIENT_HELD);
	assert_true(review_set(&review, 1, RECIPIENT_RELEASED, "a b%\n\xff", "250 2.0.0 Ok"));
	assert_int_equal(review_write(&directory, &stored.item, &review, &err), 0);
	review_free(&review);
	assert_int_equal(review_read(&directory, &stored.item, &review, &err), 0);
	assert_int_equal(review.lines[0].state, RECIPIENT_HELD);
	assert_int_equal(review.lines[1].state, RECIPIENT_RELEASED);
	assert_string_equal(review.lines[1].by, "a b%\n\xff");
	assert_string_equal(review.lines[1].note, "250 2.0.0 Ok");
	assert_int_equal(review_summary(&review), RECIPIENT_HELD);
	assert_true(review_set(&review, 0, RECIPIENT_RELEASED, "x", ""));
	assert_int_equal(review_summary(&review), RECIPIENT_RELEASED);
	review_free(&review);
	snprintf(command, sizeof(command), "echo 7 released 1 x y > %s/review/%s", fixture->path,
		id);
	assert_int_equal(system(command), 0);
	assert_int_equal(review_read(&directory, &stored.item, &review, &err), -1);
	assert_non_null(strstr(err.text, "damaged"));
	stored_close(&stored);
	directory_close(&directory);
	store_free(&store);
}

static int write_by(struct store *store, const struct store_request *request, int64_t ms,
	char ret_id[ITEM_ID_SIZE], struct err *err)
{
	const struct errand_patience patience = { deadline_after_ms(ms), { NULL, NULL } };

	return store_write_within(store, request, &patience, ret_id, err);
}

struct writer {
	struct fixture *fixture;
	struct store *store;
	unsigned written;
};

static void *write_many(void *context)
{
	struct writer *writer = context;
	struct store_request request = fixture_request(writer->fixture);
	char id[ITEM_ID_SIZE];

	for (int i = 0; i < 250; i++)
		writer->written += write_by(writer->store, &request, 60000, id, NULL) == 0;
	return NULL;
}

static bool count_good(const struct list_line *line, void *context)
{
	size_t *count = context;

	*count += line->result == STORED_GOOD && stored_verify(line->stored, NULL) == STORED_GOOD;
	return true;
}

/* Trap 75: a thousand at once, with the same queue id, and each is there. */
static void a_thousand_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct writer writer[4];
	pthread_t threads[4];
	struct store *store = fixture_store(fixture, 0, 0);
	struct list_filter filter = { .limit = 0 };
	struct directory directory;
	struct store_view view;
	size_t good = 0;

	for (int i = 0; i < 4; i++) {
		writer[i] = (struct writer){ fixture, store, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writer[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(writer[i].written, 250);
	}
	store_look(store, &view);
	assert_int_equal(view.items, 1000);
	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	assert_int_equal(list_items(&directory, &filter, count_good, &good, NULL), 0);
	assert_int_equal(good, 1000);
	directory_close(&directory);
	store_free(&store);
}

static size_t good_items(struct fixture *fixture)
{
	struct list_filter filter = { .limit = 0 };
	struct directory directory;
	size_t good = 0;

	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	assert_int_equal(list_items(&directory, &filter, count_good, &good, NULL), 0);
	directory_close(&directory);
	return good;
}

/* F38: what was answered with failure is gone in the end, what was answered with success stays. */
static void nothing_is_left_after_the_deadline(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct store_request request = fixture_request(fixture);
	struct deadline patience = deadline_after_ms(20000);
	struct store_view view;
	char id[ITEM_ID_SIZE];
	size_t stored = 0;

	for (int i = 0; i < 300; i++) {
		struct err err = ERR_INIT;

		if (write_by(store, &request, i % 2, id, &err) == 0)
			stored++;
		else
			assert_non_null(strstr(err.text, "too slow"));
	}
	store_look(store, &view);
	assert_int_equal(view.abandoned, 300 - stored);
	assert_int_equal(view.written, stored);
	while (good_items(fixture) != stored && !deadline_passed(patience))
		usleep(10000);
	assert_int_equal(good_items(fixture), stored);
	store_look(store, &view);
	assert_int_equal(view.items, stored);
	store_free(&store);
}

static bool note_subject(const struct list_line *line, void *context)
{
	char *seen = context;

	assert_int_equal(line->result, STORED_GOOD);
	strncat(seen, line->stored->item.subject, 8);
	return true;
}

static const char *listed(struct fixture *fixture, const struct list_filter *filter)
{
	static char seen[256];
	struct directory directory;

	seen[0] = '\0';
	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	assert_int_equal(list_items(&directory, filter, note_subject, seen, NULL), 0);
	directory_close(&directory);
	return seen;
}

static void lists_are_filtered_newest_first(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);

	set_message(fixture, " 1", "needle", 6, 100);
	fixture_put(fixture, store);
	fixture->verdict.score = 20000;
	assert_true(envelope_add_recipient(&fixture->envelope, "x@mail.Example.COM"));
	set_message(fixture, " 2", "x", 1, 100);
	fixture_put(fixture, store);
	set_message(fixture, " =?utf-8?q?=33?=", "x", 1, 100);
	fixture_put(fixture, store);
	assert_string_equal(listed(fixture, &(struct list_filter){ .limit = 0 }), "=?utf-8?21");
	assert_string_equal(listed(fixture, &(struct list_filter){ .limit = 1 }), "=?utf-8?");
	assert_string_equal(
		listed(fixture, &(struct list_filter){ .domain = ".example.com" }), "=?utf-8?2");
	assert_string_equal(
		listed(fixture,
			&(struct list_filter){
				.domain = "EXAMPLE.org", .has_max = true, .max_score = 15000 }),
		"1");
	assert_string_equal(listed(fixture, &(struct list_filter){ .subject = "3" }), "=?utf-8?");
	assert_string_equal(
		listed(fixture, &(struct list_filter){ .to = "MAIL.", .limit = 1 }), "=?utf-8?");
	assert_string_equal(
		listed(fixture, &(struct list_filter){ .text = "needle", .in_message = true }),
		"1");
	assert_string_equal(listed(fixture, &(struct list_filter){ .text = "needle" }), "");
	assert_string_equal(
		listed(fixture,
			&(struct list_filter){ .has_state = true, .state = RECIPIENT_RELEASED }),
		"");
	store_free(&store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_comes_back_to_the_byte),
		TEST(odd_bodies_come_back_to_the_byte),
		TEST(a_cut_message_is_not_stored),
		TEST(every_flipped_bit_is_noticed),
		TEST(room_is_limited),
		TEST(unsafe_directories_are_refused),
		TEST(strange_files_are_skipped),
		TEST(items_with_two_names_are_strange),
		TEST(a_claim_excludes_others),
		TEST(reviews_are_kept),
		TEST(a_thousand_at_once),
		TEST(nothing_is_left_after_the_deadline),
		TEST(lists_are_filtered_newest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
