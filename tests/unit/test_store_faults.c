/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store when each of its calls fails, with each error, once and from then on: it says so, loses
 * nothing, shows nothing that is not whole, and leaves no memory and no descriptor (F17, F18, F20,
 * F21, F22; promise 2 of the README). In short: who was told that mail is held finds it held.
 */
#include "quarantine_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>

#include "faults.h"
#include "quarantine/list.h"
#include "quarantine/review.h"

/* The message of all scenes, as it must come back. */
#define ORIGINAL                                                        \
	"From: A <a@example.net>\r\nSubject: =?utf-8?q?h=E4?= \xff\r\n" \
	"Date: today\r\nMessage-ID: <m@example.net>\r\n\r\n"            \
	"one\r\n.\r\ntwo\r\n"
/* So many addresses of a domain do not fit into the first read of an item. */
#define MANY 10

/* What the runs share. */
struct scene {
	struct fixture *fixture;
	struct store *store;
	struct directory directory;
	struct catalogue catalogue;
	struct err err;
	bool by_domain, within, held; /* how it is written, what is there before */
	char id[ITEM_ID_SIZE];
	enum stored_result result; /* of reading */
	size_t shown;              /* lines of a list */
	bool misled;               /* one of them was wrong */
};

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

/* No quarantine is there. */
static void wipe(struct scene *scene)
{
	(void)nftw(scene->fixture->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	scene->err = (struct err)ERR_INIT;
	scene->shown = 0;
	scene->misled = false;
}

/* The message, its body in memory up to so many bytes. */
static void set_original(struct fixture *fixture, size_t memory)
{
	struct message_limits limits = { SIZE_MAX, memory, fixture->top };

	message_free(&fixture->message);
	fixture->message = message_new(&limits);
	assert_non_null(fixture->message);
	assert_true(message_add_header(fixture->message, "From", " A <a@example.net>"));
	assert_true(message_add_header(fixture->message, "Subject", " =?utf-8?q?h=E4?= \xff"));
	assert_true(message_add_header(fixture->message, "Date", " today"));
	assert_true(message_add_header(fixture->message, "Message-ID", " <m@example.net>"));
	assert_int_equal(
		message_add_body(fixture->message, "one\r\n.\r\ntwo\r\n", 13), MESSAGE_MORE);
	message_seal(fixture->message);
}

static int rich_setup(void **state)
{
	struct fixture *fixture;
	struct verdict *verdict;
	char address[500];

	fixture_setup(state);
	fixture = *state;
	verdict = &fixture->verdict;
	assert_true(verdict_test_add_option(&verdict->tests[0], "found", 5));
	assert_true(verdict_test_add_option(&verdict->tests[1], "this", 4));
	verdict->required = 5000;
	verdict->has_required = verdict->spam = verdict->late = verdict->truncated = true;
	err_set(&verdict->err, "one of two scorers said nothing");
	verdict->scorer = strdup("sa");
	verdict->server = strdup("192.0.2.1:783");
	verdict->version = strdup("SpamAssassin 4.0.1");
	assert_true(fact_set(&fixture->client.helo, "helo"));
	assert_true(fact_set(&fixture->client.server_name, "mx"));
	assert_true(fact_set(&fixture->client.daemon_name, "smtpd"));
	assert_true(fact_set(&fixture->client.tls_version, "TLSv1.3"));
	assert_true(fact_set(&fixture->envelope.auth_login, "login"));
	fixture->envelope.utf8 = fixture->envelope.eight_bit = true;
	/* All in one domain, so that its Maildir can be used. */
	strlist_free(&fixture->envelope.recipients);
	for (int i = 0; i < MANY; i++) {
		snprintf(address, sizeof(address), "%0450d@example.com", i);
		assert_true(strlist_add(&fixture->envelope.recipients, address));
	}
	set_original(fixture, 1000);
	return 0;
}

struct census {
	size_t good, other, in_tmp;
};

static bool count_line(const struct list_line *line, void *context)
{
	struct census *census = context;
	bool good = line->result == STORED_GOOD && stored_verify(line->stored, NULL) == STORED_GOOD;

	census->good += good;
	census->other += !good;
	return true;
}

static size_t files_in(const char *top, const char *folder)
{
	char path[256];
	struct dirent *entry;
	size_t found = 0;
	DIR *names;

	snprintf(path, sizeof(path), "%s/%s", top, folder);
	names = opendir(path);
	while (names != NULL && (entry = readdir(names)) != NULL)
		found += entry->d_name[0] != '.';
	if (names != NULL)
		closedir(names);
	return found;
}

static struct census take_census(const struct scene *scene)
{
	struct list_filter filter = { .limit = 0 };
	struct census census = { 0 };
	struct directory directory;
	struct err err = ERR_INIT;

	if (directory_open(scene->fixture->path, DIRECTORY_READ, &directory, &err) != 0 ||
		list_items(&directory, &filter, count_line, &census, &err) != 0)
		fail_msg("%s: %s", fault_name(), err.text);
	directory_close(&directory);
	census.in_tmp = files_in(scene->fixture->path, "tmp") +
		files_in(scene->fixture->path, "domains/example.com/tmp");
	return census;
}

/* An empty quarantine, opened. */
static void prepare_store(void *context)
{
	struct scene *scene = context;

	wipe(scene);
	scene->store = fixture_store(scene->fixture, 0, 0);
}

static void free_store(void *context)
{
	struct scene *scene = context;

	store_free(&scene->store);
}

static bool write_one(void *context)
{
	struct scene *scene = context;
	struct store_request request = fixture_request(scene->fixture);
	const struct errand_patience patience = { deadline_after_ms(60000), { NULL, NULL } };

	request.by_domain = scene->by_domain;
	request.keep_s = 3600;
	return (scene->within ? store_write_within(
					scene->store, &request, &patience, scene->id, &scene->err) :
				store_write(scene->store, &request, scene->id, &scene->err)) == 0;
}

/*
 * Held and told so, or neither. Only a disk that goes on failing can keep us from taking back what
 * was refused: the sender tries again, so there are two.
 */
static void check_written(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;
	struct census census = take_census(scene);
	struct store_view view;

	store_look(scene->store, &view);
	/* Who has no memory for the attempt does not blame the disk. */
	fault_expect(view.written == good && view.failed <= !good);
	fault_expect((view.trouble[0] == '\0') == (view.failed == 0));
	fault_expect((scene->err.text[0] == '\0') == good);
	fault_expect(view.items == good);
	if (report->failed > 1) {
		fault_expect(census.good + census.other <= 1 && census.good >= good);
		return;
	}
	fault_expect(census.good == good && census.other == 0);
	fault_expect(census.in_tmp == 0 || strcmp(report->call, "unlinkat") == 0);
	if (good) {
		struct directory directory;
		struct stored stored;

		fault_expect(fixture_open(scene->fixture, scene->id, &directory, &stored) ==
			STORED_GOOD);
		stored_close(&stored);
		directory_close(&directory);
	}
}

static void what_is_held_is_whole_and_told(void **state)
{
	static const struct {
		bool in_file, by_domain, within, old_kernel;
	} rows[] = {
		{ false, false, false, false },
		{ true, true, false, false },
		{ false, false, true, false },
		{ true, true, true, true },
	};
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_store, write_one, check_written, free_store, &scene,
		false, false };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_original(scene.fixture, rows[i].in_file ? 1 : 1000);
		scene.by_domain = rows[i].by_domain;
		scene.within = rows[i].within;
		trial.old_kernel = rows[i].old_kernel;
		assert_true(fault_sweep(&trial) > 100);
	}
}

