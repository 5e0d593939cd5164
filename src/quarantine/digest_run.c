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
#include "base/io.h"
#include "quarantine/address.h"
#include "quarantine/digest_record.h"
#include "quarantine/limits.h"

#define MAIL_SIZE (24 * 1024 * 1024)
#define LOCK_FILE "lock"

struct run {
	const struct directory *directory;
	struct digest_options options;
	struct digest_period period;
	struct courier *courier;
	struct digest_told told;
	int fd; /* this period's record */
	struct digest_result *result;
};

static int append(struct run *run, const char *line, struct err *err)
{
	if (io_write_all(run->fd, line, strlen(line)) != 0 || fsync(run->fd) != 0)
		return err_set_errno(err, errno, "cannot note whom the digest went to");
	return 0;
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

static int64_t since_of(const char *to, const void *context)
{
	return digest_told_until(context, to);
}

static int send_all(struct run *run, struct err *err)
{
	struct digest_set set;
	int result;

	run->options.since_of = since_of;
	run->options.since_context = &run->told;
	result = digest_collect(run->directory, &run->options, &set, err);
	if (result != 0)
		return -1;
	for (size_t i = 0; i < set.count && result == 0; i++)
		result = send_one(run, &set.mails[i], err);
	digest_set_free(&set);
	if (result != 0 || run->result->deferred > 0)
		return result;
	return digest_set_reported(run->directory, run->options.until_s, err);
}

/* One program at a time, whichever period it takes it for. Closing the descriptor unlocks. */
static int take_lock(struct run *run, int *ret_fd, struct err *err)
{
	int fd = directory_create(run->directory, FOLDER_DIGEST, LOCK_FILE, 0640);

	if (fd < 0 && errno == EEXIST)
		fd = directory_open_file(run->directory, FOLDER_DIGEST, LOCK_FILE);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot open digest/%s", LOCK_FILE);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		run->result->busy = true;
		return err_set(err, "the digests are being sent already");
	}
	*ret_fd = fd;
	return 0;
}

/* This period's record: a new one, or what an earlier run left. */
static int open_record(struct run *run, struct err *err)
{
	const struct digest_record *known = &run->told.latest;
	char name[DIGEST_RECORD_NAME], line[64];

	digest_record_name(run->period.number, name);
	run->options.until_s = run->period.now_s;
	if (known->number == run->period.number &&
		(known->until_s > digest_reported(run->directory) || !run->period.again)) {
		run->options.until_s = known->until_s;
		run->result->before = known->count;
	} else {
		snprintf(line, sizeof(line), "until %" PRId64 "\n", run->period.now_s);
		if (directory_replace(
			    run->directory, FOLDER_DIGEST, name, line, strlen(line), err) != 0)
			return -1;
	}
	run->fd = openat(run->directory->folders[FOLDER_DIGEST], name,
		O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (run->fd < 0)
		return err_set_errno(err, errno, "cannot open digest/%s", name);
	/* What a program that was killed had begun to write is nobody's address. */
	return known->torn ? append(run, "\n", err) : 0;
}

static int run_locked(struct run *run, struct err *err)
{
	if (digest_told_read(run->directory, run->period.number, &run->told, err) != 0 ||
		open_record(run, err) != 0)
		return -1;
	run->options.since_s = digest_reported(run->directory);
	/* The clock was wrong, and is right again. */
	if (run->options.since_s > run->period.now_s)
		run->options.since_s = run->period.now_s - DIGEST_PERIOD_S;
	/* Reported to the end: this period has its digest. */
	if (run->options.since_s >= run->options.until_s)
		return 0;
	return send_all(run, err);
}

int digest_run(const struct directory *directory, const struct digest_options *options,
	const struct digest_period *period, struct courier *courier, struct digest_result *ret,
	struct err *err)
{
	struct run run = { .directory = directory,
		.options = *options,
		.period = *period,
		.courier = courier,
		.fd = -1,
		.result = ret };
	AUTO(descriptor_close) int lock = -1;
	int result;

	*ret = (struct digest_result){ 0 };
	if (!address_is_safe(options->from))
		return err_set(err, "digest_from is no address: %s", options->from);
	if (take_lock(&run, &lock, err) != 0)
		return -1;
	result = run_locked(&run, err);
	descriptor_close(&run.fd);
	digest_told_free(&run.told);
	return result;
}
