/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP and unix stream sockets. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "scorer/transport.h"

/*
 * A unix socket whose queue is full answers connect() with EAGAIN (unix(7)) and gives nothing to
 * poll for: look again after this long, milliseconds.
 */
#define BUSY_RETRY_MS 5

/*
 * What the kernel takes of a request that a server on TCP does not read, bytes (of a unix socket it
 * takes no more by itself). Left to itself it takes 4 MB a connection: fifty large messages to a deaf server keep the processors busy for longer than
 * an answer may be late.
 */
#define SEND_BUFFER (256 * 1024)

struct plain {
	struct transport transport;
	struct server_address address;
	int fd;
	enum { PLAIN_UNTRIED, PLAIN_BUSY, PLAIN_PENDING, PLAIN_UP } state;
};

static struct plain *plain_of(struct transport *transport)
{
	return (struct plain *)transport;
}

static enum transport_result failed(struct err *err, int errnum, const char *what)
{
	err_set_errno(err, errnum, "%s", what);
	return TRANSPORT_FAILED;
}

/* The result of a connect() that was under way. */
static enum transport_result pending_result(struct plain *plain, struct err *err)
{
	struct pollfd writable = { .fd = plain->fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int errnum = 0;

	if (poll(&writable, 1, 0) == 0)
		return TRANSPORT_AGAIN;
	if (getsockopt(plain->fd, SOL_SOCKET, SO_ERROR, &errnum, &size) != 0)
		errnum = errno;
	if (errnum != 0)
		return failed(err, errnum, "cannot connect");
	plain->state = PLAIN_UP;
	return TRANSPORT_OK;
}

static enum transport_result plain_connect(struct transport *transport, struct err *err)
{
	struct plain *plain = plain_of(transport);

	if (plain->state == PLAIN_UP)
		return TRANSPORT_OK;
	if (plain->state == PLAIN_PENDING)
		return pending_result(plain, err);
	if (connect(plain->fd, (struct sockaddr *)&plain->address.address, plain->address.length) ==
		0) {
		plain->state = PLAIN_UP;
		return TRANSPORT_OK;
	}
	if (errno == EINPROGRESS || errno == EINTR) {
		plain->state = PLAIN_PENDING;
		return TRANSPORT_AGAIN;
	}
	if (errno == EAGAIN && plain->address.address.ss_family == AF_UNIX) {
		plain->state = PLAIN_BUSY;
		return TRANSPORT_AGAIN;
	}
	return failed(err, errno, "cannot connect");
}

static enum transport_result plain_send(struct transport *transport, const struct iovec *pieces,
	size_t count, size_t *ret_sent, struct err *err)
{
	const struct msghdr message = { .msg_iov = (struct iovec *)pieces, .msg_iovlen = count };
	ssize_t sent;

	do {
		sent = sendmsg(plain_of(transport)->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
		return TRANSPORT_AGAIN;
	if (sent < 0)
		return failed(err, errno, "cannot send");
	*ret_sent = (size_t)sent;
	return TRANSPORT_OK;
}

static enum transport_result plain_receive(
	struct transport *transport, void *bytes, size_t size, size_t *ret_got, struct err *err)
{
	ssize_t got;

	do {
		got = recv(plain_of(transport)->fd, bytes, size, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return TRANSPORT_AGAIN;
	if (got < 0)
		return failed(err, errno, "cannot receive");
	*ret_got = (size_t)got;
	return got == 0 ? TRANSPORT_CLOSED : TRANSPORT_OK;
}

static void plain_end_of_request(struct transport *transport)
{
	(void)shutdown(plain_of(transport)->fd, SHUT_WR);
}

static size_t plain_poll_set(
	struct transport *transport, bool sending, struct pollfd *set, int *ret_timeout_ms)
{
	struct plain *plain = plain_of(transport);

	if (plain->state == PLAIN_UNTRIED || plain->state == PLAIN_BUSY) {
		*ret_timeout_ms = plain->state == PLAIN_BUSY ? BUSY_RETRY_MS : 0;
		return 0;
	}
	*set = (struct pollfd){ .fd = plain->fd, .events = POLLIN };
	if (plain->state == PLAIN_PENDING)
		set->events = POLLOUT;
	else if (sending)
		set->events = POLLIN | POLLOUT;
	return 1;
}

static void plain_free(struct transport *transport)
{
	close(plain_of(transport)->fd);
	free(transport);
}

static const struct transport_ops plain_ops = {
	.connect = plain_connect,
	.send = plain_send,
	.receive = plain_receive,
	.end_of_request = plain_end_of_request,
	.poll_set = plain_poll_set,
	.free = plain_free,
};

struct transport *transport_plain_new(const struct server_address *address, struct err *err)
{
	struct plain *plain = calloc(1, sizeof(*plain));
	int yes = 1, send_buffer = SEND_BUFFER;

	if (plain == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	plain->transport.ops = &plain_ops;
	plain->address = *address;
	plain->fd =
		socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (plain->fd < 0) {
		err_set_errno(err, errno, "cannot make a socket");
		free(plain);
		return NULL;
	}
	if (address->address.ss_family == AF_UNIX)
		return &plain->transport;
	(void)setsockopt(plain->fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
	(void)setsockopt(plain->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return &plain->transport;
}