static bool open_store(void *context)
{
	struct scene *scene = context;
	struct store_limits limits = { 0, 0, 0 };

	scene->store = store_open(scene->fixture->path, &limits, &scene->err);
	return scene->store != NULL;
}

/* Two items, a file of a killed writer, one of nobody's. */
static void prepare_items(void *context)
{
	struct scene *scene = context;
	const struct timespec old[2] = { { 1600000000, 0 }, { 1600000000, 0 } };
	char path[256], name[ITEM_NAME_SIZE];
	int fd;

	prepare_store(context);
	scene->by_domain = true;
	scene->within = false;
	assert_true(write_one(scene));
	item_name_format(name, scene->id, 1600000000);
	snprintf(path, sizeof(path), "%s/tmp/%s", scene->fixture->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(futimens(fd, old), 0);
	assert_int_equal(close(fd), 0);
	snprintf(path, sizeof(path), "%s/new/.hidden", scene->fixture->path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(close(fd), 0);
	scene->by_domain = false;
	assert_true(write_one(scene));
	store_free(&scene->store);
}

static void prepare_opening(void *context)
{
	struct scene *scene = context;

	if (scene->held)
		prepare_items(scene);
	else
		wipe(scene);
}

/* What opens is usable; what does not says why, and does when the fault is gone. */
static void check_opened(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;
	size_t before = scene->held ? 2 : 0;

	fault_expect((scene->err.text[0] == '\0') == good);
	if (!good)
		scene->store = fixture_store(scene->fixture, 0, 0);
	fault_expect(take_census(scene).good == before);
	if (!good || report->failed == 0)
		fault_expect(take_census(scene).in_tmp == 0);
	fixture_put(scene->fixture, scene->store);
	fault_expect(take_census(scene).good == before + 1);
}

static void a_store_opens_or_says_why(void **state)
{
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_opening, open_store, check_opened, free_store, &scene,
		false, false };

	for (int i = 0; i < 2; i++) {
		scene.held = i == 1;
		assert_true(fault_sweep(&trial) > 100);
	}
}

/* Two items, the second in its domain's Maildir and reviewed; `id` is that one's. */
static void prepare_review(void *context)
{
	struct scene *scene = context;
	struct directory directory;
	struct stored stored;
	struct review review;

	prepare_store(scene);
	scene->within = scene->by_domain = false;
	assert_true(write_one(scene));
	scene->by_domain = true;
	assert_true(write_one(scene));
	store_free(&scene->store);
	assert_int_equal(fixture_open(scene->fixture, scene->id, &directory, &stored), STORED_GOOD);
	assert_true(review_init(&review, &stored.item));
	assert_true(review_set(&review, 0, RECIPIENT_RELEASED, "reviewer", "250 Ok"));
	assert_int_equal(review_write(&directory, &stored.item, &review, NULL), 0);
	review_free(&review);
	stored_close(&stored);
	directory_close(&directory);
}

/* The same, opened and listed. */
static void prepare_reading(void *context)
{
	struct scene *scene = context;

	prepare_review(scene);
	assert_int_equal(
		directory_open(scene->fixture->path, DIRECTORY_WRITE, &scene->directory, NULL), 0);
	assert_int_equal(catalogue_read(&scene->directory, &scene->catalogue, NULL), 0);
	assert_int_equal(scene->catalogue.count, 2);
}

static void end_reading(void *context)
{
	struct scene *scene = context;

	catalogue_free(&scene->catalogue);
	directory_close(&scene->directory);
}

static bool read_one(void *context)
{
	struct scene *scene = context;
	const struct catalogue_entry *entry = catalogue_find(&scene->catalogue, scene->id, NULL);
	struct stored stored;
	char bytes[512];

	scene->result = stored_open(&scene->directory, entry, &stored, &scene->err);
	if (scene->result == STORED_GOOD)
		scene->result = stored_verify(&stored, &scene->err);
	if (scene->result == STORED_GOOD)
		scene->result = stored_claim(&stored, &scene->err);
	if (scene->result == STORED_GOOD &&
		stored_read(&stored, 0, bytes, sizeof(bytes)) != (long)sizeof(ORIGINAL) - 1)
		scene->result = STORED_FAILED;
	else if (scene->result == STORED_GOOD)
		scene->misled = memcmp(bytes, ORIGINAL, sizeof(ORIGINAL) - 1) != 0;
	stored_close(&stored);
	return scene->result == STORED_GOOD;
}

/* No fault of ours may look like one of the item's: somebody would delete it. */
static void check_read(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;
	int error = report->error;

	fault_expect(!scene->misled);
	fault_expect(good || scene->result == STORED_FAILED || scene->err.text[0] != '\0');
	fault_expect(scene->result != STORED_DAMAGED || error == FAULT_ENDS);
	fault_expect(scene->result != STORED_STRANGE || error == FAULT_STRANGER || error == ELOOP ||
		error == ENXIO);
	fault_expect(scene->result != STORED_GONE || error == ENOENT);
	fault_expect(take_census(scene).good == 2);
}

static void what_cannot_be_read_is_not_called_damaged(void **state)
{
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_reading, read_one, check_read, end_reading, &scene,
		false, false };

	assert_true(fault_sweep(&trial) > 100);
	trial.old_kernel = true;
	assert_true(fault_sweep(&trial) > 100);
}

