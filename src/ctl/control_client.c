/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the running daemon over its control socket. */
#include "ctl/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "protocol/control.h"
#include "protocol/json_load.h"

/* Longest answer, bytes. */
#define ANSWER_BYTES (4 * 1024 * 1024)

static int wait_for(int fd, short events, struct deadline deadline)
{
	struct pollfd set = { .fd = fd, .events = events };
	int found;

	do
		found = poll(&set, 1, deadline_ms_left(deadline));
	while (found < 0 && errno == EINTR);
	if (found == 0)
		errno = ETIMEDOUT;
	return found > 0 ? 0 : -1;
}

/* A connected non-blocking socket, or -1 with errno set. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, errnum;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	errnum = errno;
	descriptor_close(&fd);
	errno = errnum;
	return -1;
}

static int send_request(int fd, const char *command, struct deadline deadline)
{
	char line[LIMIT_CONTROL_REQUEST];
	int length = snprintf(line, sizeof(line), "{\"version\":%d,\"command\":\"%s\"}\n",
		CONTROL_VERSION, command);
	ssize_t sent;

	/* So short that it goes into the socket's buffer in one piece. */
	if (wait_for(fd, POLLOUT, deadline) != 0)
		return -1;
	sent = send(fd, line, (size_t)length, MSG_NOSIGNAL);
	if (sent >= 0 && sent < length)
		errno = EAGAIN;
	return sent == length ? 0 : -1;
}

/* Read up to the end of the line, which is taken off. */
static int receive_line(int fd, struct buf *line, struct deadline deadline)
{
	char piece[16384];

	for (;;) {
		ssize_t got;

		if (wait_for(fd, POLLIN, deadline) != 0)
			return -1;
		got = recv(fd, piece, sizeof(piece), 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got == 0)
			errno = ECONNRESET;
		if (got <= 0)
			return -1;
		if (!buf_append(line, piece, (size_t)got)) {
			errno = EMSGSIZE;
			return -1;
		}
		if (memchr(piece, '\n', (size_t)got) != NULL)
			return 0;
	}
}

static json_t *parse_answer(const struct buf *line, struct err *err)
{
	size_t length = (size_t)((char *)memchr(line->data, '\n', line->length) - line->data);
	bool no_memory;
	json_error_t error;
	json_t *answer = json_load_whole(line->data, length, &no_memory, &error);
	const json_t *version = json_object_get(answer, "version");

	if (json_is_integer(version) && json_integer_value(version) != CONTROL_VERSION)
		err_set(err, "the daemon speaks version %lld of the control language, this tool %d",
			(long long)json_integer_value(version), CONTROL_VERSION);
	else if (json_is_integer(version) && json_is_boolean(json_object_get(answer, "ok")))
		return answer;
	if (no_memory)
		err_set(err, "out of memory");
	err_set(err, "the answer is not in the control language: is this spambridge's socket?");
	json_decref(answer);
	return NULL;
}

json_t *control_ask(
	const char *path, const char *command, struct deadline deadline, struct err *err)
{
	AUTO(descriptor_close) int fd = connect_to(path);
	json_t *answer = NULL;
	struct buf line;

	if (fd < 0) {
		err_set_errno(err, errno, "cannot reach the daemon at %s", path);
		return NULL;
	}
	buf_init(&line, ANSWER_BYTES);
	if (send_request(fd, command, deadline) != 0 || receive_line(fd, &line, deadline) != 0)
		err_set_errno(err, errno, "no answer from the daemon at %s", path);
	else
		answer = parse_answer(&line, err);
	buf_free(&line);
	return answer;
}
