/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration files: read once, and only when nobody else can change them. */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CHUNK 65536

static int open_failed(const char *path, struct err *err)
{
	int errnum = errno;
	char words[128];

	err_words(errnum, words, sizeof(words));
	if (errnum == ENOENT)
		return err_set(err, "the file does not exist; create it or name another");
	if (errnum == EACCES)
		return err_set(err,
			"cannot be read by user id %u; let its group read it: chgrp "
			"spambridge '%s' && chmod 0640 '%s'",
			(unsigned)geteuid(), path, path);
	return err_set(err, "cannot be opened: %s; check the path", words);
}

static int check_safe(const char *path, const struct stat *status, struct err *err)
{
	if (!S_ISREG(status->st_mode))
		return err_set(err, "is no regular file; name a file");
	if (status->st_uid != 0 && status->st_uid != geteuid())
		return err_set(err,
			"belongs to user id %u, who could change it; run: chown root '%s'",
			(unsigned)status->st_uid, path);
	if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, "may be written by %s; run: chmod go-w '%s'",
			(status->st_mode & S_IWOTH) != 0 ? "everybody" : "its group", path);
	return 0;
}

static int read_all(int fd, size_t max_bytes, struct buf *content, struct err *err)
{
	char chunk[CHUNK];

	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, errno, "cannot be read");
		if (got == 0)
			return 0;
		/* Its size may have changed since it was looked at. */
		if ((size_t)got > max_bytes - content->length)
			return err_set(err, "is larger than %zu bytes; make it smaller", max_bytes);
		if (!buf_append(content, chunk, (size_t)got))
			return err_set(err, "out of memory");
	}
}

int config_file_read(const char *path, size_t max_bytes, struct buf *ret_content, struct err *err)
{
	/* Not to hang on a FIFO, and not to make a terminal ours. */
	AUTO(descriptor_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0)
		return open_failed(path, err);
	if (fstat(fd, &status) < 0)
		return err_set_errno(err, errno, "cannot be examined");
	if (check_safe(path, &status, err) < 0)
		return -1;
	buf_init(ret_content, max_bytes);
	if (status.st_size > 0 && (uintmax_t)status.st_size <= max_bytes)
		buf_reserve(ret_content, (size_t)status.st_size);
	return read_all(fd, max_bytes, ret_content, err);
}
