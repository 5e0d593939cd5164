/* SPDX-License-Identifier: BSD-2-Clause */
/* Line ends on the way out, routes, and the release mark. */
#include "quarantine_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "quarantine/courier.h"
#include "quarantine/release_mark.h"
#include "quarantine/wire.h"

static const struct {
	const char *in, *smtp, *local;
} wires[] = {
	{ "", ".\r\n", "" },
	{ "a", "a\r\n.\r\n", "a\n" },
	{ "a\r\n", "a\r\n.\r\n", "a\n" },
	{ ".\r\n", "..\r\n.\r\n", ".\n" },
	{ "a\r\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n", "a\n.\nb\n" },
	{ "a\n.\nMAIL FROM:<x>\n", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n", "a\n.\nMAIL FROM:<x>\n" },
	{ "a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n", "a\n.\nb\n" },
	{ "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n", "a\n.\nb\n" },
	{ "a\r\r\nb\n\r", "a\r\n\r\nb\r\n\r\n.\r\n", "a\n\nb\n\n" },
	{ "..\r\n...", "...\r\n....\r\n.\r\n", "..\n...\n" },
};

static void expect_wire(enum wire_form form, const char *in, size_t step, const char *expected)
{
	struct wire wire;
	struct buf out;

	buf_init(&out, 1000);
	wire_init(&wire, form);
	for (size_t at = 0; at < strlen(in); at += step)
		assert_true(wire_put(&wire, &out, in + at, strnlen(in + at, step)));
	assert_true(wire_finish(&wire, &out));
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

/* Attack A11: one message in, one message out, whatever the line ends and the pieces. */
static void one_message_stays_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
		for (size_t step = 1; step <= 8; step++) {
			expect_wire(WIRE_SMTP, wires[i].in, step, wires[i].smtp);
			expect_wire(WIRE_LOCAL, wires[i].in, step, wires[i].local);
		}
	}
}

static void routes_are_checked(void **state)
{
	static const char *const good[] = { "sendmail", "/usr/lib/sendmail",
		"smtp://127.0.0.1:10025", "smtp://mail.example.com", "smtp://[::1]:25/",
		"smtp://localhost/" };
	static const char *const bad[] = { "", "/", "sendmail -t", "smtp://", "smtp://a:0",
		"smtp://a:70000", "smtp://a:25/x", "smtp://a@b:25", "http://a", "smtp://[::1",
		"smtp://a b", "smtps://a", "smtp://a:25:25" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!courier_route_is_valid(good[i]))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (courier_route_is_valid(bad[i]))
			fail_msg("%s", bad[i]);
}

static const char *const recipient = "One@example.com";
static const char *const item = "abcdefghijklmnopqrstuvwxyz";

static void make_mark(
	struct fixture *fixture, struct release_key *key, unsigned char *body, struct buf *mark)
{
	memset(key, 7, sizeof(*key));
	assert_true(release_body_digest(fixture->message, body));
	buf_init(mark, 1000);
	assert_true(release_mark_make(mark, key, item, recipient, body, 1000000));
}

static void a_mark_is_good_for_one_copy(void **state)
{
	struct fixture *fixture = *state;
	unsigned char body[DIGEST_SIZE], other[DIGEST_SIZE];
	char once[ITEM_ID_SIZE], id[ITEM_ID_SIZE], folded[512];
	struct release_key key;
	struct buf mark;

	make_mark(fixture, &key, body, &mark);
	assert_int_equal(
		release_mark_check(&key, mark.data, "one@EXAMPLE.COM", body, 1000010, once, id),
		MARK_VALID);
	assert_string_equal(id, item);
	snprintf(folded, sizeof(folded), " %.40s\n\t%s\n", mark.data, mark.data + 41);
	if (mark.data[40] == ' ')
		assert_int_equal(
			release_mark_check(&key, folded, recipient, body, 1000010, once, id),
			MARK_VALID);
	assert_int_equal(
		release_mark_check(&key, mark.data, "two@example.com", body, 1000010, once, id),
		MARK_FORGED);
	assert_int_equal(release_mark_check(&key, mark.data, recipient, body,
				 1000000 + RELEASE_MARK_AGE_S + 1, once, id),
		MARK_EXPIRED);
	set_message(fixture, " hello", "one\r\n.\r\nTWO\r\n", 13, 100000);
	assert_true(release_body_digest(fixture->message, other));
	assert_int_equal(release_mark_check(&key, mark.data, recipient, other, 1000010, once, id),
		MARK_FORGED);
	key.bytes[0]++;
	assert_int_equal(release_mark_check(&key, mark.data, recipient, body, 1000010, once, id),
		MARK_FORGED);
	buf_free(&mark);
}

static void every_changed_byte_of_a_mark_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	unsigned char body[DIGEST_SIZE];
	char once[ITEM_ID_SIZE], id[ITEM_ID_SIZE];
	struct release_key key;
	struct buf mark;

	make_mark(fixture, &key, body, &mark);
	for (size_t i = 0; i < mark.length; i++) {
		char saved = mark.data[i];

		mark.data[i] ^= 1;
		assert_int_not_equal(
			release_mark_check(&key, mark.data, recipient, body, 1000010, once, id),
			MARK_VALID);
		mark.data[i] = '\0';
		assert_int_not_equal(
			release_mark_check(&key, mark.data, recipient, body, 1000010, once, id),
			MARK_VALID);
		mark.data[i] = saved;
	}
	buf_free(&mark);
}

