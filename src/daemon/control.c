/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: a thread that answers spambridgectl. */
#include "daemon/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"
#include "config.h"
#include "daemon/health.h"
#include "daemon/metrics.h"
#include "daemon/metrics_text.h"
#include "daemon/process.h"
#include "daemon/runtime.h"
#include "daemon/socket.h"
#include "daemon/store_watch.h"
#include "daemon/upkeep.h"
#include "protocol/control.h"

/* One client is served at a time, and for this long in all, milliseconds: others wait. */
#define CLIENT_MS 5000

/* Most bytes of an answer. */
#define ANSWER_BYTES (4 * 1024 * 1024)

static struct {
	int fd;
} control = { .fd = -1 };

int control_reload(struct strlist *errors)
{
	/* The configuration parser is not made for two threads. */
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	int result;

	pthread_mutex_lock(&one_at_a_time);
	process_notify_reloading();
	result = runtime_reload(errors);
	if (result == 0) {
		log_info(NULL, "configuration reloaded");
		upkeep_wake();
	} else {
		log_err(NULL, "reload failed, the former configuration stays in use");
	}
	for (size_t i = 0; i < errors->count; i++)
		log_err(NULL, "%s", errors->items[i]);
	process_notify_ready();
	pthread_mutex_unlock(&one_at_a_time);
	return result;
}

static json_t *server_object(const struct server_view *view)
{
	return json_pack("{s:o, s:o, s:b, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:I}",
		"scorer", control_text(view->scorer), "server", control_text(view->server),
		"healthy", (int)view->healthy, "busy", (int)view->busy, "slots", (int)view->slots,
		"waiting", (int)view->waiting, "answered", (json_int_t)view->answered, "refused",
		(json_int_t)view->refused, "nonsense", (json_int_t)view->nonsense, "silent",
		(json_int_t)view->silent, "given_up", (json_int_t)view->given_up, "latency_ms",
		(double)view->latency_us / 1000.0, "last_error", control_text(view->last_error),
		"last_error_at", (json_int_t)view->last_error_s);
}

static json_t *servers_array(struct pool *pool)
{
	size_t count;
	struct server_view *views = pool_view(pool, &count);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, server_object(&views[i]));
	free(views);
	return array;
}

static json_t *counters_object(const struct metrics_view *view)
{
	json_t *object = json_object();

	for (size_t i = 0; i < view->count; i++) {
		const struct metrics_counter *counter = &view->counters[i];
		char key[64];

		snprintf(key, sizeof(key), "%s_%s", counter->action, counter->reason);
		json_object_set_new(object, key, json_integer((json_int_t)counter->count));
	}
	return object;
}

static json_t *late_object(void)
{
	struct late_view view;

	late_store_view(runtime_late(), &view);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "running", (json_int_t)view.running, "kept",
		(json_int_t)view.kept, "adopted", (json_int_t)view.adopted, "finished",
		(json_int_t)view.finished, "used", (json_int_t)view.used);
}

static json_t *upkeep_object(void)
{
	struct upkeep_view view;

	upkeep_look(&view);
	return json_pack("{s:{s:I, s:I, s:I, s:I}, s:{s:b, s:I, s:I, s:b}, s:o}", "expiry",
		"looked_at", (json_int_t)view.looked_s, "removed", (json_int_t)view.removed,
		"announced", (json_int_t)view.announced, "failed", (json_int_t)view.failed,
		"digest", "wanted", (int)view.digests, "last_at", (json_int_t)view.digest_s,
		"waiting_since", (json_int_t)view.waiting_s, "overdue", (int)view.overdue,
		"last_error", control_text(view.last_error));
}

/* Taken at one moment, so that they add up. */
static void add_counters(json_t *answer)
{
	struct metrics_view view;

	metrics_look(&view);
	json_object_set_new(answer, "begun", json_integer((json_int_t)view.begun));
	json_object_set_new(answer, "received", json_integer((json_int_t)view.received));
	json_object_set_new(answer, "without_id", json_integer((json_int_t)view.without_id));
	json_object_set_new(answer, "abandoned", json_integer((json_int_t)view.abandoned));
	json_object_set_new(answer, "counters", counters_object(&view));
}

static void add_health(json_t *answer)
{
	struct strlist reasons = { 0 };
	json_t *array = json_array();

	json_object_set_new(answer, "health", json_string(health_word(health_look(&reasons))));
	for (size_t i = 0; i < reasons.count; i++)
		json_array_append_new(array, control_text(reasons.items[i]));
	json_object_set_new(answer, "reasons", array);
	strlist_free(&reasons);
}

