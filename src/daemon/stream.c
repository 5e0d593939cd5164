/* SPDX-License-Identifier: BSD-2-Clause */
/* What libmilter reads from the mail server, read ahead. */
#include "daemon/stream.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
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
	char *bytes; /* NULL while there are none */
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

static void drop(void)
{
	free(ahead.bytes);
	ahead.bytes = NULL;
	ahead.begin = ahead.end = 0;
}

/* Read what is there. False when nothing is, no memory, or this thread has another's bytes. */
static bool fill(int fd)
{
	ssize_t got = -1;

	if (ahead.begin < ahead.end)
		return false;
	if (ahead.bytes == NULL)
		ahead.bytes = malloc(BUFFER_SIZE);
	if (ahead.bytes != NULL)
		got = recv(fd, ahead.bytes, BUFFER_SIZE, MSG_DONTWAIT);
	ahead.fd = fd;
	ahead.begin = 0;
	ahead.end = got > 0 ? (size_t)got : 0;
	if (got <= 0)
		drop();
	return got > 0;
}

/* Take at most `size` of the bytes that were read. */
static size_t take(void *bytes, size_t size)
{
	size_t left = ahead.end - ahead.begin;

	if (size > left)
		size = left;
	memcpy(bytes, ahead.bytes + ahead.begin, size);
	ahead.begin += size;
	if (ahead.begin == ahead.end)
		drop();
	return size;
}

/* read() of what was read ahead: the rest of a large piece goes straight to where it belongs. */
static ssize_t read_ahead(int fd, char *bytes, size_t size)
{
	size_t taken = take(bytes, size);
	ssize_t got = 0;

	if (taken < size)
		got = recv(fd, bytes + taken, size - taken, MSG_DONTWAIT);
	return (ssize_t)taken + (got > 0 ? got : 0);
}

/* As libmilter calls them; the labels keep clear of the C library's prototypes. */
ssize_t stream_read(int fd, void *bytes, size_t size) __asm__("read");
int stream_poll(struct pollfd *set, nfds_t count, int timeout_ms) __asm__("poll");
int stream_close(int fd) __asm__("close");

ssize_t stream_read(int fd, void *bytes, size_t size)
{
	static _Atomic(hidden_function *) found;

	if (is_stream(fd) && has_bytes(fd))
		return read_ahead(fd, bytes, size);
	return ((read_function *)hidden_find(&found, "read"))(fd, bytes, size);
}

int stream_poll(struct pollfd *set, nfds_t count, int timeout_ms)
{
	static _Atomic(hidden_function *) found;

	if (count == 1 && (set[0].events & (POLLIN | POLLOUT)) == POLLIN && is_stream(set[0].fd) &&
		(has_bytes(set[0].fd) || fill(set[0].fd))) {
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
			drop();
	}
	return ((close_function *)hidden_find(&found, "close"))(fd);
}
