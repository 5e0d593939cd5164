/* SPDX-License-Identifier: BSD-2-Clause */
/* The alarm of the quarantine, and what status says of it. */
#include "daemon/store_watch.h"

#include <pthread.h>
#include <time.h>

#include "base/log.h"
#include "base/thread.h"

/* How often it is looked at: in trouble, until it is well again, and else. Milliseconds. */
#define CHECK_TROUBLE_MS 5000
#define CHECK_MS         10000
/* How often its files are counted, seconds: reviewers and expiry remove some. */
#define COUNT_S 300
/* How often an alarm is repeated while it lasts, seconds. */
#define REPEAT_S 3600

struct watch {
	struct store *store;
	bool troubled, filling; /* as it was told last */
	int64_t told_us, counted_us;
};

static int64_t seconds_since(int64_t us)
{
	return (clock_now_us() - us) / 1000000;
}

static void tell_trouble(struct watch *watch, const struct store_view *view)
{
	bool troubled = view->trouble[0] != '\0';

	if (troubled && (!watch->troubled || seconds_since(watch->told_us) >= REPEAT_S)) {
		log_err(NULL, "ALARM: nothing can be held, such mail is put off: %s",
			view->trouble);
		watch->told_us = clock_now_us();
	}
	if (!troubled && watch->troubled)
		log_warn(NULL, "the quarantine is well again: %llu messages, %llu bytes",
			(unsigned long long)view->items, (unsigned long long)view->bytes);
	watch->troubled = troubled;
}

static void tell(struct watch *watch, const struct store_view *view)
{
	tell_trouble(watch, view);
	if (view->filling && !watch->filling && !watch->troubled)
		log_warn(NULL,
			"the quarantine is nearly full: %llu of %llu messages, "
			"%llu of %llu bytes; then such mail is put off",
			(unsigned long long)view->items, (unsigned long long)view->limits.max_items,
			(unsigned long long)view->bytes,
			(unsigned long long)view->limits.max_bytes);
	watch->filling = view->filling;
}

static void *watch_main(void *context)
{
	struct watch *watch = context;
	struct store_view view;

	store_look(watch->store, &view);
	for (;;) {
		struct deadline next;
		bool count;

		tell(watch, &view);
		next = deadline_after_ms(watch->troubled ? CHECK_TROUBLE_MS : CHECK_MS);
		store_await_change(watch->store, watch->troubled, next, &view);
		tell(watch, &view);
		if (!deadline_passed(next))
			continue;
		count = watch->troubled || seconds_since(watch->counted_us) >= COUNT_S;
		(void)store_check(watch->store, count, NULL);
		if (count)
			watch->counted_us = clock_now_us();
		store_look(watch->store, &view);
	}
	return NULL;
}

int store_watch_start(struct store *store, struct err *err)
{
	static struct watch watch;
	pthread_t thread;
	int errnum;

	watch = (struct watch){ .store = store, .counted_us = clock_now_us() };
	errnum = thread_start(&thread, watch_main, &watch);
	if (errnum != 0)
		return err_set_errno(err, errnum, "cannot start the thread of the quarantine");
	pthread_detach(thread);
	return 0;
}

json_t *store_status(struct store *store)
{
	struct store_view view;

	if (store == NULL)
		return json_null();
	store_look(store, &view);
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:I}",
		"directory", control_text(store_path(store)), "items", (json_int_t)view.items,
		"max_items", (json_int_t)view.limits.max_items, "bytes", (json_int_t)view.bytes,
		"max_size", (json_int_t)view.limits.max_bytes, "free_bytes",
		(json_int_t)view.free_bytes, "reserve", (json_int_t)view.limits.reserve_bytes,
		"written", (json_int_t)view.written, "failed", (json_int_t)view.failed, "too_slow",
		(json_int_t)view.abandoned, "filling", (int)view.filling, "trouble",
		control_text(view.trouble), "trouble_since", (json_int_t)view.trouble_since_s);
}
