/* SPDX-License-Identifier: BSD-2-Clause */
/* Request objects for scoring services that take JSON. */
#include "protocol/json_verdict.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/limits.h"
#include "protocol/base64.h"
#include "protocol/json_reply.h"

/* Longest name of a fixed member, bytes. */
#define MEMBER_MAX 256

static json_t *text_value(const char *text, size_t length)
{
	AUTO(buf_free) struct buf utf8 = { 0 };

	/* Each invalid byte becomes three. */
	buf_init(&utf8, length * 3 + 1);
	if (!encode_utf8(&utf8, text, length))
		return NULL;
	return json_stringn_nocheck(buf_text(&utf8), utf8.length);
}

static json_t *base64_value(const char *text, size_t length)
{
	AUTO(buf_free) struct buf encoded = { 0 };

	buf_init(&encoded, (length + 2) / 3 * 4);
	if (!base64_put(&encoded, text, length))
		return NULL;
	return json_stringn_nocheck(buf_text(&encoded), encoded.length);
}

/* Set a text member unless the text is unknown. */
static bool set_text(json_t *object, const char *name, const char *text)
{
	return text == NULL ||
		json_object_set_new_nocheck(object, name, text_value(text, strlen(text))) == 0;
}

static json_t *recipients_value(const struct strlist *recipients)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < recipients->count; i++) {
		const char *text = recipients->items[i];

		if (json_array_append_new(array, text_value(text, strlen(text))) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static bool set_client(json_t *object, const struct client *client)
{
	return set_text(object, "client_address", client->address) &&
		set_text(object, "client_name", client->name) &&
		set_text(object, "helo", client->helo) &&
		set_text(object, "server_name", client->server_name) &&
		set_text(object, "tls_version", client->tls_version) &&
		set_text(object, "tls_cipher", client->tls_cipher);
}

static bool set_envelope(json_t *object, const struct envelope *envelope)
{
	return (!envelope->has_sender || set_text(object, "sender", envelope->sender)) &&
		json_object_set_new_nocheck(
			object, "recipients", recipients_value(&envelope->recipients)) == 0 &&
		set_text(object, "queue_id", envelope->queue_id) &&
		set_text(object, "login", envelope->auth_login);
}

/* "name=value"; a member without '=' is an empty string. */
static bool set_members(json_t *object, const struct strlist *members)
{
	for (size_t i = 0; members != NULL && i < members->count; i++) {
		const char *member = members->items[i];
		size_t length = strcspn(member, "=");
		char name[MEMBER_MAX];

		if (length == 0 || length >= sizeof(name))
			continue;
		memcpy(name, member, length);
		name[length] = '\0';
		if (!set_text(object, name, member[length] == '=' ? member + length + 1 : ""))
			return false;
	}
	return true;
}

static int put_chunk(const char *bytes, size_t length, void *out)
{
	return buf_append(out, bytes, length) ? 0 : -1;
}

bool json_request_build(
	struct buf *out, const struct json_request *request, const char *message, size_t length)
{
	AUTO(json_release) json_t *object = json_object();
	json_t *value =
		request->base64 ? base64_value(message, length) : text_value(message, length);

	/* The message comes last: nothing that is configured may take its place. */
	if (object == NULL || value == NULL ||
		(request->client != NULL && !set_client(object, request->client)) ||
		(request->envelope != NULL && !set_envelope(object, request->envelope)) ||
		!set_members(object, request->members)) {
		json_decref(value);
		return false;
	}
	if (json_object_set_new_nocheck(object, request->message_member, value) != 0)
		return false;
	return json_dump_callback(object, put_chunk, out, JSON_COMPACT) == 0;
}
