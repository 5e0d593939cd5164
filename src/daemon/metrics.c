/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon counts. */
#include "daemon/metrics.h"

#include <pthread.h>
#include <string.h>

const int64_t metrics_bounds_ms[METRICS_BOUNDS] = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000,
	10000, 20000, 60000 };

static struct {
	pthread_mutex_t lock;
	struct metrics_view view;
} metrics = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void observe(struct metrics_histogram *histogram, int64_t us)
{
	size_t bucket = 0;

	while (bucket < METRICS_BOUNDS && us > metrics_bounds_ms[bucket] * 1000)
		bucket++;
	histogram->buckets[bucket]++;
	histogram->sum_us += us;
	histogram->count++;
}

static struct metrics_counter *find_counter(const char *action, const char *reason)
{
	struct metrics_view *view = &metrics.view;

	for (size_t i = 0; i < view->count; i++)
		if (strcmp(view->counters[i].action, action) == 0 &&
			strcmp(view->counters[i].reason, reason) == 0)
			return &view->counters[i];
	if (view->count == METRICS_COUNTERS)
		return &view->counters[METRICS_COUNTERS - 1];
	view->counters[view->count] = (struct metrics_counter){ action, reason, 0 };
	return &view->counters[view->count++];
}

static void count_observed(const char *action)
{
	struct metrics_observed *observed = metrics.view.observed;
	size_t i = 0;

	while (i < METRICS_OBSERVED - 1 && observed[i].action != NULL &&
		strcmp(observed[i].action, action) != 0)
		i++;
	observed[i].action = action;
	observed[i].count++;
}

static void add_one(uint64_t *counter)
{
	pthread_mutex_lock(&metrics.lock);
	(*counter)++;
	pthread_mutex_unlock(&metrics.lock);
}

void metrics_begin(void)
{
	add_one(&metrics.view.begun);
}

void metrics_receive(bool has_id)
{
	add_one(&metrics.view.received);
	if (!has_id)
		add_one(&metrics.view.without_id);
}

void metrics_abandon(void)
{
	add_one(&metrics.view.abandoned);
}

void metrics_put_off(void)
{
	add_one(&metrics.view.put_off);
}

static void observe_scan(const struct verdict *verdict)
{
	if (verdict->scan_us == 0 || verdict->late)
		return;
	observe(&metrics.view.scan, verdict->scan_us);
	observe(&metrics.view.wait, verdict->wait_us);
}

void metrics_count(const struct judgement *judgement)
{
	pthread_mutex_lock(&metrics.lock);
	if (judgement->action.would != NULL)
		count_observed(judgement->action.would);
	metrics.view.marks[judgement->mark]++;
	find_counter(action_word(&judgement->action), judgement->reason)->count++;
	for (size_t i = 0; i < judgement->verdict_count; i++)
		observe_scan(&judgement->verdicts[i]);
	observe(&metrics.view.total, judgement->total_us);
	pthread_mutex_unlock(&metrics.lock);
}

void metrics_look(struct metrics_view *ret_view)
{
	pthread_mutex_lock(&metrics.lock);
	*ret_view = metrics.view;
	pthread_mutex_unlock(&metrics.lock);
}