/* Line ends, blanks and wrapping are the mail server's; letters are the sender's. */
static void the_body_digest_survives_transport(void **state)
{
	struct fixture *fixture = *state;
	static const char *const bodies[] = { "one\r\n.\r\ntwo\r\n", "one\n.\ntwo",
		"one\r.\rtwo \r\n", "on\r\n e\r\n.\r\ntwo\r\n\r\n" };
	unsigned char first[DIGEST_SIZE], digest[DIGEST_SIZE];

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		set_message(fixture, " x", bodies[i], strlen(bodies[i]), i % 2 == 0 ? 1 : 1000);
		assert_true(release_body_digest(fixture->message, i == 0 ? first : digest));
		if (i > 0)
			assert_memory_equal(first, digest, DIGEST_SIZE);
	}
}

/* The reader of stored bytes finds the body that the daemon sees, wherever the pieces end. */
static void scanned_bytes_have_the_same_digest(void **state)
{
	struct fixture *fixture = *state;
	static const char whole[] =
		"From: A <a@example.net>\r\nSubject: x\r\n\r\none\r\n.\r\ntwo\r\n";
	unsigned char expected[DIGEST_SIZE], digest[DIGEST_SIZE];

	assert_true(release_body_digest(fixture->message, expected));
	for (size_t step = 1; step < sizeof(whole); step++) {
		struct body_scan scan;

		assert_true(body_scan_begin(&scan));
		for (size_t at = 0; at < sizeof(whole) - 1; at += step)
			assert_true(body_scan_add(&scan, whole + at, strnlen(whole + at, step)));
		assert_true(body_scan_finish(&scan, digest));
		assert_memory_equal(expected, digest, DIGEST_SIZE);
	}
}

static void a_mark_is_used_once(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct directory directory;
	struct err err = ERR_INIT;

	assert_int_equal(directory_open(fixture->path, DIRECTORY_WRITE, &directory, &err), 0);
	assert_int_equal(release_mark_use(&directory, item, &err), MARK_TAKEN);
	assert_int_equal(release_mark_use(&directory, item, &err), MARK_SPENT);
	assert_non_null(strstr(err.text, "used before"));
	assert_int_equal(release_mark_use(&directory, "../release.key", NULL), MARK_SPENT);
	release_mark_forget(&directory, item);
	assert_int_equal(release_mark_use(&directory, item, &err), MARK_TAKEN);
	assert_int_equal(release_mark_sweep(&directory), 0);
	directory_close(&directory);
	store_free(&store);
}

static void the_key_is_the_owners_alone(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct directory directory;
	struct release_key key, again;
	struct stat status;
	char path[128];

	assert_int_equal(directory_open(fixture->path, DIRECTORY_WRITE, &directory, NULL), 0);
	assert_int_equal(release_key_read(&directory, false, &key, NULL), -1);
	assert_int_equal(release_key_read(&directory, true, &key, NULL), 0);
	assert_int_equal(release_key_read(&directory, true, &again, NULL), 0);
	assert_memory_equal(&key, &again, sizeof(key));
	snprintf(path, sizeof(path), "%s/release.key", fixture->path);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(release_key_read(&directory, true, &key, NULL), -1);
	directory_close(&directory);
	store_free(&store);
}

#define TOOLS 8

static const char *key_folder; /* borrowed */

static void *read_key(void *context)
{
	struct release_key *ret_key = context;
	struct directory directory;
	int result;

	if (directory_open(key_folder, DIRECTORY_WRITE, &directory, NULL) != 0)
		return context;
	result = release_key_read(&directory, true, ret_key, NULL);
	directory_close(&directory);
	return result == 0 ? NULL : context;
}

/* F39: tools that come first at the same time agree on one key, and none of them fails. */
static void keys_made_at_once_are_one(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct release_key keys[TOOLS];
	pthread_t threads[TOOLS];
	char path[128];
	void *failed;

	snprintf(path, sizeof(path), "%s/release.key", fixture->path);
	key_folder = fixture->path;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < TOOLS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, read_key, &keys[i]), 0);
		for (int i = 0; i < TOOLS; i++) {
			assert_int_equal(pthread_join(threads[i], &failed), 0);
			assert_null(failed);
			assert_memory_equal(&keys[i], &keys[0], sizeof(keys[0]));
		}
		assert_int_equal(unlink(path), 0);
	}
	store_free(&store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_message_stays_one),
		cmocka_unit_test(routes_are_checked),
		TEST(a_mark_is_good_for_one_copy),
		TEST(every_changed_byte_of_a_mark_is_noticed),
		TEST(the_body_digest_survives_transport),
		TEST(scanned_bytes_have_the_same_digest),
		TEST(a_mark_is_used_once),
		TEST(the_key_is_the_owners_alone),
		TEST(keys_made_at_once_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
