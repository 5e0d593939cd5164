/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading JSON that a scorer sent. */
#include "protocol/json_reply.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/score.h"
#include "protocol/json_load.h"

/* Brackets outside strings: jansson recurses once a level, up to 2,048. */
static bool depth_is_good(const char *bytes, size_t length)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < length; i++) {
		if (in_string && bytes[i] == '\\')
			i++;
		else if (bytes[i] == '"')
			in_string = !in_string;
		else if (!in_string && (bytes[i] == '{' || bytes[i] == '['))
			depth++;
		else if (!in_string && (bytes[i] == '}' || bytes[i] == ']') && depth > 0)
			depth--;
		if (depth > LIMIT_JSON_DEPTH)
			return false;
	}
	return true;
}

static json_t *no_memory(struct verdict *ret)
{
	ret->status = VERDICT_ERROR;
	err_set(&ret->err, "out of memory for the scorer's reply");
	return NULL;
}

static json_t *load(const char *bytes, size_t length, struct verdict *ret)
{
	json_error_t error;
	bool exhausted;
	json_t *json = json_load_whole(bytes, length, &exhausted, &error);

	if (exhausted)
		return no_memory(ret);
	if (json == NULL) {
		ret->status = VERDICT_MALFORMED;
		encode_plain(error.text); /* it quotes what it did not understand */
		err_set(&ret->err, "no proper JSON: %s (byte %d)", error.text, error.position);
	}
	return json;
}

/* Is there a key that had to be mended? Names of members are never a message's text. */
static bool has_mended_key(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item) if (has_mended_key(item)) return true;
	json_object_foreach(value, key,
		item) if (strstr(key, "\xef\xbf\xbd") != NULL || has_mended_key(item)) return true;
	return false;
}

static json_t *load_mended(const char *bytes, size_t length, struct verdict *ret)
{
	AUTO(buf_free) struct buf mended = { 0 };
	json_t *json;

	buf_init(&mended, LIMIT_HTTP_REPLY * 3);
	if (!encode_utf8(&mended, bytes, length))
		return no_memory(ret);
	json = load(mended.data, mended.length, ret);
	if (json != NULL && has_mended_key(json)) {
		json_release(&json);
		json_reply_bad(ret, "no proper JSON: invalid UTF-8 in a name");
	}
	return json;
}

json_t *json_reply_load(const char *bytes, size_t length, bool mend_utf8, struct verdict *ret)
{
	const char *bad = NULL;

	if (length == 0)
		bad = "the reply is empty";
	else if (length > LIMIT_HTTP_REPLY)
		bad = "the reply is too long";
	else if (memchr(bytes, 0, length) != NULL)
		bad = "no proper JSON: NUL byte";
	else if (!depth_is_good(bytes, length))
		bad = "no proper JSON: nested too deeply";
	if (bad != NULL) {
		json_reply_bad(ret, bad);
		return NULL;
	}
	return mend_utf8 ? load_mended(bytes, length, ret) : load(bytes, length, ret);
}

bool json_reply_score(const json_t *value, bool text_allowed, int32_t *ret_milli)
{
	double milli;

	if (text_allowed && json_is_string(value))
		return score_parse(json_string_value(value), json_string_length(value), ret_milli);
	if (!json_is_number(value))
		return false;
	milli = json_number_value(value) * 1000.0;
	if (!(milli >= -LIMIT_SCORE_MILLI && milli <= LIMIT_SCORE_MILLI))
		return false;
	*ret_milli = (int32_t)(milli < 0 ? milli - 0.5 : milli + 0.5);
	return true;
}

char *json_plain_text(const json_t *string, size_t max_bytes)
{
	struct buf text;

	buf_init(&text, LIMIT_HTTP_REPLY * 3);
	encode_header(&text, json_string_value(string), json_string_length(string));
	if (!text.failed && text.length > max_bytes) {
		text.length = max_bytes;
		text.data[max_bytes] = '\0';
	}
	if (!text.failed && text.data == NULL)
		buf_append(&text, "", 0);
	return buf_steal(&text);
}

int json_reply_bad(struct verdict *ret, const char *what)
{
	ret->status = VERDICT_MALFORMED;
	return err_set(&ret->err, "%s", what);
}
