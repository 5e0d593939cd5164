/* SPDX-License-Identifier: BSD-2-Clause */
/* An item's metadata as JSON text, and back. */
#include "quarantine/item_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "protocol/json_load.h"
#include "quarantine/limits.h"

static json_t *hex_text(const char *text)
{
	size_t length = strlen(text);
	AUTO(string_free) char *hex = malloc(2 * length + 1);

	if (hex == NULL)
		return NULL;
	for (size_t i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned)(unsigned char)text[i]);
	return json_pack("{s:s#}", "hex", hex, (int)(2 * length));
}

json_t *item_json_text(const char *text)
{
	json_t *json;

	/* jansson refuses what is not UTF-8, and only that is to be read as hex. */
	errno = 0;
	json = json_string(text);
	return json != NULL || errno == ENOMEM ? json : hex_text(text);
}

/* Add a text unless it is unknown. */
static bool put_text(json_t *object, const char *key, const char *text)
{
	return text == NULL || json_object_set_new(object, key, item_json_text(text)) == 0;
}

static bool put_true(json_t *object, const char *key, bool value)
{
	return !value || json_object_set_new(object, key, json_true()) == 0;
}

static json_t *texts_json(const struct strlist *texts)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < texts->count; i++) {
		if (json_array_append_new(array, item_json_text(texts->items[i])) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *client_json(const struct item *item)
{
	const struct client *client = &item->client;
	json_t *object = json_object();

	if (object != NULL && put_text(object, "name", client->name) &&
		put_text(object, "address", client->address) &&
		put_text(object, "helo", client->helo) &&
		put_text(object, "login", item->envelope.auth_login) &&
		put_text(object, "tls_version", client->tls_version) &&
		put_text(object, "server_name", client->server_name) &&
		put_text(object, "daemon_name", client->daemon_name))
		return object;
	json_decref(object);
	return NULL;
}

/* ["NAME", thousandths], ["OTHER"], or with what it found ["NAME", thousandths or null, ["x"]] */
static json_t *test_json(const struct verdict_test *test)
{
	json_t *options, *score;

	if (test->options.count == 0)
		return test->has_score ? json_pack("[s,i]", test->name, (int)test->score) :
					 json_pack("[s]", test->name);
	options = texts_json(&test->options);
	score = test->has_score ? json_integer(test->score) : json_null();
	return json_pack("[s,o,o]", test->name, score, options);
}

static json_t *tests_json(const struct verdict *verdict)
{
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < verdict->test_count; i++) {
		if (json_array_append_new(array, test_json(&verdict->tests[i])) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *verdict_json(const struct verdict *verdict)
{
	json_t *object = json_pack("{s:s}", "status", verdict_status_name(verdict->status));
	bool good = object != NULL;

	if (good && verdict->status == VERDICT_SCORED)
		good = json_object_set_new(object, "score", json_integer(verdict->score)) == 0 &&
			json_object_set_new(object, "tests", tests_json(verdict)) == 0;
	if (good && verdict->has_required)
		good = json_object_set_new(object, "required", json_integer(verdict->required)) ==
			0;
	if (good && put_true(object, "spam", verdict->spam) &&
		put_true(object, "late", verdict->late) &&
		put_true(object, "truncated", verdict->truncated) &&
		put_text(object, "scorer", verdict->scorer) &&
		put_text(object, "server", verdict->server) &&
		put_text(object, "version", verdict->version) &&
		put_text(object, "error", verdict->err.text[0] == '\0' ? NULL : verdict->err.text))
		return object;
	json_decref(object);
	return NULL;
}

json_t *item_json(const struct item *item)
{
	const struct envelope *envelope = &item->envelope;
	json_t *object = json_pack("{s:s,s:I,s:o,s:o,s:o}", "id", item->id, "time",
		(json_int_t)item->time_s, "recipients", texts_json(&envelope->recipients), "client",
		client_json(item), "verdict", verdict_json(&item->verdict));

	if (object != NULL &&
		put_text(object, "sender", envelope->sender == NULL ? "" : envelope->sender) &&
		put_true(object, "smtputf8", envelope->utf8) &&
		put_true(object, "8bitmime", envelope->eight_bit) &&
		(item->expires_s == 0 ||
			json_object_set_new(object, "expires", json_integer(item->expires_s)) ==
				0) &&
		put_text(object, "queue_id", envelope->queue_id) &&
		put_text(object, "action", item->action) &&
		put_text(object, "reason", item->reason) &&
		put_text(object, "subject", item->subject) &&
		put_text(object, "from", item->from) && put_text(object, "date", item->date) &&
		put_text(object, "message_id", item->message_id))
		return object;
	json_decref(object);
	return NULL;
}

/*
 * In compact output a blank can stand in strings only, so it can always be written as an escape:
 * no line of the folded field can then consist of blanks, which some programs take for its end.
 */
static int put_ascii(const char *bytes, size_t length, void *context)
{
	struct buf *out = context;

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == ' ' || bytes[i] == 0x7f)
			buf_printf(out, "\\u%04x", (unsigned)bytes[i]);
		else
			buf_putc(out, bytes[i]);
	}
	return out->failed ? -1 : 0;
}

bool item_json_print(struct buf *out, const struct item *item)
{
	json_t *json = item_json(item);
	bool good = json != NULL &&
		json_dump_callback(json, put_ascii, out, JSON_COMPACT | JSON_ENSURE_ASCII) == 0;

	json_decref(json);
	return good;
}

/* The bytes that `hex` stands for as a string; NULL when it is none or out of memory. */
static char *unhex(const char *hex)
{
	struct cursor digits = cursor_over(hex, strlen(hex));
	char *text = malloc(cursor_left(&digits) / 2 + 1), *out = text;

	for (; text != NULL && !cursor_at_end(&digits); out++)
		if (!cursor_hex(&digits, out) || *out == '\0') {
			free(text);
			return NULL;
		}
	if (text != NULL)
		*out = '\0';
	return text;
}

/* Replace *field by the text that `value` holds. False when it holds none. */
static bool get_text(const json_t *value, char **field)
{
	const char *plain = json_string_value(value);
	const char *hex = json_string_value(json_object_get(value, "hex"));
	char *text = NULL;

	if (plain != NULL)
		text = strdup(plain);
	else if (hex != NULL)
		text = unhex(hex);
	if (text == NULL)
		return false;
	free(*field);
	*field = text;
	return true;
}

/* A member that may be missing. False when it is there and no text. */
static bool take_text(const json_t *object, const char *key, char **field)
{
	const json_t *value = json_object_get(object, key);

	return value == NULL || get_text(value, field);
}

static bool take_bool(const json_t *object, const char *key, bool *field)
{
	const json_t *value = json_object_get(object, key);
	json_type type = value == NULL ? JSON_FALSE : json_typeof(value);

	*field = type == JSON_TRUE;
	return type == JSON_TRUE || type == JSON_FALSE;
}

static bool take_milli(const json_t *value, int32_t *field)
{
	json_int_t number = json_integer_value(value);

	if (json_typeof(value) != JSON_INTEGER || number > LIMIT_SCORE_MILLI ||
		number < -LIMIT_SCORE_MILLI)
		return false;
	*field = (int32_t)number;
	return true;
}

static bool take_seconds(const json_t *value, int64_t *field)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > 99999999999)
		return false;
	*field = number;
	return true;
}

