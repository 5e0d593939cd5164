/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's smaller decisions, row by row: records, names, directories, limits. */
#include "quarantine_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "faults.h"
#include "quarantine/address.h"
#include "quarantine/review.h"
#include "quarantine/store_count.h"
#include "quarantine/store_item.h"

static void write_at(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
}

/* A record that somebody spoilt is told, and nothing of it believed. */
static void records_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "", true },
		{ "0 held 1 a b\n", true },
		{ "1 released 1 a%20b \n", true },
		{ "0 held 1 a b", false },
		{ "x held 1 a b\n", false },
		{ "2 held 1 a b\n", false },
		{ "0held 1 a b\n", false },
		{ "0  1 a b\n", false },
		{ "0 held\n", false },
		{ "0 averyveryverylongword 1 a b\n", false },
		{ "0 lost 1 a b\n", false },
		{ "0 held x a b\n", false },
		{ "0 held 1\n", false },
		{ "0 held 1 a\n", false },
		{ "0 held 1 a b c\n", false },
		{ "0 held 1 a%2 b\n", false },
		{ "0 held 1 a%2g b\n", false },
		{ "0 held 1 a%g2 b\n", false },
		{ "0 held 1 a%00 b\n", false },
		{ "0 held 1 a%0a b\n", true },
		{ "0 held 1 a b\n0 held 1 a b\n", false },
	};
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	const char *id = fixture_put(fixture, store);
	struct directory directory;
	struct stored stored;

	assert_int_equal(fixture_open(fixture, id, &directory, &stored), STORED_GOOD);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct review review;
		struct err err = ERR_INIT;

		assert_int_equal(directory_replace(&directory, FOLDER_REVIEW, id, rows[i].text,
					 strlen(rows[i].text), NULL),
			0);
		if ((review_read(&directory, &stored.item, &review, &err) == 0) != rows[i].good)
			fail_msg("row %zu: %s", i, rows[i].text);
		if (rows[i].good)
			review_free(&review);
		else
			assert_non_null(strstr(err.text, "damaged"));
	}
	/* NUL as a digit, and a link in the record's place. */
	{
		struct review review;
		struct err err = ERR_INIT;
		char command[512];

		assert_int_equal(directory_replace(&directory, FOLDER_REVIEW, id,
					 "0 held 1 a%0\0 b\n", 16, NULL),
			0);
		assert_int_equal(review_read(&directory, &stored.item, &review, NULL), -1);
		snprintf(command, sizeof(command), "ln -sf /etc/passwd %s/review/%s", fixture->path,
			id);
		assert_int_equal(system(command), 0);
		assert_int_equal(review_read(&directory, &stored.item, &review, &err), -1);
		assert_non_null(strstr(err.text, "cannot open the record"));
		/* A reviewer may have no such folder. */
		descriptor_close(&directory.folders[FOLDER_REVIEW]);
		assert_int_equal(review_read(&directory, &stored.item, &review, NULL), 0);
		assert_true(review_set(&review, 0, RECIPIENT_HELD, NULL, NULL));
		assert_string_equal(review.lines[0].by, "");
		review_free(&review);
	}
	stored_close(&stored);
	directory_close(&directory);
	store_free(&store);
}

/* Each state has a word, and each byte of a note comes back. */
static void records_hold_any_text(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	const char *id = fixture_put(fixture, store);
	enum recipient_state parsed;
	struct directory directory;
	struct stored stored;
	struct review review;
	char note[256];

	for (int i = 0; i < 255; i++)
		note[i] = (char)(i + 1);
	note[255] = '\0';
	assert_int_equal(fixture_open(fixture, id, &directory, &stored), STORED_GOOD);
	for (int i = RECIPIENT_HELD; i <= RECIPIENT_DEFERRED; i++) {
		enum recipient_state set = (enum recipient_state)i;

		assert_true(recipient_state_parse(recipient_state_name(set), &parsed));
		assert_int_equal(parsed, set);
		assert_true(review_init(&review, &stored.item));
		assert_true(review_set(&review, 1, set, "me", note));
		assert_int_equal(review_write(&directory, &stored.item, &review, NULL), 0);
		review_free(&review);
		assert_int_equal(review_read(&directory, &stored.item, &review, NULL), 0);
		assert_int_equal(review.lines[1].state, set);
		assert_string_equal(review.lines[1].note, note);
		review_free(&review);
	}
	assert_false(recipient_state_parse("lost", &parsed));
	stored_close(&stored);
	directory_close(&directory);
	store_free(&store);
}