/* A mail reader has moved it since the list was made. */
static void prepare_moved(void *context)
{
	struct scene *scene = context;
	const char *folder = "domains/example.com";
	const struct catalogue_entry *entry;
	char from[512], to[512];

	prepare_reading(scene);
	entry = catalogue_find(&scene->catalogue, scene->id, NULL);
	snprintf(from, sizeof(from), "%s/%s/new/%s", scene->fixture->path, folder, entry->name);
	snprintf(to, sizeof(to), "%s/%s/cur/%s:2,S", scene->fixture->path, folder, entry->name);
	assert_int_equal(rename(from, to), 0);
}

static void check_moved(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;

	(void)report;
	fault_expect(!scene->misled);
	fault_expect(good || scene->result != STORED_DAMAGED || report->error == FAULT_ENDS);
	fault_expect(take_census(scene).good == 2);
}

static void what_was_moved_is_found(void **state)
{
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_moved, read_one, check_moved, end_reading, &scene,
		false, false };

	assert_true(fault_sweep(&trial) > 100);
}

/* What is shown of a recipient is what became of him. */
static bool look_at_line(const struct list_line *line, void *context)
{
	struct scene *scene = context;
	bool is_reviewed = strcmp(line->stored->entry.id, scene->id) == 0;

	scene->shown++;
	if (line->result == STORED_DAMAGED)
		scene->misled = true;
	if (line->result == STORED_GOOD && line->review != NULL &&
		line->review->lines[0].state != (is_reviewed ? RECIPIENT_RELEASED : RECIPIENT_HELD))
		scene->misled = true;
	if (line->result != STORED_GOOD || line->review == NULL)
		scene->misled = scene->misled || line->trouble == NULL || line->trouble[0] == '\0';
	return true;
}

