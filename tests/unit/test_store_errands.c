/* SPDX-License-Identifier: BSD-2-Clause */
/* Slow and hanging disks (F38): who waits, for how long, and what is undone when nobody does. */
#include "quarantine_fixture.h"

#include <pthread.h>

#include "faults.h"
#include "quarantine/errand.h"
#include "quarantine/limits.h"

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

/* What errands_free() left to its threads is freed as well. */
static void await_blocks(long blocks)
{
	const struct deadline patience = deadline_after_ms(60000);

	while (fault_blocks() != blocks && !deadline_passed(patience))
		usleep(1000);
	assert_int_equal(fault_blocks(), blocks);
}

/* F38: a disk that hangs gets so many errands and no more, and each is freed in the end. */
static void a_hanging_disk_has_a_queue_that_ends(void **state)
{
	const struct deadline patience = deadline_after_ms(60000);
	struct gate gate = { PTHREAD_MUTEX_INITIALIZER, 0, 0 };
	const long blocks = fault_blocks();
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
	await_blocks(blocks);
}

/* No thread more can be started: those that are there do it. */
static void one_thread_is_enough(void **state)
{
	const struct deadline patience = deadline_after_ms(60000);
	const struct fault no_threads = { .at = 1, .lasting = true };
	struct gate gate = { PTHREAD_MUTEX_INITIALIZER, 0, 0 };
	const long blocks = fault_blocks();
	struct errands *errands = errands_new();
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	struct errand_patience moment = { deadline_after_ms(0), { NULL, NULL } };
	struct errand *errand = &waiting->errand;
	struct err err = ERR_INIT;

	(void)state;
	/* Nor the first: that is an error. */
	*waiting = (struct waiting){ .errand = { .run = wait_at_gate, .destroy = forget_waiting },
		.gate = &gate };
	fault_set(&no_threads);
	assert_int_equal(errands_do(errands, errand, &moment, &err), ERRAND_FAILED);
	assert_string_equal(fault_clear().call, "pthread_create");
	assert_non_null(strstr(err.text, "cannot start a thread"));
	errand_release(errands, &errand);
	assert_int_equal(gate.destroyed, 1);
	pthread_mutex_lock(&gate.lock);
	while (__atomic_load_n(&gate.entered, __ATOMIC_SEQ_CST) < 1) {
		assert_false(deadline_passed(patience));
		assert_int_equal(send_to_gate(errands, &gate, 200), ERRAND_ABANDONED);
	}
	waiting = calloc(1, sizeof(*waiting));
	*waiting = (struct waiting){ .errand = { .run = wait_at_gate, .destroy = forget_waiting },
		.gate = &gate };
	errand = &waiting->errand;
	fault_set(&no_threads);
	assert_int_equal(errands_do(errands, errand, &moment, NULL), ERRAND_ABANDONED);
	assert_string_equal(fault_clear().call, "pthread_create");
	errand_release(errands, &errand);
	pthread_mutex_unlock(&gate.lock);
	assert_int_equal(send_to_gate(errands, &gate, 60000), ERRAND_GOOD);
	errands_free(&errands);
	await_blocks(blocks);
}

static size_t items_in(const struct fixture *fixture)
{
	struct directory directory;
	struct catalogue catalogue;
	size_t count;

	assert_int_equal(directory_open(fixture->path, DIRECTORY_READ, &directory, NULL), 0);
	assert_int_equal(catalogue_read(&directory, &catalogue, NULL), 0);
	count = catalogue.count;
	catalogue_free(&catalogue);
	directory_close(&directory);
	return count;
}

/* Every thread is at a disk that hangs: mail is put off, and nothing is written later. */
static void what_was_not_begun_is_not_done(void **state)
{
	const struct deadline patience = deadline_after_ms(60000);
	const struct errand_patience moment = { deadline_after_ms(0), { NULL, NULL } };
	const long blocks = fault_blocks();
	struct gate gate = { PTHREAD_MUTEX_INITIALIZER, 0, 0 };
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct store_request request = fixture_request(fixture);
	struct store_view view;
	char id[ITEM_ID_SIZE];
	struct err err = ERR_INIT;

	pthread_mutex_lock(&gate.lock);
	while (__atomic_load_n(&gate.entered, __ATOMIC_SEQ_CST) < LIMIT_WRITERS) {
		assert_false(deadline_passed(patience));
		(void)send_to_gate(store_errands(store), &gate, 20);
	}
	assert_int_equal(store_write_within(store, &request, &moment, id, &err), -1);
	assert_non_null(strstr(err.text, "too slow"));
	store_look(store, &view);
	assert_int_equal(view.abandoned, 1);
	assert_int_equal(view.items, 0);
	pthread_mutex_unlock(&gate.lock);
	store_free(&store);
	await_blocks(blocks);
	assert_int_equal(items_in(fixture), 0);
}