static void paths_are_looked_at(void **state)
{
	static const struct {
		const char *path, *reason;
	} rows[] = {
		{ "relative", "no absolute path" },
		{ "/", "cannot be a quarantine directory" },
		{ "/tmp/..", "cannot be a quarantine directory" },
		{ "/tmp/.", "cannot be a quarantine directory" },
		{ "/nowhere/at/all", "cannot find the parent directory" },
		{ "/dev/null", "no directory" },
		{ "/no-such-quarantine//", "cannot open the quarantine directory" },
	};
	struct fixture *fixture = *state;
	struct directory directory;
	struct err err = ERR_INIT;
	char path[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err = (struct err)ERR_INIT;
		assert_int_equal(
			directory_open(rows[i].path, DIRECTORY_WRITE, &directory, &err), -1);
		if (strstr(err.text, rows[i].reason) == NULL)
			fail_msg("%s: %s", rows[i].path, err.text);
	}
	snprintf(path, sizeof(path), "%s//", fixture->path);
	assert_int_equal(directory_open(path, DIRECTORY_CREATE, &directory, NULL), 0);
	directory_close(&directory);
	/* Another user than the owner may look, and nothing else. */
	err = (struct err)ERR_INIT;
	fault_user(geteuid() + 1);
	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	directory_close(&directory);
	assert_int_equal(directory_open(fixture->path, DIRECTORY_WRITE, &directory, &err), -1);
	assert_non_null(strstr(err.text, "belongs to another user"));
	fault_user((uid_t)-1);
}

/* What is not root does not give files away, and can use what is its own. */
static void an_ordinary_user_holds_mail(void **state)
{
	struct fixture *fixture = *state;
	struct directory directory;
	struct strlist domains = { 0 };
	struct store *store;
	char path[200];
	int fd;

	/* Nobody's business but the owner's, whoever runs this. */
	assert_int_equal(chown(fixture->top, 4711, (gid_t)-1) == 0 || geteuid() != 0, true);
	store = fixture_store(fixture, 0, 0);
	store_free(&store);
	snprintf(path, sizeof(path), "%s/digest", fixture->path);
	assert_int_equal(rmdir(path), 0);
	if (geteuid() == 0) {
		snprintf(path, sizeof(path), "chown -R 4711 %s", fixture->path);
		assert_int_equal(system(path), 0);
		fault_user(4711);
		/* The folder that is missing is made by him, too. */
		(void)setfsuid(4711);
	}
	assert_int_equal(directory_open(fixture->path, DIRECTORY_CREATE, &directory, NULL), 0);
	(void)setfsuid(geteuid() == 4711 ? 0 : geteuid());
	fd = directory_create(&directory, FOLDER_TMP, "x", 0600);
	assert_true(fd >= 0);
	close(fd);
	directory_close(&directory);
	/* A reviewer needs no folder of domains. */
	snprintf(path, sizeof(path), "%s/domains", fixture->path);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	assert_int_equal(directory_domains(&directory, &domains, NULL), 0);
	assert_int_equal(domains.count, 0);
	assert_null(directory_names(&directory, FOLDER_DOMAINS));
	assert_int_equal(directory_enter(&directory, "example.com", DIRECTORY_READ,
				 &(struct directory){ .base = -1 }, NULL),
		1);
	directory_close(&directory);
	fault_user((uid_t)-1);
}

static void names_of_folders_are_harmless(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} rows[] = { { "example.com", true }, { "", false }, { ".", false }, { "..", false },
		{ "-rf", false }, { "a/b", false }, { "A.example", false }, { "a b", false } };
	char name[DIRECTORY_DOMAIN_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(directory_is_domain(rows[i].name), rows[i].good);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_false(directory_is_domain(name));
}

