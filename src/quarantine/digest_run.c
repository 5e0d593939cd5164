/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending the digests of a period once, also across restarts. */
#include "quarantine/digest_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/io.h"
#include "quarantine/address.h"
#include "quarantine/limits.h"

#define MAIL_SIZE (24 * 1024 * 1024)
#define LAST_FILE "last"

struct run {
	const struct directory *directory;
	struct digest_options options;
	struct courier *courier;
	int fd;           /* sent.N, locked */
	struct buf known; /* what it says */
	struct digest_result *result;
};

static bool read_file(const struct directory *directory, const char *name, struct buf *content)
{
	AUTO(descriptor_close) int fd = directory_open_file(directory, FOLDER_DIGEST, name);
	char piece[4096];
	ssize_t got = -1;

	while (fd >= 0 && (got = read(fd, piece, sizeof(piece))) > 0)
		buf_append(content, piece, (size_t)got);
	return fd >= 0 && got == 0 && !content->failed;
}

int64_t digest_last(const struct directory *directory)
{
	AUTO(buf_free) struct buf content;
	struct cursor cursor;
	uint64_t number = 0;

	buf_init(&content, 64);
	if (!read_file(directory, LAST_FILE, &content))
		return 0;
	cursor = cursor_over(buf_text(&content), content.length);
	return cursor_number(&cursor, 99999999999, &number) ? (int64_t)number : 0;
}

static int set_last(const struct directory *directory, int64_t time_s, struct err *err)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%" PRId64 "\n", time_s);

	return directory_replace(directory, FOLDER_DIGEST, LAST_FILE, text, (size_t)length, err);
}

/* The first line of sent.N; 0 when it is missing. */
static int64_t until_of(const struct buf *known)
{
	struct cursor cursor = cursor_over(buf_text(known), known->length);
	uint64_t number = 0;

	return cursor_literal(&cursor, "until ") && cursor_number(&cursor, 99999999999, &number) &&
			cursor_byte(&cursor, '\n') ?
		(int64_t)number :
		0;
}

static int append(struct run *run, const char *line, struct err *err)
{
	if (io_write_all(run->fd, line, strlen(line)) != 0 || fsync(run->fd) != 0)
		return err_set_errno(err, errno, "cannot note whom the digest went to");
	return 0;
}

static bool was_sent(const struct run *run, const char *to)
{
	struct cursor cursor = cursor_over(buf_text(&run->known), run->known.length), line;

	while (cursor_line(&cursor, &line))
		if (cursor_left(&line) == strlen(to) && memcmp(line.at, to, strlen(to)) == 0)
			return true;
	return false;
}

static long read_buf(const void *context, uint64_t offset, void *bytes, size_t size)
{
	const struct buf *buf = context;
	size_t left = offset < buf->length ? buf->length - (size_t)offset : 0;

	if (left > size)
		left = size;
	memcpy(bytes, buf_text(buf) + offset, left);
	return (long)left;
}

static bool has_utf8(const char *text)
{
	while (*text != '\0')
		if ((unsigned char)*text++ >= 0x80)
			return true;
	return false;
}

/* The null sender: a digest that cannot be delivered needs no notice of it (RFC 3834). */
static int send_one(struct run *run, const struct digest_mail *mail, struct err *err)
{
	struct outgoing outgoing = { "", mail->to, has_utf8(mail->to), false, "", read_buf, NULL };
	char reply[COURIER_REPLY_SIZE], line[LIMIT_SMTP_LINE + 8];
	enum delivery delivery;
	struct buf content;

	buf_init(&content, MAIL_SIZE);
	if (!digest_render(&content, mail, &run->options)) {
		buf_free(&content);
		return err_set(err, "out of memory");
	}
	outgoing.context = &content;
	delivery = courier_send(run->courier, &outgoing, reply);
	buf_free(&content);
	if (delivery == DELIVERY_DEFERRED) {
		run->result->deferred++;
		err_set(err, "%s", reply);
		return 0;
	}
	if (delivery == DELIVERY_REFUSED)
		run->result->refused++;
	else
		run->result->sent++;
	snprintf(line, sizeof(line), "%.*s\n", LIMIT_SMTP_LINE, mail->to);
	return append(run, line, err);
}

