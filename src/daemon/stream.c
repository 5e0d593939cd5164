/* SPDX-License-Identifier: BSD-2-Clause */
/* What libmilter reads from the mail server, read ahead. */
#include "daemon/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "daemon/hidden.h"

/* Descriptors beyond this are served without reading ahead, count. */
#define MOST_DESCRIPTORS (256 * 1024)

/* Bytes that are read at once: an ordinary message's envelope, header and a good deal of body. */
#define BUFFER_SIZE 16384

typedef ssize_t read_function(int fd, void *bytes, size_t size);
typedef int poll_function(struct pollfd *set, nfds_t count, int timeout_ms);
typedef int close_function(int fd);

/* One bit for each descriptor that is a connection of libmilter's. */
static atomic_uint_fast8_t streams[MOST_DESCRIPTORS / 8];

/* What this thread has read and nobody has taken. */
static _Thread_local struct {
	int fd;
	size_t begin, end;
	char bytes[BUFFER_SIZE];
} ahead;

static bool is_stream(int fd)
{
	return fd >= 0 && fd < MOST_DESCRIPTORS &&
		(atomic_load_explicit(&streams[fd / 8], memory_order_relaxed) >> fd % 8 & 1) != 0;
}

void stream_opened(int fd)
{
	if (fd >= 0 && fd < MOST_DESCRIPTORS)
		atomic_fetch_or(&streams[fd / 8], (uint_fast8_t)(1u << fd % 8));
}

static bool has_bytes(int fd)
{
	return ahead.fd == fd && ahead.begin < ahead.end;
}

/* Read what is there; as recv(). Only when nothing is left of what was read before. */
static ssize_t fill(int fd, int flags)
{
	ssize_t got;

	do {
		got = recv(fd, ahead.bytes, sizeof(ahead.bytes), flags);
	} while (got < 0 && errno == EINTR);
	ahead.fd = fd;
	ahead.begin = 0;
	ahead.end = got > 0 ? (size_t)got : 0;
	return got;
}

/* Take at most `size` of the bytes that were read. */
static size_t take(void *bytes, size_t size)
{
	size_t left = ahead.end - ahead.begin;

	if (size > left)
		size = left;
	memcpy(bytes, ahead.bytes + ahead.begin, size);
	ahead.begin += size;
	return size;
}

/* read() of a connection: the rest of a large piece goes straight to where it belongs. */
static ssize_t read_stream(int fd, char *bytes, size_t size)
{
	size_t taken;
	ssize_t got;

	if (!has_bytes(fd)) {
		got = fill(fd, 0);
		if (got <= 0)
			return got;
	}
	taken = take(bytes, size);
	if (taken < size) {
		got = recv(fd, bytes + taken, size - taken, MSG_DONTWAIT);
		taken += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)taken;
}

/* As libmilter calls them; the labels keep clear of the C library's prototypes. */
ssize_t stream_read(int fd, void *bytes, size_t size) __asm__("read");
int stream_poll(struct pollfd *set, nfds_t count, int timeout_ms) __asm__("poll");
int stream_close(int fd) __asm__("close");

ssize_t stream_read(int fd, void *bytes, size_t size)
{
	static _Atomic(hidden_function *) found;

	if (is_stream(fd))
		return read_stream(fd, bytes, size);
	return ((read_function *)hidden_find(&found, "read"))(fd, bytes, size);
}

int stream_poll(struct pollfd *set, nfds_t count, int timeout_ms)
{
	static _Atomic(hidden_function *) found;

	if (count == 1 && (set[0].events & (POLLIN | POLLOUT)) == POLLIN && is_stream(set[0].fd) &&
		(has_bytes(set[0].fd) || fill(set[0].fd, MSG_DONTWAIT) > 0)) {
		set[0].revents = POLLIN;
		return 1;
	}
	return ((poll_function *)hidden_find(&found, "poll"))(set, count, timeout_ms);
}

int stream_close(int fd)
{
	static _Atomic(hidden_function *) found;

	if (is_stream(fd)) {
		atomic_fetch_and(&streams[fd / 8], (uint_fast8_t) ~(1u << fd % 8));
		if (ahead.fd == fd)
			ahead.begin = ahead.end = 0;
	}
	return ((close_function *)hidden_find(&found, "close"))(fd);
}