/* Only recipients who share a domain share its Maildir. */
static void one_domain_or_none(void **state)
{
	static const struct {
		const char *first, *second, *domain;
	} rows[] = {
		{ "a@example.com", "b@Example.com.", "example.com" },
		{ "a@example.com", "b@example.net", "" },
		{ "a@[192.0.2.1]", NULL, "" },
		{ "postmaster", NULL, "" },
		{ "a@b\xc3\xbc"
		  "cher.example",
			NULL, "xn--bcher-kva.example" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strlist recipients = { 0 };
		char domain[DIRECTORY_DOMAIN_SIZE];

		assert_true(strlist_add(&recipients, rows[i].first));
		if (rows[i].second != NULL)
			assert_true(strlist_add(&recipients, rows[i].second));
		store_item_domain(&recipients, domain);
		assert_string_equal(domain, rows[i].domain);
		strlist_free(&recipients);
	}
}

/* What is no item is refused before the disk is touched; long fields are cut between letters. */
static void requests_are_checked(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct store_request request = fixture_request(fixture);
	struct strlist nobody = { 0 };
	struct directory directory;
	struct stored stored;
	char id[ITEM_ID_SIZE], subject[600], own[ITEM_ID_SIZE];
	struct err err = ERR_INIT;

	request.recipients = &nobody;
	assert_int_equal(store_write(store, &request, id, &err), -1);
	assert_non_null(strstr(err.text, "needs a recipient"));
	request = fixture_request(fixture);
	request.id = "../../etc/passwd";
	err = (struct err)ERR_INIT;
	assert_int_equal(store_write(store, &request, id, &err), -1);
	assert_non_null(strstr(err.text, "no id"));
	assert_int_equal(item_id_new(own, NULL), 0);
	request.id = own;
	request.keep_s = 3600;
	memset(subject, 'x', sizeof(subject));
	subject[0] = ' ';
	memcpy(subject + 512, "\xc3\xbc", 3);
	set_message(fixture, subject, "b", 1, 100);
	assert_true(message_headers(fixture->message)->count == 2);
	request.message = fixture->message;
	free(fixture->envelope.sender);
	fixture->envelope.sender = NULL;
	assert_int_equal(store_write(store, &request, id, &err), 0);
	assert_string_equal(id, own);
	assert_int_equal(fixture_open(fixture, own, &directory, &stored), STORED_GOOD);
	assert_int_equal(strlen(stored.item.subject), 511);
	assert_int_equal(stored.item.expires_s, stored.item.time_s + 3600);
	assert_string_equal(stored.item.envelope.sender, "");
	stored_close(&stored);
	directory_close(&directory);
	store_free(&store);
	store_free(&store);
}

/* A name is counted whatever it is of, bytes only of files; a writer of now keeps his file. */
static void all_that_looks_like_ours_is_counted(void **state)
{
	static const char name[] = "1600000000.M000000Qabcdefghijklmnopqrstuvwxyz.spambridge";
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct store_view before, view;
	char path[256];

	fixture_put(fixture, store);
	store_look(store, &before);
	snprintf(path, sizeof(path), "%s/new/%s", fixture->path, name);
	assert_int_equal(mkdir(path, 0750), 0);
	snprintf(path, sizeof(path), "%s/tmp/%s", fixture->path, name);
	write_at(path);
	assert_int_equal(store_check(store, true, NULL), 0);
	store_look(store, &view);
	assert_int_equal(view.items, 2);
	assert_int_equal(view.bytes, before.bytes);
	assert_int_equal(access(path, F_OK), 0);
	assert_string_equal(store_path(store), fixture->path);
	store_free(&store);
}

/* What lists show of a field is one line and no half letter. */
static void fields_are_cut_to_lines(void **state)
{
	static char torn[700];
	const struct {
		const char *subject, *shown;
	} rows[] = {
		{ " a\rb\n\tc\td", "a b  c d" },
		{ torn, "" },
	};
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);

	memset(torn, 0x80, sizeof(torn) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct directory directory;
		struct stored stored;

		set_message(fixture, rows[i].subject, "b", 1, 100);
		assert_int_equal(
			fixture_open(fixture, fixture_put(fixture, store), &directory, &stored),
			STORED_GOOD);
		assert_string_equal(stored.item.subject, rows[i].shown);
		stored_close(&stored);
		directory_close(&directory);
	}
	store_free(&store);
}

/* More pieces than are written at once, and so much that the disk begins early. */
static void a_large_body_comes_back(void **state)
{
	const size_t length = 20 * 1024 * 1024;
	char *body = malloc(length), *got = malloc(length + 100);
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct directory directory;
	struct stored stored;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < length; i++)
		body[i] = (char)(i * 7 % 251);
	set_message(fixture, " large", body, length, SIZE_MAX);
	assert_int_equal(fixture_open(fixture, fixture_put(fixture, store), &directory, &stored),
		STORED_GOOD);
	assert_int_equal(stored_verify(&stored, &err), STORED_GOOD);
	assert_int_equal(stored_read(&stored, 0, got, length + 100), (long)stored.item.length);
	assert_memory_equal(got + stored.item.length - length, body, length);
	stored_close(&stored);
	directory_close(&directory);
	store_free(&store);
	free(body);
	free(got);
}