/* The second fsync of a write is that of the folder new: the item is there, and not yet durable. */
struct hanging_fsync {
	const struct fixture *fixture;
	bool goes_away; /* the quarantine, meanwhile */
	unsigned calls, returned;
};

static void hang(void *context)
{
	const struct deadline patience = deadline_after_ms(60000);
	struct hanging_fsync *hanging = context;
	char away[128];

	if (__atomic_add_fetch(&hanging->calls, 1, __ATOMIC_SEQ_CST) != 2)
		return;
	while (!__atomic_load_n(&hanging->returned, __ATOMIC_SEQ_CST) && !deadline_passed(patience))
		usleep(1000);
	snprintf(away, sizeof(away), "%s.away", hanging->fixture->path);
	if (hanging->goes_away)
		(void)rename(hanging->fixture->path, away);
}

/* Write until a write hangs in its last step when nobody waits any more. */
static void hang_at_the_end(struct fixture *fixture, bool goes_away)
{
	struct store_request request = fixture_request(fixture);
	struct hanging_fsync hanging = { .fixture = fixture };
	const long blocks = fault_blocks();
	char id[ITEM_ID_SIZE];

	hanging.goes_away = goes_away;
	for (int64_t ms = 200; hanging.calls < 2; ms *= 2) {
		const struct errand_patience patience = { deadline_after_ms(ms), { NULL, NULL } };
		struct store *store = fixture_store(fixture, 0, 0);
		struct err err = ERR_INIT;

		assert_true(ms < 60000);
		hanging.calls = hanging.returned = 0;
		fault_at_fsync(hang, &hanging);
		assert_int_equal(store_write_within(store, &request, &patience, id, &err), -1);
		assert_non_null(strstr(err.text, "too slow"));
		__atomic_store_n(&hanging.returned, 1, __ATOMIC_SEQ_CST);
		store_free(&store);
		await_blocks(blocks);
		fault_at_fsync(NULL, NULL);
	}
}

static void what_came_too_late_is_taken_back(void **state)
{
	struct fixture *fixture = *state;
	char away[128];

	hang_at_the_end(fixture, false);
	assert_int_equal(items_in(fixture), 0);
	/* Only a quarantine that is not there keeps it: the sender tries again, and there are two. */
	hang_at_the_end(fixture, true);
	snprintf(away, sizeof(away), "%s.away", fixture->path);
	assert_int_equal(rename(away, fixture->path), 0);
	assert_int_equal(items_in(fixture), 1);
}

struct watcher {
	struct store *store;
	unsigned seen; /* changes, atomic */
};

#define CHANGES 20

static void *watch(void *context)
{
	struct watcher *watcher = context;
	struct store_view view;

	for (unsigned i = 0; i < CHANGES; i++) {
		store_await_change(watcher->store, i % 2 == 1, deadline_after_ms(60000), &view);
		if ((view.trouble[0] != '\0') == (i % 2 == 0))
			__atomic_fetch_add(&watcher->seen, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* Who waits is woken by each change between trouble and none, and sees which. */
static void changes_wake_who_waits(void **state)
{
	const struct deadline patience = deadline_after_ms(60000);
	const struct store_limits limits[] = { { 0, 0, 0 }, { 0, 0, UINT64_MAX / 2 } };
	struct fixture *fixture = *state;
	struct store *store = fixture_store(fixture, 0, 0);
	struct watcher watcher = { store, 0 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, watch, &watcher), 0);
	for (unsigned i = 0; i < CHANGES; i++) {
		store_set_limits(store, &limits[i % 2 == 0]);
		assert_int_equal(store_check(store, false, NULL), i % 2 == 0 ? -1 : 0);
		while (__atomic_load_n(&watcher.seen, __ATOMIC_SEQ_CST) <= i) {
			assert_false(deadline_passed(patience));
			usleep(1000);
		}
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(watcher.seen, CHANGES);
	store_free(&store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hanging_disk_has_a_queue_that_ends),
		cmocka_unit_test(one_thread_is_enough),
		TEST(what_was_not_begun_is_not_done),
		TEST(what_came_too_late_is_taken_back),
		TEST(changes_wake_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
