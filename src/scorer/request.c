/* SPDX-License-Identifier: BSD-2-Clause */
/* What a scorer is asked about one message: the exact bytes, and the facts around them. */
#include "scorer/request.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/limits.h"
#include "protocol/received.h"

/* The bytes, which requests for several users share. */
struct scan_text {
	atomic_uint owners;
	struct buf head;   /* our fields, the kept header fields, the empty line */
	size_t own_length; /* of our fields at its beginning */
	struct message *message;
	size_t body_length; /* bytes of the body that are sent */
	const char *tail;   /* CRLF where the body does not end in one */
	bool truncated;
};

struct scan_request {
	atomic_uint owners;
	struct scan_text *text;
	char *user; /* NULL: none */
	enum scan_purpose purpose;
	const struct client *client;     /* borrowed */
	const struct envelope *envelope; /* borrowed */
};

static void text_free(struct scan_text *text)
{
	if (atomic_fetch_sub(&text->owners, 1) != 1)
		return;
	buf_free(&text->head);
	message_free(&text->message);
	free(text);
}

/* Is this field delivered? What is not, is not scored either. */
static bool stays(const char *name, bool keep_reserved)
{
	if (header_is_release_mark(name))
		return false;
	return keep_reserved || !header_is_reserved(name);
}

/* Our own fields and those of the message that are not reserved to a filter. */
static bool build_head(struct scan_text *text, const struct client *client,
	const struct envelope *envelope, const struct scan_request_options *options)
{
	const struct header_list *list = message_headers(text->message);

	buf_init(&text->head, LIMIT_HEADER_BYTES * 2);
	envelope_from_field_build(&text->head, envelope);
	received_build(&text->head, client, envelope, options->now);
	text->own_length = text->head.length;
	for (size_t i = 0; i < list->count; i++)
		if (stays(headers_name(list, i), options->keep_reserved))
			header_render(&text->head, headers_name(list, i), headers_value(list, i));
	return buf_append(&text->head, "\r\n", 2);
}

/*
 * Where the last whole line within the first `limit` bytes of the body ends; `limit` itself when
 * there is no line end in reach, so that a message of one endless line is scored as well.
 */
static size_t line_end_before(const struct message *message, size_t limit)
{
	char scratch[4096];
	size_t window = limit < sizeof(scratch) ? limit : sizeof(scratch), filled = 0;

	while (filled < window) {
		const void *bytes;
		long got = message_peek(message, limit - window + filled, scratch + filled,
			window - filled, &bytes);

		if (got <= 0)
			return limit;
		if ((size_t)got > window - filled)
			got = (long)(window - filled);
		memmove(scratch + filled, bytes, (size_t)got);
		filled += (size_t)got;
	}
	while (window > 0 && scratch[window - 1] != '\n')
		window--;
	return window == 0 ? limit : limit - filled + window;
}

/* The last byte of what is sent of the body; '\n' for an empty one. */
static char last_byte(const struct scan_text *text)
{
	char scratch[1];
	const void *bytes;
	long got;

	if (text->body_length == 0)
		return '\n';
	got = message_peek(text->message, text->body_length - 1, scratch, 1, &bytes);
	return got <= 0 ? '\n' : *(const char *)bytes;
}

/* How much of the body is sent, and what must follow it. */
static void measure_body(struct scan_text *text, size_t max_bytes)
{
	size_t length = message_body_length(text->message);
	size_t room = max_bytes > text->head.length ? max_bytes - text->head.length : 0;

	text->truncated = message_body_cut(text->message) || length > room;
	if (length > room)
		length = room;
	if (text->truncated && length > 0)
		length = line_end_before(text->message, length);
	text->body_length = length;
	/* spamd reads line by line and waits for ever when the last one has no LF. */
	text->tail = last_byte(text) == '\n' ? "" : "\r\n";
}

static struct scan_text *text_new(const struct client *client, const struct envelope *envelope,
	struct message *message, const struct scan_request_options *options)
{
	struct scan_text *text = calloc(1, sizeof(*text));

	if (text == NULL)
		return NULL;
	atomic_init(&text->owners, 1);
	text->message = message_ref(message);
	if (!build_head(text, client, envelope, options)) {
		text_free(text);
		return NULL;
	}
	measure_body(text, options->max_bytes);
	return text;
}