/* Its body could not be kept: half of it is no mail. */
static void a_message_that_was_lost_is_not_stored(void **state)
{
	struct message_limits limits = { SIZE_MAX, 2, "/nowhere/at/all" };
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct store_request request;
	struct store_view view;
	char id[ITEM_ID_SIZE];
	struct err err = ERR_INIT;

	message_free(&fixture->message);
	fixture->message = message_new(&limits);
	assert_int_equal(message_add_body(fixture->message, "four", 4), MESSAGE_FAILED);
	message_seal(fixture->message);
	request = fixture_request(fixture);
	assert_int_equal(store_write(store, &request, id, &err), -1);
	assert_non_null(strstr(err.text, "not kept whole"));
	store_look(store, &view);
	assert_int_equal(view.items, 0);
	store_free(&store);
}

static void views_tell_what_fills_up(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 10);
	struct store_limits limits = { 1000000, 1, 0 };
	struct store_view view;
	struct err err = ERR_INIT;

	fixture_put(fixture, store);
	store_look(store, &view);
	assert_false(view.filling);
	store_set_limits(store, &limits);
	store_look(store, &view);
	assert_true(view.filling);
	assert_int_equal(store_check(store, true, &err), -1);
	assert_non_null(strstr(err.text, "max_items"));
	store_await_change(store, false, deadline_after_ms(0), &view);
	assert_true(view.trouble[0] != '\0');
	limits = (struct store_limits){ view.bytes + 1, 0, 0 };
	store_set_limits(store, &limits);
	store_look(store, &view);
	assert_true(view.filling);
	limits = (struct store_limits){ 0, 0, UINT64_MAX / 2 };
	store_set_limits(store, &limits);
	err = (struct err)ERR_INIT;
	assert_int_equal(store_check(store, false, &err), -1);
	assert_non_null(strstr(err.text, "reserve"));
	limits = (struct store_limits){ 0, 0, 0 };
	store_set_limits(store, &limits);
	assert_int_equal(store_check(store, true, NULL), 0);
	store_await_change(store, true, deadline_after_ms(0), &view);
	assert_string_equal(view.trouble, "");
	/* Nothing changes: no longer than was said. */
	store_await_change(store, false, deadline_after_ms(1), &view);
	store_free(&store);
}

static void prefixes_name_one_item(void **state)
{
	struct catalogue_entry entries[] = { { .id = "abcdefghijklmnopqrstuvwxyz" },
		{ .id = "abzzefghijklmnopqrstuvwxyz" } };
	const struct catalogue catalogue = { entries, 2, 2, 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_ptr_equal(catalogue_find(&catalogue, "abc", NULL), &entries[0]);
	assert_null(catalogue_find(&catalogue, "ab", &err));
	assert_non_null(strstr(err.text, "several items"));
	err = (struct err)ERR_INIT;
	assert_null(catalogue_find(&catalogue, "A", &err));
	assert_non_null(strstr(err.text, "an id consists of"));
	err = (struct err)ERR_INIT;
	assert_null(catalogue_find(&catalogue, "zz", &err));
	assert_non_null(strstr(err.text, "no item begins"));
	assert_true(item_id_is_valid(entries[0].id));
	assert_false(item_id_is_valid("abcdefghijklmnopqrstuvwxyza"));
}

/* Copied into the Maildir of a domain: still one item. */
static void copies_are_one_item(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct directory directory;
	struct catalogue catalogue;
	char command[512];

	fixture_put(fixture, store);
	store_free(&store);
	snprintf(command, sizeof(command),
		"cd %s && mkdir -m 0750 domains/a.example && cp -a new cur tmp domains/a.example",
		fixture->path);
	assert_int_equal(system(command), 0);
	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	assert_int_equal(catalogue_read(&directory, &catalogue, NULL), 0);
	assert_int_equal(catalogue.count, 1);
	assert_int_equal(catalogue.entries[0].folder, FOLDER_NEW);
	catalogue_free(&catalogue);
	directory_close(&directory);
}

/* An item that a mail reader is moving is seen twice, and listed once, as it is now. */
static void doubles_are_one_item(void **state)
{
	static const char *const names[] = {
		"1600000000.M000000Qabcdefghijklmnopqrstuvwxyz.spambridge",
		"1600000000.M000000Qabcdefghijklmnopqrstuvwxyz.spambridge:2,",
		"1600000000.M000000Qbbcdefghijklmnopqrstuvwxyz.spambridge",
		"1600000000.M000000Qabcdefghijklmnopqrstuvwxyz.other",
		"1600000000.M00000Qabcdefghijklmnopqrstuvwxyz.spambridge",
		"160000000x.M000000Qabcdefghijklmnopqrstuvwxyz.spambridge",
		"1600000000,M000000Qabcdefghijklmnopqrstuvwxyz.spambridge",
		"1600000000.M00000xQabcdefghijklmnopqrstuvwxyz.spambridge",
		"1600000000.M000000qabcdefghijklmnopqrstuvwxyz.spambridge",
		"1600000000.M000000Qabc",
		"1600000000.M000000QABCDEFGHIJKLMNOPQRSTUVWXYZ.spambridge",
		"1600000000.M000000Qabcdefghijklmnopqrstuvwxyz.spambridgex",
		".hidden",
	};
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct directory directory;
	struct catalogue catalogue;
	char path[400], long_name[220];

	store_free(&store);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", fixture->path, i == 1 ? "cur" : "new",
			names[i]);
		write_at(path);
	}
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/new/%s", fixture->path, long_name);
	write_at(path);
	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	assert_int_equal(catalogue_read(&directory, &catalogue, NULL), 0);
	assert_int_equal(catalogue.count, 2);
	assert_int_equal(catalogue.strange, 10);
	assert_int_equal(catalogue.entries[0].folder, FOLDER_CUR);
	assert_string_equal(catalogue.entries[1].name, names[2]);
	catalogue_free(&catalogue);
	directory_close(&directory);
}