static int send_all(struct run *run, struct err *err)
{
	struct digest_set set;
	int result = digest_collect(run->directory, &run->options, &set, err);

	if (result != 0)
		return -1;
	for (size_t i = 0; i < set.count && result == 0; i++) {
		if (was_sent(run, set.mails[i].to))
			run->result->before++;
		else
			result = send_one(run, &set.mails[i], err);
	}
	digest_set_free(&set);
	if (result != 0 || run->result->deferred > 0)
		return result;
	return set_last(run->directory, run->options.until_s, err);
}

/*
 * What an earlier period left unfinished is finished by the one that follows: nobody is told of
 * the same item twice because somebody else's mail was deferred. Old files go.
 */
static void close_earlier(const struct directory *directory, int64_t period)
{
	DIR *names = directory_names(directory, FOLDER_DIGEST);
	struct dirent *entry;

	while (names != NULL && (entry = readdir(names)) != NULL) {
		struct cursor name = cursor_over(entry->d_name, strlen(entry->d_name));
		struct buf content;
		uint64_t number;

		if (!cursor_literal(&name, "sent.") || !cursor_number(&name, UINT32_MAX, &number) ||
			!cursor_at_end(&name) || (int64_t)number >= period)
			continue;
		buf_init(&content, LIMIT_DIGEST_STATE);
		if (read_file(directory, entry->d_name, &content) &&
			until_of(&content) > digest_last(directory))
			(void)set_last(directory, until_of(&content), NULL);
		buf_free(&content);
		(void)unlinkat(dirfd(names), entry->d_name, 0);
	}
	if (names != NULL)
		closedir(names);
}

/* Open sent.N, new or known, for us alone. */
static int open_record(struct run *run, int64_t now_s, int64_t period, struct err *err)
{
	const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int at = run->directory->folders[FOLDER_DIGEST];
	char name[64], line[64];
	int fd;

	snprintf(name, sizeof(name), "sent.%" PRId64, period);
	fd = directory_create(run->directory, FOLDER_DIGEST, name, 0640);
	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return err_set_errno(err, errno, "cannot create digest/%s", name);
	run->fd = openat(at, name, flags);
	if (run->fd < 0)
		return err_set_errno(err, errno, "cannot open digest/%s", name);
	if (flock(run->fd, LOCK_EX | LOCK_NB) != 0)
		return err_set(err, "the digests are being sent already");
	if (!read_file(run->directory, name, &run->known))
		return err_set(err, "cannot read digest/%s", name);
	run->options.until_s = until_of(&run->known);
	if (run->options.until_s != 0)
		return 0;
	run->options.until_s = now_s;
	snprintf(line, sizeof(line), "until %" PRId64 "\n", now_s);
	return append(run, line, err) != 0 || fsync(at) != 0 ? -1 : 0;
}

int digest_run(const struct directory *directory, const struct digest_options *options,
	int64_t now_s, int64_t period_s, struct courier *courier, struct digest_result *ret,
	struct err *err)
{
	struct run run = { directory, *options, courier, -1, { 0 }, ret };
	int64_t period = now_s / period_s;
	int result;

	*ret = (struct digest_result){ 0 };
	if (!address_is_safe(options->from))
		return err_set(err, "digest_from is no address: %s", options->from);
	buf_init(&run.known, LIMIT_DIGEST_STATE);
	close_earlier(directory, period);
	result = open_record(&run, now_s, period, err);
	run.options.since_s = digest_last(directory);
	/* Reported to the end: this period has its digest. */
	if (result == 0 && run.options.since_s < run.options.until_s)
		result = send_all(&run, err);
	descriptor_close(&run.fd);
	buf_free(&run.known);
	return result;
}