struct scan_request *scan_request_new(const struct client *client, const struct envelope *envelope,
	struct message *message, const struct scan_request_options *options)
{
	struct scan_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return NULL;
	atomic_init(&request->owners, 1);
	request->text = text_new(client, envelope, message, options);
	request->purpose = options->purpose;
	request->client = client;
	request->envelope = envelope;
	if (request->text == NULL)
		scan_request_free(&request);
	return request;
}

struct scan_request *scan_request_for_user(const struct scan_request *request, const char *user)
{
	struct scan_request *other = malloc(sizeof(*other));

	if (other == NULL)
		return NULL;
	*other = (struct scan_request){ .text = request->text,
		.user = strdup(user),
		.purpose = request->purpose,
		.client = request->client,
		.envelope = request->envelope };
	atomic_init(&other->owners, 1);
	atomic_fetch_add(&other->text->owners, 1);
	if (other->user == NULL)
		scan_request_free(&other);
	return other;
}

struct scan_request *scan_request_ref(struct scan_request *request)
{
	atomic_fetch_add(&request->owners, 1);
	return request;
}

void scan_request_free(struct scan_request **request)
{
	struct scan_request *gone = *request;

	*request = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->owners, 1) != 1)
		return;
	if (gone->text != NULL)
		text_free(gone->text);
	free(gone->user);
	free(gone);
}

size_t scan_request_length(const struct scan_request *request)
{
	const struct scan_text *text = request->text;

	return text->head.length + text->body_length + strlen(text->tail);
}

size_t scan_request_own_length(const struct scan_request *request)
{
	return request->text->own_length;
}

bool scan_request_truncated(const struct scan_request *request)
{
	return request->text->truncated;
}

const char *scan_request_user(const struct scan_request *request)
{
	return request->user == NULL ? "" : request->user;
}

enum scan_purpose scan_request_purpose(const struct scan_request *request)
{
	return request->purpose;
}

const struct client *scan_request_client(const struct scan_request *request)
{
	return request->client;
}

const struct envelope *scan_request_envelope(const struct scan_request *request)
{
	return request->envelope;
}

bool scan_request_in_file(const struct scan_request *request)
{
	return message_in_file(request->text->message);
}

long scan_request_peek(const struct scan_request *request, size_t offset, void *scratch,
	size_t scratch_size, const void **ret_bytes)
{
	const struct scan_text *text = request->text;
	size_t body_left;
	long got;

	if (offset < text->head.length) {
		*ret_bytes = text->head.data + offset;
		return (long)(text->head.length - offset);
	}
	offset -= text->head.length;
	if (offset < text->body_length) {
		body_left = text->body_length - offset;
		got = message_peek(text->message, offset, scratch, scratch_size, ret_bytes);
		return got > 0 && (size_t)got > body_left ? (long)body_left : got;
	}
	offset -= text->body_length;
	*ret_bytes = text->tail + offset;
	return (long)(strlen(text->tail) - offset);
}

/* A string with its end, so that neighbouring ones cannot be taken for each other. */
static bool add_text(struct digest *digest, const char *text)
{
	return digest_add(digest, text, strlen(text) + 1);
}

static bool add_body(struct digest *digest, const struct message *message)
{
	char scratch[16384];
	size_t offset = 0;
	const void *bytes;
	long got;

	while ((got = message_peek(message, offset, scratch, sizeof(scratch), &bytes)) > 0) {
		if (!digest_add(digest, bytes, (size_t)got))
			return false;
		offset += (size_t)got;
	}
	return got == 0;
}

bool message_identity(const struct envelope *envelope, const struct message *message,
	unsigned char ret_digest[DIGEST_SIZE])
{
	AUTO(digest_free) struct digest *digest = digest_new();
	const struct header_list *list = message_headers(message);
	bool good = digest != NULL;

	good = good && add_text(digest, envelope->sender == NULL ? "" : envelope->sender);
	for (size_t i = 0; good && i < envelope->recipients.count; i++)
		good = add_text(digest, envelope->recipients.items[i]);
	good = good && add_text(digest, "");
	for (size_t i = 0; good && i < list->count; i++)
		good = add_text(digest, headers_name(list, i)) &&
			add_text(digest, headers_value(list, i));
	good = good && add_text(digest, "") && add_body(digest, message);
	return good && digest_finish(digest, ret_digest);
}

bool message_identity_for(const unsigned char identity[DIGEST_SIZE], const char *user,
	unsigned char ret_digest[DIGEST_SIZE])
{
	AUTO(digest_free) struct digest *digest = digest_new();

	return digest != NULL && digest_add(digest, identity, DIGEST_SIZE) &&
		add_text(digest, user) && digest_finish(digest, ret_digest);
}
