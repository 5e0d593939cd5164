/* SPDX-License-Identifier: BSD-2-Clause */
/* What libmilter reads from the mail server, read ahead, and what it answers, collected. */
#include "daemon/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/io.h"
#include "daemon/hidden.h"

/* Descriptors beyond this are served without reading ahead, count. */
#define MOST_DESCRIPTORS (256 * 1024)

/* Bytes that are read at once: an ordinary message's envelope, header and a good deal of body. */
#define BUFFER_SIZE 16384

/*
 * How long a worker stays with a connection that says nothing, milliseconds. libmilter gives it back
 * after 1, by way of its controller thread and to another worker: on a busy machine, every time.
 */
#define LINGER_MS 50

/* Pieces that libmilter writes at once, at most: a packet's head and its data. */
#define PACKET_PIECES 2

/* Bytes that are collected before they are sent all the same. */
#define COLLECTED_MAX 65536

typedef ssize_t read_function(int fd, void *bytes, size_t size);
typedef int poll_function(struct pollfd *set, nfds_t count, int timeout_ms);
typedef int close_function(int fd);
typedef ssize_t writev_function(int fd, const struct iovec *pieces, int count);

/* One bit for each descriptor that is a connection of libmilter's. */
static atomic_uint_fast8_t streams[MOST_DESCRIPTORS / 8];

/* Those that are open, count. */
static atomic_uint open_streams;

/* What this thread has read and nobody has taken. */
static _Thread_local struct {
	int fd;
	size_t begin, end;
	char *bytes; /* NULL while there are none */
} ahead;

/* What this thread is to send before anything else. */
static _Thread_local struct {
	bool on;   /* and more of it comes */
	bool gone; /* the mail server has hung up */
	int fd;
	struct buf bytes;
} collected;

static bool is_stream(int fd)
{
	return fd >= 0 && fd < MOST_DESCRIPTORS &&
		(atomic_load_explicit(&streams[fd / 8], memory_order_relaxed) >> fd % 8 & 1) != 0;
}

void stream_opened(int fd)
{
	if (fd < 0 || fd >= MOST_DESCRIPTORS)
		return;
	atomic_fetch_or(&streams[fd / 8], (uint_fast8_t)(1u << fd % 8));
	atomic_fetch_add(&open_streams, 1);
}

unsigned stream_count(void)
{
	return atomic_load(&open_streams);
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
ssize_t stream_writev(int fd, const struct iovec *pieces, int count) __asm__("writev");

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
	poll_function *real = (poll_function *)hidden_find(&found, "poll");
	int ready;

	if (count == 1 && (set[0].events & (POLLIN | POLLOUT)) == POLLIN && is_stream(set[0].fd) &&
		(has_bytes(set[0].fd) || fill(set[0].fd))) {
		set[0].revents = POLLIN;
		return 1;
	}
	if (count != 1 || !is_stream(set[0].fd))
		return real(set, count, timeout_ms);
	if (timeout_ms >= 0 && timeout_ms < LINGER_MS)
		timeout_ms = LINGER_MS;
	ready = real(set, count, timeout_ms);
	collected.gone = ready > 0 && (set[0].revents & (POLLHUP | POLLERR)) != 0;
	return ready;
}

int stream_close(int fd)
{
	static _Atomic(hidden_function *) found;

	if (is_stream(fd)) {
		atomic_fetch_and(&streams[fd / 8], (uint_fast8_t) ~(1u << fd % 8));
		atomic_fetch_sub(&open_streams, 1);
		if (ahead.fd == fd)
			drop();
		if (collected.fd == fd)
			buf_free(&collected.bytes);
	}
	return ((close_function *)hidden_find(&found, "close"))(fd);
}

void stream_collect(bool on)
{
	collected.on = on;
}

bool stream_send(void)
{
	bool good = collected.bytes.length == 0 ||
		io_write_all(collected.fd, collected.bytes.data, collected.bytes.length) == 0;

	buf_free(&collected.bytes);
	return good;
}

/* Put a packet to what is collected. False when there is no room. */
static bool collect(int fd, const struct iovec *pieces, int count, size_t size)
{
	if (collected.bytes.length == 0)
		buf_init(&collected.bytes, COLLECTED_MAX);
	if (!buf_reserve(&collected.bytes, size))
		return false;
	collected.fd = fd;
	for (int i = 0; i < count; i++)
		buf_append(&collected.bytes, pieces[i].iov_base, pieces[i].iov_len);
	return true;
}

/* Write what is collected, and the pieces behind it: how many bytes of these, as writev() says. */
static ssize_t write_behind(writev_function *real, int fd, const struct iovec *pieces, int count)
{
	struct iovec all[1 + PACKET_PIECES] = { { collected.bytes.data, collected.bytes.length } };
	ssize_t written;

	memcpy(all + 1, pieces, (size_t)count * sizeof(*pieces));
	written = real(fd, all, 1 + count);
	if (written < 0)
		return written;
	if ((size_t)written < collected.bytes.length) {
		buf_consume(&collected.bytes, (size_t)written);
		errno = EAGAIN;
		return -1;
	}
	written -= (ssize_t)collected.bytes.length;
	buf_free(&collected.bytes);
	return written;
}

ssize_t stream_writev(int fd, const struct iovec *pieces, int count)
{
	static _Atomic(hidden_function *) found;
	writev_function *real = (writev_function *)hidden_find(&found, "writev");
	size_t size = 0;

	if (!is_stream(fd) || count > PACKET_PIECES)
		return real(fd, pieces, count);
	for (int i = 0; i < count; i++)
		size += pieces[i].iov_len;
	if (collected.on && !collected.gone && collect(fd, pieces, count, size))
		return (ssize_t)size;
	return collected.bytes.length > 0 ? write_behind(real, fd, pieces, count) :
					    real(fd, pieces, count);
}
