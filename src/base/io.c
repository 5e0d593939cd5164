/* SPDX-License-Identifier: BSD-2-Clause */
/* Small file and descriptor operations that are easily got wrong. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int io_write_all(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t written = write(fd, at, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		at += written;
		length -= (size_t)written;
	}
	return 0;
}

/* Pass over bytes that were written. */
static void skip(struct iovec **pieces, size_t *count, size_t written)
{
	while (*count > 0 && written >= (*pieces)->iov_len) {
		written -= (*pieces)->iov_len;
		(*pieces)++;
		(*count)--;
	}
	if (*count > 0) {
		(*pieces)->iov_base = (char *)(*pieces)->iov_base + written;
		(*pieces)->iov_len -= written;
	}
}

int io_write_pieces(int fd, struct iovec *pieces, size_t count)
{
	while (count > 0) {
		ssize_t written = writev(fd, pieces, (int)count);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		skip(&pieces, &count, (size_t)written);
	}
	return 0;
}

/* Append what is left of the file; its size may have changed since it was looked at. */
static int read_rest(int fd, const char *path, struct buf *content, struct err *err)
{
	char chunk[16384];

	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, errno, "cannot read %s", path);
		if (got == 0)
			return 0;
		if (!buf_append(content, chunk, (size_t)got))
			return err_set(err, "cannot read %s: it is larger than %zu bytes", path,
				content->max_bytes);
	}
}

int io_read_file(const char *path, size_t max_bytes, struct buf *ret_content, struct err *err)
{
	AUTO(descriptor_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;

	if (fd < 0)
		return err_set_errno(err, errno, "cannot open %s", path);
	if (fstat(fd, &status) != 0)
		return err_set_errno(err, errno, "cannot examine %s", path);
	if (!S_ISREG(status.st_mode))
		return err_set(err, "%s is not a regular file", path);
	buf_init(ret_content, max_bytes);
	if (read_rest(fd, path, ret_content, err) != 0) {
		buf_free(ret_content);
		return -1;
	}
	return 0;
}

int io_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return -1;
	flags = fcntl(fd, F_GETFD);
	return flags < 0 ? -1 : fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}
