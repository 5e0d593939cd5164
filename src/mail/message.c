/* SPDX-License-Identifier: BSD-2-Clause */
/* One message while it is collected and after it was sealed. */
#include "mail/message.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "mail/pieces.h"

struct message {
	atomic_uint owners;
	struct message_limits limits;
	struct header_list headers;
	struct pieces body; /* the whole body while it is small, empty once it is in the file */
	int fd;             /* the unlinked file, or -1 */
	size_t body_length;
	uint64_t header_bytes;
	uint64_t body_seen;
	bool sealed;
	bool failed;
	struct err err;
};

struct message *message_new(const struct message_limits *limits)
{
	struct message *message = calloc(1, sizeof(*message));

	if (message == NULL)
		return NULL;
	atomic_init(&message->owners, 1);
	message->limits = *limits;
	message->fd = -1;
	headers_init(&message->headers, LIMIT_HEADER_BYTES);
	return message;
}

struct message *message_ref(struct message *message)
{
	atomic_fetch_add(&message->owners, 1);
	return message;
}

void message_free(struct message **message)
{
	struct message *gone = *message;

	*message = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->owners, 1) != 1)
		return;
	headers_free(&gone->headers);
	pieces_free(&gone->body);
	if (gone->fd >= 0)
		close(gone->fd);
	free(gone);
}

static bool fail(struct message *message, const char *what)
{
	message->failed = true;
	err_set(&message->err, "%s", what);
	return false;
}

/* Bytes of a value as it will be delivered: a fold, which is LF here, is CRLF there. */
static size_t wire_length(const char *value)
{
	size_t length = strlen(value);

	for (const char *lf = strchr(value, '\n'); lf != NULL; lf = strchr(lf + 1, '\n'))
		if (lf == value || lf[-1] != '\r')
			length++;
	return length;
}

bool message_add_header(struct message *message, const char *name, const char *value)
{
	assert(!message->sealed);
	message->header_bytes += strlen(name) + wire_length(value) + 3;
	if (!headers_add(&message->headers, name, value))
		return fail(message, "the header is too large, or out of memory");
	return true;
}

/* A file that has no name, so that nobody else can open it and no crash leaves it behind. */
static int open_unlinked(const char *directory)
{
	char path[4096];
	int fd;

#ifdef O_TMPFILE
	fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
#endif
	if (snprintf(path, sizeof(path), "%s/spambridge.XXXXXX", directory) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static bool write_body(const struct message *message)
{
	const void *bytes;
	size_t length;

	for (size_t at = 0; (length = pieces_peek(&message->body, at, &bytes)) > 0; at += length)
		if (io_write_all(message->fd, bytes, length) != 0)
			return false;
	return true;
}

/* Move the body to a file. */
static bool spill(struct message *message)
{
	message->fd = open_unlinked(message->limits.directory);
	if (message->fd < 0 || !write_body(message)) {
		message->failed = true;
		err_set_errno(&message->err, errno, "cannot keep a large body in %s",
			message->limits.directory);
		return false;
	}
	pieces_free(&message->body);
	return true;
}

static bool store(struct message *message, const void *bytes, size_t length)
{
	if (message->fd < 0 && length > message->limits.memory_bytes - message->body.length &&
		!spill(message))
		return false;
	if (message->fd < 0 && !pieces_append(&message->body, bytes, length))
		return fail(message, "out of memory");
	if (message->fd < 0)
		return true;
	if (io_write_all(message->fd, bytes, length) == 0)
		return true;
	message->failed = true;
	err_set_errno(
		&message->err, errno, "cannot keep a large body in %s", message->limits.directory);
	return false;
}

void message_keep_whole(struct message *message)
{
	if (message->body_seen == 0)
		message->limits.body_bytes = SIZE_MAX;
}

enum message_more message_add_body(struct message *message, const void *bytes, size_t length)
{
	size_t room = message->limits.body_bytes - message->body_length;
	size_t kept = length < room ? length : room;

	assert(!message->sealed);
	if (message->failed)
		return MESSAGE_FAILED;
	message->body_seen += length;
	if (kept > 0 && !store(message, bytes, kept))
		return MESSAGE_FAILED;
	message->body_length += kept;
	/* Only a byte that was left out tells that the limit was passed, not just reached. */
	return kept < length ? MESSAGE_ENOUGH : MESSAGE_MORE;
}

const char *message_error(const struct message *message)
{
	return message->failed ? message->err.text : NULL;
}

void message_seal(struct message *message)
{
	message->sealed = true;
}

const struct header_list *message_headers(const struct message *message)
{
	return &message->headers;
}

size_t message_body_length(const struct message *message)
{
	return message->body_length;
}

bool message_body_cut(const struct message *message)
{
	return message->body_seen > message->body_length;
}

bool message_in_file(const struct message *message)
{
	return message->fd >= 0;
}

uint64_t message_size(const struct message *message)
{
	return message->header_bytes + 2 + message->body_seen;
}

long message_peek(const struct message *message, size_t offset, void *scratch, size_t scratch_size,
	const void **ret_bytes)
{
	size_t left;
	ssize_t got;

	if (offset >= message->body_length)
		return 0;
	if (message->fd < 0)
		return (long)pieces_peek(&message->body, offset, ret_bytes);
	left = message->body_length - offset;
	do {
		got = pread(message->fd, scratch, left < scratch_size ? left : scratch_size,
			(off_t)offset);
	} while (got < 0 && errno == EINTR);
	if (got == 0) {
		errno = EIO; /* nobody can have cut an unlinked file: the disk lost it */
		return -1;
	}
	*ret_bytes = scratch;
	return (long)got;
}