static bool take_recipients(const json_t *array, struct strlist *recipients)
{
	if (!json_is_array(array) || json_array_size(array) == 0 ||
		json_array_size(array) > LIMIT_RECIPIENTS)
		return false;
	for (size_t i = 0; i < json_array_size(array); i++) {
		AUTO(string_free) char *address = NULL;

		if (!get_text(json_array_get(array, i), &address) ||
			!strlist_add(recipients, address))
			return false;
	}
	return true;
}

static bool take_client(const json_t *object, struct item *item)
{
	struct client *client = &item->client;

	if (!json_is_object(object) || !take_text(object, "name", &client->name) ||
		!take_text(object, "address", &client->address) ||
		!take_text(object, "helo", &client->helo) ||
		!take_text(object, "login", &item->envelope.auth_login) ||
		!take_text(object, "tls_version", &client->tls_version) ||
		!take_text(object, "server_name", &client->server_name) ||
		!take_text(object, "daemon_name", &client->daemon_name))
		return false;
	(void)address_parse_ip(client->address, &client->sockaddr);
	return true;
}

static bool take_options(const json_t *array, struct verdict_test *test)
{
	if (array != NULL &&
		(json_typeof(array) != JSON_ARRAY || json_array_size(array) > LIMIT_TEST_OPTIONS))
		return false;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (text == NULL || !verdict_test_add_option(test, text, strlen(text)))
			return false;
	}
	return true;
}

