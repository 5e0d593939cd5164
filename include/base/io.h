/* SPDX-License-Identifier: BSD-2-Clause */
/* Small file and descriptor operations that are easily got wrong. */
#ifndef SPAMBRIDGE_BASE_IO_H
#define SPAMBRIDGE_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/err.h"

/* Write all bytes, going on after EINTR and short writes. Returns -1 with errno set. */
int io_write_all(int fd, const void *bytes, size_t length);

/* The same for bytes in several places, at most IOV_MAX; what is written is passed over in them. */
int io_write_pieces(int fd, struct iovec *pieces, size_t count);

/* Read at most `max_bytes` from a regular file into `ret_content`; a longer one is an error. */
int io_read_file(const char *path, size_t max_bytes, struct buf *ret_content, struct err *err);

/* Set O_NONBLOCK and FD_CLOEXEC. Returns -1 with errno set. */
int io_set_nonblocking(int fd);

#endif