static bool list_all(void *context)
{
	struct scene *scene = context;
	struct list_filter filter = { .limit = 0 };

	return list_items(&scene->directory, &filter, look_at_line, scene, &scene->err) == 0;
}

static void check_listed(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;

	fault_expect((scene->err.text[0] == '\0') == good);
	/* What is said to be not there, an item or a record, cannot be shown. */
	fault_expect(!scene->misled || report->error == FAULT_ENDS || report->error == ENOENT);
	fault_expect(!good || scene->shown == 2 || report->error == ENOENT);
	fault_expect(take_census(scene).good == 2);
}

static void lists_do_not_mislead(void **state)
{
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_reading, list_all, check_listed, end_reading, &scene,
		false, false };

	assert_true(fault_sweep(&trial) > 100);
}

/* A search in the messages themselves: what is named fits. */
static bool search_all(void *context)
{
	struct scene *scene = context;
	struct list_filter filter = { .text = "\ntwo", .in_message = true };

	return list_items(&scene->directory, &filter, look_at_line, scene, &scene->err) == 0;
}

static void check_found(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;

	fault_expect((scene->err.text[0] == '\0') == good);
	fault_expect(!scene->misled || report->error == FAULT_ENDS || report->error == ENOENT);
	fault_expect(report->failed > 0 ? scene->shown <= 2 : scene->shown == 2);
}

static void searches_do_not_mislead(void **state)
{
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_reading, search_all, check_found, end_reading, &scene,
		false, false };

	assert_true(fault_sweep(&trial) > 100);
}

/* The second recipient refuses it. */
static bool note_one(void *context)
{
	struct scene *scene = context;
	const struct catalogue_entry *entry = catalogue_find(&scene->catalogue, scene->id, NULL);
	struct review review;
	struct stored stored;
	bool good = false;

	if (stored_open(&scene->directory, entry, &stored, &scene->err) == STORED_GOOD &&
		review_read(&scene->directory, &stored.item, &review, &scene->err) == 0) {
		good = review_set(&review, 1, RECIPIENT_REFUSED, "another one", NULL) &&
			review_write(&scene->directory, &stored.item, &review, &scene->err) == 0;
		review_free(&review);
	}
	stored_close(&stored);
	return good;
}

/* The former record or the new one, whole, and nothing is blamed on it. */
static void check_noted(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;
	struct directory directory;
	struct stored stored;
	struct review review;

	fault_expect(fixture_open(scene->fixture, scene->id, &directory, &stored) == STORED_GOOD);
	fault_expect(review_read(&directory, &stored.item, &review, NULL) == 0);
	/* A record that was not there, or empty, is begun again. */
	fault_expect(review.lines[0].state == RECIPIENT_RELEASED || report->error == ENOENT ||
		report->error == FAULT_ENDS);
	fault_expect(review.lines[1].state == RECIPIENT_REFUSED ||
		(!good && review.lines[1].state == RECIPIENT_HELD));
	fault_expect(review.lines[2].state == RECIPIENT_HELD);
	fault_expect(strstr(scene->err.text, "damaged") == NULL || report->error == FAULT_ENDS);
	review_free(&review);
	stored_close(&stored);
	directory_close(&directory);
}

