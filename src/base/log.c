/* SPDX-License-Identifier: BSD-2-Clause */
/* Logging to syslog, the journal or standard error through a writer thread. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/deadline.h"
#include "base/encode.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log_journal.h"
#include "base/thread.h"

/* Most records that are written together. */
#define BATCH 64

/*
 * How long the writer leaves alone what comes right after a batch, milliseconds: to wake it for
 * each of thousands of records a second costs more than all else that is done for a record.
 */
#define LINGER_MS 5

/* What is known of a record besides its text. */
struct kind {
	enum log_level level;
	size_t id_length; /* the text begins with a queue id of so many bytes */
	bool pairs;
};

struct record {
	struct record *next;
	struct kind kind;
	char text[];
};

/* One log per process: guarded by its lock, except the level, which every message reads. */
static struct {
	const char *program;
	enum log_target target;
	_Atomic enum log_level level;
	atomic_uint_fast64_t dropped;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t writer;
	bool running;
	bool stopping;
	bool writing;
	bool idle;  /* the writer waits for a record and is to be told of it */
	bool hurry; /* somebody waits until all is written */
	struct record *first, **last;
	size_t queued;
} state = {
	.program = "spambridge",
	.target = LOG_TARGET_STDERR,
	.level = LOG_LEVEL_INFO,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.last = &state.first,
};

/* Is standard error the stream that systemd connected to the journal? (systemd.exec(5)) */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat status;
	char expected[64];

	if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
		return false;
	snprintf(expected, sizeof(expected), "%llu:%llu", (unsigned long long)status.st_dev,
		(unsigned long long)status.st_ino);
	return strcmp(stream, expected) == 0;
}

static enum log_target resolve_target(enum log_target target)
{
	if (target != LOG_TARGET_AUTO)
		return target;
	if (stderr_is_journal())
		return LOG_TARGET_JOURNAL;
	return isatty(STDERR_FILENO) ? LOG_TARGET_STDERR : LOG_TARGET_SYSLOG;
}

void log_setup(const char *program, enum log_target target, enum log_level level)
{
	target = resolve_target(target);
	pthread_mutex_lock(&state.lock);
	state.program = program;
	state.target = target;
	pthread_mutex_unlock(&state.lock);
	log_set_level(level);
	if (target == LOG_TARGET_SYSLOG)
		openlog(program, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void log_set_level(enum log_level level)
{
	atomic_store(&state.level, level);
}

uint64_t log_dropped(void)
{
	return atomic_load(&state.dropped);
}

static int priority_of(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	case LOG_LEVEL_WARNING:
		return LOG_WARNING;
	case LOG_LEVEL_INFO:
		return LOG_INFO;
	case LOG_LEVEL_DEBUG:
		break;
	}
	return LOG_DEBUG;
}

static void put_line(struct buf *out, enum log_level level, const char *text)
{
	static const char *const words[] = { "error: ", "warning: ", "", "debug: " };

	if (!buf_printf(out, "%s: %s%s\n", state.program, words[level], text))
		atomic_fetch_add(&state.dropped, 1);
}

/* Count the lines that could not be written; a part of them may have been. */
static void drop_lines(const struct buf *lines)
{
	const char *at = lines->data, *end = at + lines->length;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		atomic_fetch_add(&state.dropped, 1);
		at++;
	}
}

/* Write the lines that were put together, and forget them. */
static void flush_lines(struct buf *lines)
{
	if (lines->length > 0 && io_write_all(STDERR_FILENO, lines->data, lines->length) != 0)
		drop_lines(lines);
	buf_clear(lines);
}

/* Write one record, or put its line to those that are written together. */
static void write_record(const struct kind *kind, const char *text, struct buf *lines)
{
	const struct journal_record record = { .program = state.program,
		.priority = priority_of(kind->level),
		.text = text,
		.id_length = kind->id_length,
		.pairs = kind->pairs };

	switch (state.target) {
	case LOG_TARGET_SYSLOG:
		syslog(record.priority, "%s", text);
		return;
	case LOG_TARGET_JOURNAL:
		if (log_journal_send(&record) == 0)
			return;
		break;
	case LOG_TARGET_AUTO:
	case LOG_TARGET_STDERR:
		break;
	}
	put_line(lines, kind->level, text);
}

static void write_at_once(const struct kind *kind, const char *text)
{
	struct buf line;

	buf_init(&line, 2 * LIMIT_LOG_RECORD);
	write_record(kind, text, &line);
	flush_lines(&line);
	buf_free(&line);
}

/* Take at most a batch off the queue; with the lock. NULL when nothing is queued. */
static struct record *take_batch(void)
{
	struct record *first = state.first, **end = &state.first;

	for (size_t count = 0; *end != NULL && count < BATCH; count++) {
		end = &(*end)->next;
		state.queued--;
	}
	state.first = *end;
	*end = NULL;
	if (state.first == NULL)
		state.last = &state.first;
	return first;
}

/* With the lock, which is given up meanwhile. By the kernel's clock, whatever ours says. */
static void linger(void)
{
	const struct timespec pause = { .tv_nsec = LINGER_MS * 1000000L };

	pthread_mutex_unlock(&state.lock);
	nanosleep(&pause, NULL);
	pthread_mutex_lock(&state.lock);
}

/* The next batch, waiting for one; NULL when it is time to end. */
static struct record *next_batch(void)
{
	struct record *batch;