static json_t *status_answer(void)
{
	struct pool *pool = runtime_pool();
	json_t *answer = control_answer_new(true);
	struct runtime_view view;

	runtime_look(&view);
	json_object_set_new(answer, "program_version", json_string(PACKAGE_VERSION));
	json_object_set_new(answer, "pid", json_integer(getpid()));
	json_object_set_new(answer, "started_at", json_integer(view.started_at));
	json_object_set_new(answer, "uptime_s", json_integer(time(NULL) - view.started_at));
	json_object_set_new(answer, "config", control_text(pool_settings(pool)->path));
	json_object_set_new(answer, "loaded_at", json_integer(view.loaded_at));
	json_object_set_new(answer, "sessions", json_integer(view.sessions));
	json_object_set_new(answer, "messages", json_integer(view.messages));
	add_health(answer);
	json_object_set_new(answer, "servers", servers_array(pool));
	json_object_set_new(answer, "late", late_object());
	json_object_set_new(answer, "quarantine", store_status(runtime_store()));
	json_object_set_new(answer, "upkeep", upkeep_object());
	add_counters(answer);
	json_object_set_new(answer, "log_dropped", json_integer((json_int_t)log_dropped()));
	pool_free(&pool);
	return answer;
}

static json_t *metrics_answer(void)
{
	json_t *answer = control_answer_new(true);
	struct buf text;

	buf_init(&text, ANSWER_BYTES);
	if (metrics_print(&text))
		json_object_set_new(answer, "metrics", control_text(buf_text(&text)));
	buf_free(&text);
	return answer;
}

static json_t *reload_answer(void)
{
	struct strlist errors = { 0 };
	json_t *answer = control_answer_new(control_reload(&errors) == 0);
	json_t *array = json_array();

	for (size_t i = 0; i < errors.count; i++)
		json_array_append_new(array, control_text(errors.items[i]));
	json_object_set_new(answer, "errors", array);
	strlist_free(&errors);
	return answer;
}

static json_t *answer_request(const char *line, size_t length)
{
	struct err err = ERR_INIT;
	enum control_command command;
	json_t *answer;

	if (control_request_parse(line, length, &command, &err) != 0) {
		answer = control_answer_new(false);
		json_object_set_new(answer, "errors", json_pack("[o]", control_text(err.text)));
		return answer;
	}
	switch (command) {
	case CONTROL_STATUS:
		return status_answer();
	case CONTROL_METRICS:
		return metrics_answer();
	case CONTROL_RELOAD:
		break;
	}
	return reload_answer();
}

/* Wait for the client within its time. */
static bool ready(int fd, short events, struct deadline until)
{
	struct pollfd set = { .fd = fd, .events = events };

	return poll(&set, 1, deadline_ms_left(until)) > 0;
}

static bool send_all(int fd, const struct buf *text, struct deadline until)
{
	size_t sent = 0;

	while (sent < text->length && ready(fd, POLLOUT, until)) {
		ssize_t now = send(
			fd, text->data + sent, text->length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (now < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		sent += now > 0 ? (size_t)now : 0;
	}
	return sent == text->length;
}

/* Read until `line` holds a whole one; its length, or 0 when none comes. */
static size_t read_line(int fd, struct buf *line, struct deadline until)
{
	char piece[1024];

	for (;;) {
		const char *end = memchr(buf_text(line), '\n', line->length);
		ssize_t got;

		if (end != NULL)
			return (size_t)(end - line->data) + 1;
		if (!ready(fd, POLLIN, until))
			return 0;
		got = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
		if (got > 0 && !buf_append(line, piece, (size_t)got))
			return 0;
	}
}

static void serve(int fd)
{
	struct deadline until = deadline_after_ms(CLIENT_MS);
	struct buf line, answer;
	size_t length;
	bool good = true;

	buf_init(&line, LIMIT_CONTROL_REQUEST);
	buf_init(&answer, ANSWER_BYTES);
	while (good && (length = read_line(fd, &line, until)) > 0) {
		good = control_answer_print(answer_request(line.data, length - 1), &answer) &&
			send_all(fd, &answer, until);
		buf_clear(&answer);
		buf_consume(&line, length);
	}
	buf_free(&line);
	buf_free(&answer);
}

static void *control_main(void *unused)
{
	(void)unused;
	for (;;) {
		int fd;

		if (!ready(control.fd, POLLIN, deadline_never()))
			continue;
		fd = accept4(control.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			serve(fd);
			close(fd);
		} else if (errno == EMFILE || errno == ENFILE) {
			const struct timespec pause = { .tv_nsec = 50000000 };

			nanosleep(&pause, NULL);
		}
	}
	return NULL;
}

int control_start(const struct settings *settings, struct err *err)
{
	pthread_t thread;
	int errnum;

	if (settings->control[0] == '\0')
		return 0;
	control.fd = socket_listen_unix(settings->control, 0660, err);
	if (control.fd < 0)
		return -1;
	errnum = thread_start(&thread, control_main, NULL);
	if (errnum != 0)
		return err_set_errno(err, errnum, "cannot start the control thread");
	pthread_detach(thread);
	return 0;
}

void control_stop(const struct settings *settings)
{
	if (control.fd >= 0)
		(void)unlink(settings->control);
}