static void records_are_changed_whole(void **state)
{
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_reading, note_one, check_noted, end_reading, &scene,
		false, false };

	assert_true(fault_sweep(&trial) > 100);
}

static bool remove_opened(void *context)
{
	struct scene *scene = context;
	const struct catalogue_entry *entry = catalogue_find(&scene->catalogue, scene->id, NULL);
	struct stored stored;
	bool good;

	good = stored_open(&scene->directory, entry, &stored, &scene->err) == STORED_GOOD &&
		stored_claim(&stored, &scene->err) == STORED_GOOD &&
		stored_remove(&scene->directory, &stored, &scene->err) == 0;
	stored_close(&stored);
	return good;
}

static bool remove_named(void *context)
{
	struct scene *scene = context;

	return catalogue_remove(&scene->directory, scene->id, &scene->err) == 0;
}

/* Gone, it and its record, or still there; the other one is left alone. */
static void check_removed(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;
	struct census census = take_census(scene);

	fault_expect((scene->err.text[0] == '\0') == good);
	fault_expect(census.other == 0 && census.good >= 1 && census.good <= 2);
	fault_expect(!good || report->error == ENOENT ||
		(census.good == 1 && files_in(scene->fixture->path, "review") == 0));
}

static void what_is_removed_is_gone(void **state)
{
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_reading, remove_opened, check_removed, end_reading,
		&scene, false, false };

	assert_true(fault_sweep(&trial) > 50);
	trial.run = remove_named;
	assert_true(fault_sweep(&trial) > 50);
	trial.prepare = prepare_moved;
	trial.run = remove_opened;
	assert_true(fault_sweep(&trial) > 50);
}

/* Full, but a reviewer has removed what was in it meanwhile. */
static void prepare_room(void *context)
{
	struct scene *scene = context;
	const struct store_limits limits = { 0, 1, 0 };
	struct directory directory;

	prepare_store(scene);
	scene->within = scene->by_domain = false;
	assert_true(write_one(scene));
	store_set_limits(scene->store, &limits);
	assert_int_equal(
		directory_open(scene->fixture->path, DIRECTORY_WRITE, &directory, NULL), 0);
	assert_int_equal(catalogue_remove(&directory, scene->id, NULL), 0);
	directory_close(&directory);
	fault_clock(3);
}

static void check_room(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;
	struct census census = take_census(scene);

	fault_clock(0);
	fault_expect((scene->err.text[0] == '\0') == good);
	fault_expect(census.good + census.other <= 1 && census.good >= good);
	fault_expect(report->failed > 1 || census.good == good);
}

static bool look_around(void *context)
{
	struct scene *scene = context;

	return store_check(scene->store, true, &scene->err) == 0;
}

/* What is wrong now is told now, and what was known before is not forgotten for it. */
static void check_looked(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;
	struct store_view view;

	store_look(scene->store, &view);
	fault_expect((scene->err.text[0] == '\0') == good);
	fault_expect(strcmp(view.trouble, scene->err.text) == 0);
	fault_expect(view.items == 1 || report->error == FAULT_ENDS || report->error == ENOENT);
	fault_expect(report->error != FAULT_READ_ONLY ||
		(!good && strstr(view.trouble, "Read-only file system") != NULL));
	fault_expect(take_census(scene).good == 1);
}

static void prepare_look(void *context)
{
	struct scene *scene = context;

	prepare_store(scene);
	scene->within = scene->by_domain = false;
	assert_true(write_one(scene));
}

static void a_look_tells_what_is_wrong(void **state)
{
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_look, look_around, check_looked, free_store, &scene,
		false, false };

	assert_true(fault_sweep(&trial) > 50);
}

static void room_is_looked_for_before_it_is_refused(void **state)
{
	struct scene scene = { .fixture = *state };
	struct fault_trial trial = { prepare_room, write_one, check_room, free_store, &scene, false,
		false };

	assert_true(fault_sweep(&trial) > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rich_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_held_is_whole_and_told),
		TEST(a_store_opens_or_says_why),
		TEST(what_cannot_be_read_is_not_called_damaged),
		TEST(what_was_moved_is_found),
		TEST(lists_do_not_mislead),
		TEST(searches_do_not_mislead),
		TEST(records_are_changed_whole),
		TEST(what_is_removed_is_gone),
		TEST(room_is_looked_for_before_it_is_refused),
		TEST(a_look_tells_what_is_wrong),
	};

	/* Thousands of small files that nobody keeps. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