	pthread_mutex_lock(&state.lock);
	if (state.writing) {
		state.writing = false;
		pthread_cond_broadcast(&state.changed);
		if (state.queued < BATCH && !state.hurry)
			linger();
	}
	while (state.first == NULL && !state.stopping) {
		state.idle = true;
		pthread_cond_wait(&state.changed, &state.lock);
	}
	state.idle = false;
	batch = take_batch();
	state.writing = batch != NULL;
	pthread_mutex_unlock(&state.lock);
	return batch;
}

/* Write a batch and free it. */
static void write_batch(struct record *batch, struct buf *lines)
{
	while (batch != NULL) {
		struct record *record = batch;

		batch = record->next;
		write_record(&record->kind, record->text, lines);
		free(record);
	}
	flush_lines(lines);
}

/* Say how many records were dropped since it was said last. */
static void tell_dropped(uint64_t *told, struct buf *lines)
{
	uint64_t dropped = log_dropped();
	char text[128];

	if (dropped == *told)
		return;
	snprintf(text, sizeof(text),
		"%llu log records were dropped: the log is too slow or cannot be written",
		(unsigned long long)(dropped - *told));
	write_record(&(struct kind){ .level = LOG_LEVEL_WARNING }, text, lines);
	flush_lines(lines);
	*told = dropped;
}

static void *writer_main(void *unused)
{
	struct record *batch;
	struct buf lines;
	uint64_t told = 0;

	(void)unused;
	buf_init(&lines, BATCH * 2 * LIMIT_LOG_RECORD);
	while ((batch = next_batch()) != NULL) {
		write_batch(batch, &lines);
		tell_dropped(&told, &lines);
	}
	buf_free(&lines);
	return NULL;
}

int log_start(struct err *err)
{
	int errnum;

	condition_init(&state.changed);
	errnum = thread_start(&state.writer, writer_main, NULL);
	if (errnum != 0)
		return err_set_errno(err, errnum, "cannot start the log writer");
	pthread_mutex_lock(&state.lock);
	state.running = true;
	state.stopping = state.hurry = false;
	pthread_mutex_unlock(&state.lock);
	return 0;
}

void log_stop(int timeout_ms)
{
	struct deadline until = deadline_after_ms(timeout_ms);
	bool drained = true;

	pthread_mutex_lock(&state.lock);
	if (!state.running) {
		pthread_mutex_unlock(&state.lock);
		return;
	}
	state.hurry = true;
	pthread_cond_broadcast(&state.changed);
	while (drained && (state.first != NULL || state.writing))
		drained = condition_wait(&state.changed, &state.lock, until);
	state.stopping = true;
	state.running = false;
	pthread_cond_broadcast(&state.changed);
	pthread_mutex_unlock(&state.lock);
	/* A writer that hangs in a blocked syslog is left behind: the process is about to end. */
	if (drained)
		pthread_join(state.writer, NULL);
	else
		pthread_detach(state.writer);
}

/* Queue a record; false when there is no writer and the caller must write it itself. */
static bool enqueue(const struct kind *kind, const char *text)
{
	size_t length = strlen(text);
	struct record *record = malloc(sizeof(*record) + length + 1);
	bool running;

	if (record != NULL) {
		record->next = NULL;
		record->kind = *kind;
		memcpy(record->text, text, length + 1);
	}
	pthread_mutex_lock(&state.lock);
	running = state.running;
	if (running && record != NULL && state.queued < LIMIT_LOG_QUEUE) {
		*state.last = record;
		state.last = &record->next;
		state.queued++;
		record = NULL;
		if (state.idle)
			pthread_cond_broadcast(&state.changed);
	} else if (running) {
		atomic_fetch_add(&state.dropped, 1);
	}
	pthread_mutex_unlock(&state.lock);
	free(record);
	return running;
}

/* The last line of defence against text that nobody encoded. */
static void replace_controls(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void log_va(const struct kind *kind, const char *id, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void log_va(const struct kind *wanted, const char *id, const char *format, va_list args)
{
	struct kind kind = *wanted;
	char text[LIMIT_LOG_RECORD];
	size_t used = 0;
	int length;

	if (kind.level > atomic_load(&state.level))
		return;
	if (id != NULL) {
		struct buf encoded;

		buf_init(&encoded, sizeof(text) / 2);
		encode_log(&encoded, id, strlen(id));
		used = (size_t)snprintf(text, sizeof(text) / 2, "%s: ", buf_text(&encoded));
		kind.id_length = encoded.length;
		buf_free(&encoded);
	}
	length = vsnprintf(text + used, sizeof(text) - used, format, args);
	if (length < 0)
		return;
	replace_controls(text);
	if (!enqueue(&kind, text))
		write_at_once(&kind, text);
}

#define LOG_FUNCTION(name, severity)                              \
	void name(const char *id, const char *format, ...)        \
	{                                                         \
		const struct kind kind = { .level = (severity) }; \
		va_list args;                                     \
		va_start(args, format);                           \
		log_va(&kind, id, format, args);                  \
		va_end(args);                                     \
	}

LOG_FUNCTION(log_err, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void log_pairs(const char *format, ...)
{
	const struct kind kind = { .level = LOG_LEVEL_INFO, .pairs = true };
	va_list args;

	va_start(args, format);
	log_va(&kind, NULL, format, args);
	va_end(args);
}