static bool take_test(const json_t *json, struct verdict *verdict)
{
	const char *name = json_string_value(json_array_get(json, 0));
	const json_t *number = json_array_get(json, 1);
	bool has_score = number != NULL && json_typeof(number) != JSON_NULL;
	size_t before = verdict->test_count;
	int32_t score = 0;

	return name != NULL && (!has_score || take_milli(number, &score)) &&
		verdict_add_test(verdict, name, strlen(name), has_score, score) &&
		(verdict->test_count == before ||
			take_options(json_array_get(json, 2), &verdict->tests[before]));
}

static bool take_tests(const json_t *array, struct verdict *verdict)
{
	if (array == NULL)
		return true;
	if (json_typeof(array) != JSON_ARRAY || json_array_size(array) > LIMIT_TESTS)
		return false;
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!take_test(json_array_get(array, i), verdict))
			return false;
	return true;
}

static bool take_status(const json_t *value, enum verdict_status *ret_status)
{
	const char *word = json_string_value(value);

	for (int i = VERDICT_NONE; word != NULL && i <= VERDICT_ERROR; i++) {
		if (strcmp(word, verdict_status_name((enum verdict_status)i)) == 0) {
			*ret_status = (enum verdict_status)i;
			return true;
		}
	}
	return false;
}

static bool take_verdict(const json_t *object, struct verdict *verdict)
{
	const json_t *score = json_object_get(object, "score");
	const json_t *required = json_object_get(object, "required");
	const char *error = json_string_value(json_object_get(object, "error"));

	if (error != NULL)
		err_set(&verdict->err, "%s", error);
	verdict->has_required = required != NULL;
	return json_is_object(object) &&
		take_status(json_object_get(object, "status"), &verdict->status) &&
		(score != NULL) == (verdict->status == VERDICT_SCORED) &&
		(score == NULL || take_milli(score, &verdict->score)) &&
		(required == NULL || take_milli(required, &verdict->required)) &&
		take_tests(json_object_get(object, "tests"), verdict) &&
		take_bool(object, "spam", &verdict->spam) &&
		take_bool(object, "late", &verdict->late) &&
		take_bool(object, "truncated", &verdict->truncated) &&
		take_text(object, "scorer", &verdict->scorer) &&
		take_text(object, "server", &verdict->server) &&
		take_text(object, "version", &verdict->version);
}

static bool take_envelope(const json_t *object, struct envelope *envelope)
{
	envelope->has_sender = true;
	return json_object_get(object, "sender") != NULL &&
		take_text(object, "sender", &envelope->sender) &&
		take_recipients(json_object_get(object, "recipients"), &envelope->recipients) &&
		take_bool(object, "smtputf8", &envelope->utf8) &&
		take_bool(object, "8bitmime", &envelope->eight_bit) &&
		take_text(object, "queue_id", &envelope->queue_id);
}

static bool take_item(const json_t *object, struct item *item)
{
	const char *id = json_string_value(json_object_get(object, "id"));
	const json_t *expires = json_object_get(object, "expires");

	if (id == NULL || !item_id_is_valid(id))
		return false;
	memcpy(item->id, id, ITEM_ID_SIZE);
	return take_seconds(json_object_get(object, "time"), &item->time_s) &&
		(expires == NULL || take_seconds(expires, &item->expires_s)) &&
		take_envelope(object, &item->envelope) &&
		take_client(json_object_get(object, "client"), item) &&
		take_verdict(json_object_get(object, "verdict"), &item->verdict) &&
		take_text(object, "action", &item->action) &&
		take_text(object, "reason", &item->reason) &&
		take_text(object, "subject", &item->subject) &&
		take_text(object, "from", &item->from) && take_text(object, "date", &item->date) &&
		take_text(object, "message_id", &item->message_id);
}

enum item_parse_result item_json_parse(
	const char *text, size_t length, struct item *ret_item, struct err *err)
{
	json_error_t error;
	bool good, no_memory;
	json_t *json = json_load_whole(text, length, &no_memory, &error);

	if (no_memory)
		return ITEM_NO_MEMORY;
	if (json == NULL) {
		err_set(err, "its metadata is no JSON");
		return ITEM_DAMAGED;
	}
	/* Its parts say only that they failed; malloc says why. */
	errno = 0;
	good = take_item(json, ret_item);
	no_memory = errno == ENOMEM;
	json_decref(json);
	if (good)
		return ITEM_COMPLETE;
	if (no_memory)
		return ITEM_NO_MEMORY;
	err_set(err, "its metadata lacks a member or has a wrong one");
	return ITEM_DAMAGED;
}