static void addresses_compare_by_domain_without_case(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = { { "a@b.example", "a@B.EXAMPLE", true },
		{ "A@b.example", "a@b.example", false }, { "a@b.example", "a@c.example", false },
		{ "aa@b.example", "a@b.example", false }, { "a", "a", true },
		{ "a", "a@b.example", false } };
	char *folded;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(address_equal(rows[i].a, rows[i].b), rows[i].equal);
	folded = address_folded("A-z@B.Example[{");
	assert_string_equal(folded, "a-z@b.example[{");
	free(folded);
	fault_set(&(struct fault){ .at = 1 });
	assert_null(address_folded("a@b.example"));
	assert_int_equal(fault_clear().failed, 1);
	assert_true(address_is_safe("a@x_y.example"));
	assert_false(address_is_safe("a@x y"));
}

/* The name says one item, the content another; what is not sound is not verified. */
static void names_and_contents_agree(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	const char *id = fixture_put(fixture, store);
	struct directory directory;
	struct stored stored;
	struct err err = ERR_INIT;
	char command[512];

	snprintf(command, sizeof(command),
		"mv %s/new/*%s* %s/new/1600000000.M000000Qabcdefghijklmnopqrstuvwxyz.spambridge",
		fixture->path, id, fixture->path);
	assert_int_equal(system(command), 0);
	assert_int_equal(fixture_open(fixture, "abc", &directory, &stored), STORED_DAMAGED);
	assert_int_equal(stored_verify(&stored, &err), STORED_DAMAGED);
	assert_string_equal(err.text, "it is damaged");
	assert_int_equal(stored_claim(&stored, NULL), STORED_GOOD);
	assert_int_equal(stored_remove(&directory, &stored, NULL), 0);
	stored_close(&stored);
	directory_close(&directory);
	store_free(&store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_are_read_strictly),
		TEST(records_hold_any_text),
		TEST(paths_are_looked_at),
		TEST(an_ordinary_user_holds_mail),
		cmocka_unit_test(names_of_folders_are_harmless),
		cmocka_unit_test(one_domain_or_none),
		TEST(requests_are_checked),
		TEST(views_tell_what_fills_up),
		cmocka_unit_test(prefixes_name_one_item),
		TEST(doubles_are_one_item),
		TEST(copies_are_one_item),
		TEST(all_that_looks_like_ours_is_counted),
		TEST(fields_are_cut_to_lines),
		TEST(a_large_body_comes_back),
		TEST(a_message_that_was_lost_is_not_stored),
		TEST(names_and_contents_agree),
		cmocka_unit_test(addresses_compare_by_domain_without_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
