/* SPDX-License-Identifier: BSD-2-Clause */
/* The administrator's text of an SMTP reply with fields in it. */
#include "protocol/template.h"

#include <string.h>

#include "base/limits.h"
#include "base/score.h"

/* Of a byte that is not NUL. */
static bool is_safe(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		strchr("@._+=-/&'#~:,[]", c) != NULL;
}

static void put_value(struct buf *out, const char *value)
{
	if (value == NULL)
		value = "-";
	for (; *value != '\0'; value++)
		buf_putc(out, is_safe(*value) ? *value : '?');
}

static void put_milli(struct buf *out, bool known, int32_t score)
{
	char text[SCORE_TEXT_SIZE];

	buf_puts(out, known ? score_format(score, 1, text) : "-");
}

static void put_score(struct buf *out, const struct template_facts *facts)
{
	put_milli(out, facts->has_score, facts->score);
}

static void put_required(struct buf *out, const struct template_facts *facts)
{
	put_milli(out, facts->has_required, facts->required);
}

static void put_id(struct buf *out, const struct template_facts *facts)
{
	put_value(out, facts->id);
}

static void put_queue_id(struct buf *out, const struct template_facts *facts)
{
	put_value(out, facts->queue_id);
}

static void put_sender(struct buf *out, const struct template_facts *facts)
{
	if (facts->sender != NULL && facts->sender[0] == '\0')
		buf_puts(out, "<>");
	else
		put_value(out, facts->sender);
}

static void put_recipient(struct buf *out, const struct template_facts *facts)
{
	put_value(out, facts->recipient);
}

static void put_tests(struct buf *out, const struct template_facts *facts)
{
	put_value(out, facts->tests);
}

/* What stands at a percent sign. */
struct field {
	const char *name;
	void (*put)(struct buf *out, const struct template_facts *facts);
};

static const struct field fields[] = {
	{ "score", put_score },
	{ "required", put_required },
	{ "id", put_id },
	{ "queue_id", put_queue_id },
	{ "sender", put_sender },
	{ "recipient", put_recipient },
	{ "tests", put_tests },
};

static const char field_list[] =
	"%{score} %{required} %{id} %{queue_id} %{sender} %{recipient} %{tests}";

/* The field that begins at `text` ("%{name}"), and its length; NULL when none does. */
static const struct field *field_at(const char *text, size_t *ret_length)
{
	const char *end = text[1] == '{' ? strchr(text, '}') : NULL;

	for (size_t i = 0; end != NULL && i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t length = (size_t)(end - text) - 2;

		if (strlen(fields[i].name) == length &&
			memcmp(fields[i].name, text + 2, length) == 0) {
			*ret_length = length + 3;
			return &fields[i];
		}
	}
	return NULL;
}

int template_check(const char *text, struct err *err)
{
	const char *c = text;
	size_t length;

	if (strlen(text) > LIMIT_REPLY_TEXT)
		return err_set(err, "longer than %d bytes", LIMIT_REPLY_TEXT);
	while (*c != '\0') {
		if (*c < 0x20 || *c > 0x7e)
			return err_set(err, "only printable ASCII can stand in an SMTP reply");
		length = c[0] == '%' && c[1] == '%' ? 2 : 1;
		if (*c == '%' && length == 1 && field_at(c, &length) == NULL)
			return err_set(err,
				"unknown field at \"%.32s\"; known are %s, and %%%% for a percent "
				"sign",
				c, field_list);
		c += length;
	}
	return 0;
}

bool template_expand(struct buf *out, const char *text, const struct template_facts *facts)
{
	size_t begin = out->length, length;
	const struct field *field;

	while (*text != '\0' && !out->failed && out->length - begin < LIMIT_REPLY_TEXT) {
		length = 1;
		if (text[0] == '%' && text[1] == '%') {
			length = 2;
			buf_putc(out, '%');
		} else if (text[0] == '%') {
			field = field_at(text, &length);
			if (field != NULL)
				field->put(out, facts);
			else
				buf_putc(out, '%');
		} else {
			buf_putc(out, *text >= 0x20 && *text < 0x7f ? *text : '?');
		}
		text += length;
	}
	if (out->length - begin > LIMIT_REPLY_TEXT) {
		out->length = begin + LIMIT_REPLY_TEXT;
		out->data[out->length] = '\0';
	}
	return !out->failed;
}

bool template_for_milter(struct buf *out, const char *text)
{
	size_t begin = out->length;

	for (; *text != '\0'; text++) {
		size_t length = *text == '%' ? 2 : 1;

		if (out->length - begin + length > LIMIT_REPLY_TEXT)
			break;
		buf_append(out, length == 2 ? "%%" : text, length);
	}
	return !out->failed;
}
