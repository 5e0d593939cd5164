/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's smaller decisions, row by row: filters, records, names, directories, limits. */
#include "quarantine_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "faults.h"
#include "quarantine/address.h"
#include "quarantine/errand.h"
#include "quarantine/limits.h"
#include "quarantine/list.h"
#include "quarantine/review.h"
#include "quarantine/store_count.h"
#include "quarantine/store_item.h"
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
		{ { .to = "ONE@" }, true },
		{ { .to = "three" }, false },
		{ { .from = "SENDER@" }, true },
		{ { .from = "a@example" }, true },
		{ { .from = "nobody" }, false },
		{ { .subject = "HELL" }, true },
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
	item.subject = strdup("hello");
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
		visit_with(fixture, (struct list_filter){ .text = needle, .in_message = true }, 9,
			false)
			.seen,
		0);
	store_free(&store);
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
	if (geteuid() == 0) {
		snprintf(path, sizeof(path), "chown -R 4711 %s", fixture->path);
		assert_int_equal(system(path), 0);
		fault_user(4711);
	}
	assert_int_equal(directory_open(fixture->path, DIRECTORY_CREATE, &directory, NULL), 0);
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
	assert_true(address_is_safe("a@x_y.example"));
	assert_false(address_is_safe("a@x y"));
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
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *decoded = words_decode(rows[i].text);

		assert_non_null(decoded);
		assert_string_equal(decoded, rows[i].decoded);
		free(decoded);
	}
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

/* A disk that hangs, and who waits for it. */
struct gate {
	pthread_mutex_t lock;
	unsigned entered, destroyed; /* atomic */
};

struct waiting {
	struct errand errand;
	struct gate *gate;
};

static int wait_at_gate(struct errand *errand, struct err *err)
{
	struct gate *gate = ((struct waiting *)errand)->gate;

	(void)err;
	__atomic_fetch_add(&gate->entered, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&gate->lock);
	pthread_mutex_unlock(&gate->lock);
	return 0;
}

static void forget_waiting(struct errand *errand)
{
	__atomic_fetch_add(&((struct waiting *)errand)->gate->destroyed, 1, __ATOMIC_SEQ_CST);
	free(errand);
}

static enum errand_result send_to_gate(struct errands *errands, struct gate *gate, int64_t ms)
{
	const struct errand_patience patience = { deadline_after_ms(ms), { NULL, NULL } };
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	struct errand *errand = &waiting->errand;
	enum errand_result result;

	*waiting = (struct waiting){ .gate = gate };
	errand->run = wait_at_gate;
	errand->destroy = forget_waiting;
	result = errands_do(errands, errand, &patience, NULL);
	errand_release(errands, &errand);
	return result;
}

/* F38: a disk that hangs gets so many errands and no more, and each is freed in the end. */
static void a_hanging_disk_has_a_queue_that_ends(void **state)
{
	const struct deadline patience = deadline_after_ms(60000);
	struct gate gate = { PTHREAD_MUTEX_INITIALIZER, 0, 0 };
	struct errands *errands = errands_new();
	unsigned made = 0, queued = 0;

	(void)state;
	pthread_mutex_lock(&gate.lock);
	for (; __atomic_load_n(&gate.entered, __ATOMIC_SEQ_CST) < LIMIT_WRITERS; made++) {
		assert_false(deadline_passed(patience));
		assert_int_equal(send_to_gate(errands, &gate, 20), ERRAND_ABANDONED);
	}
	while (send_to_gate(errands, &gate, 0) == ERRAND_ABANDONED)
		queued++;
	assert_true(queued <= LIMIT_WRITE_QUEUE && queued > LIMIT_WRITE_QUEUE / 2);
	pthread_mutex_unlock(&gate.lock);
	made += queued + 1;
	while (__atomic_load_n(&gate.destroyed, __ATOMIC_SEQ_CST) < made &&
		!deadline_passed(patience))
		usleep(1000);
	assert_int_equal(__atomic_load_n(&gate.destroyed, __ATOMIC_SEQ_CST), made);
	errands_free(&errands);
	errands_free(&errands);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(filters_choose),
		TEST(lists_end_early),
		TEST(records_are_read_strictly),
		TEST(paths_are_looked_at),
		TEST(an_ordinary_user_holds_mail),
		cmocka_unit_test(names_of_folders_are_harmless),
		cmocka_unit_test(one_domain_or_none),
		TEST(requests_are_checked),
		TEST(views_tell_what_fills_up),
		cmocka_unit_test(prefixes_name_one_item),
		TEST(doubles_are_one_item),
		TEST(names_and_contents_agree),
		cmocka_unit_test(a_hanging_disk_has_a_queue_that_ends),
		cmocka_unit_test(addresses_compare_by_domain_without_case),
		cmocka_unit_test(odd_words_stay_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
