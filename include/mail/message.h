/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One message while it is collected and after it was sealed: its header fields and its body.
 *
 * The body is kept in memory up to `memory_bytes` and beyond that in an unlinked temporary file;
 * it is never copied again on its way to a socket (message_peek). A sealed message is immutable
 * and may be read by several threads; message_ref() and message_free() count its owners.
 */
#ifndef SPAMBRIDGE_MAIL_MESSAGE_H
#define SPAMBRIDGE_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/headers.h"

struct message_limits {
	size_t body_bytes;     /* bytes of the body that anybody can need; SIZE_MAX: all */
	size_t memory_bytes;   /* beyond it the body goes to a file */
	const char *directory; /* where that file is made; borrowed, outlives the message */
};

enum message_more {
	MESSAGE_MORE,   /* go on */
	MESSAGE_ENOUGH, /* no more of the body is needed: the mail server may skip the rest */
	MESSAGE_FAILED, /* out of memory or disk: the mail is to be deferred */
};

struct message; /* opaque: header list, body, counts */

/* A new message with one owner; NULL when out of memory. */
struct message *message_new(const struct message_limits *limits);
struct message *message_ref(struct message *message);
void message_free(struct message **message);

/* Collect. Each returns false (or MESSAGE_FAILED) with the reason kept for message_error(). */
bool message_add_header(struct message *message, const char *name, const char *value);
enum message_more message_add_body(struct message *message, const void *bytes, size_t length);

/* Keep all of the body, whatever the limit was; no effect once a part of it has come. */
void message_keep_whole(struct message *message);

/* Why collecting failed, or NULL. */
const char *message_error(const struct message *message);

/* No more changes from here on. */
void message_seal(struct message *message);

/* The fields in the order of the message; valid as long as the message. */
const struct header_list *message_headers(const struct message *message);

/* Bytes of body kept, and whether the mail server sent more than was kept. */
size_t message_body_length(const struct message *message);
bool message_body_cut(const struct message *message);

/* Is the body in a file? */
bool message_in_file(const struct message *message);

/* Bytes of the whole message as received so far: header fields, empty line, body seen. */
uint64_t message_size(const struct message *message);

/*
 * Bytes of the body from `offset` on: a pointer to at least one byte and how many there are.
 * `scratch` (of `scratch_size` bytes) is used when the body is in a file and belongs to the
 * caller, so that several readers can go at their own pace. Returns 0 at the end, -1 on a read
 * error (errno set).
 */
long message_peek(const struct message *message, size_t offset, void *scratch, size_t scratch_size,
	const void **ret_bytes);

#endif
