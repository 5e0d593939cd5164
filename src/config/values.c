/* SPDX-License-Identifier: BSD-2-Clause */
/* Text to value and back, by the rows of the option table. */
#include "config/values.h"

#include <string.h>

#include "base/cleanup.h"
#include "config/accept_list.h"
#include "config/endpoint.h"
#include "config/numbers.h"
#include "config/settings.h"

/* Values of one list of texts, count. */
#define TEXTS_MAX 64

char *pool_text(struct strlist *pool, const char *text)
{
	return strlist_add(pool, text) ? pool->items[pool->count - 1] : NULL;
}

bool quoted_print(const char *text, struct buf *out)
{
	buf_putc(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
	return buf_putc(out, '"');
}

static int check_text(const struct option *option, const char *text, struct err *err)
{
	size_t length = strlen(text);

	if (length < (size_t)option->min)
		return err_set(err, "the value is empty; give one or leave the line out");
	if (length > (size_t)option->max)
		return err_set(err, "the value is %zu bytes long; at most %lld are possible",
			length, (long long)option->max);
	return option->check != NULL ? option->check(text, err) : 0;
}

static int parse_text(const struct option *option, const char *text, char **field,
	struct strlist *pool, struct err *err)
{
	char *copy;

	if (option->type == OPTION_PATH && text[0] != '/' && text[0] != '\0')
		return err_set(err, "'%s' is no absolute path; begin it with '/'", text);
	if (check_text(option, text, err) < 0)
		return -1;
	copy = pool_text(pool, text);
	if (copy == NULL)
		return err_set(err, "out of memory");
	*field = copy;
	return 0;
}

static int add_network(struct network_list *list, const char *text, struct err *err)
{
	struct network network;

	if (network_parse(text, &network, err) < 0)
		return -1;
	if (!network_list_add(list, &network))
		return err_set(err, "out of memory");
	return 0;
}

static int add_text(
	const struct option *option, const char *text, struct strlist *list, struct err *err)
{
	if (check_text(option, text, err) < 0)
		return -1;
	if (list->count >= TEXTS_MAX)
		return err_set(err, "more than %d values; remove some", TEXTS_MAX);
	return strlist_add(list, text) ? 0 : err_set(err, "out of memory");
}

int value_parse(const struct option *option, const char *text, void *base, struct strlist *pool,
	struct err *err)
{
	void *field = (char *)base + option->offset;

	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_PATH:
		return parse_text(option, text, field, pool, err);
	case OPTION_LISTEN:
		return listen_parse(text, pool, field, err);
	case OPTION_NETWORKS:
		return add_network(field, text, err);
	case OPTION_SERVERS:
		return server_list_add(field, text, pool, err);
	case OPTION_NAMES:
		return accept_add_name(field, text, pool, err);
	case OPTION_CLIENTS:
		return accept_add_network(field, text, pool, err);
	case OPTION_TEXTS:
		return add_text(option, text, field, err);
	case OPTION_BOOL:
	case OPTION_WORD:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_BYTES:
	case OPTION_COUNT:
	case OPTION_PERCENT:
	case OPTION_SCORE:
	case OPTION_MODE:
		break;
	}
	return number_parse(option, text, field, err);
}

int value_parse_list(const struct option *option, const char *text, void *base,
	struct strlist *pool, struct err *err)
{
	while (*text != '\0') {
		size_t length = strcspn(text, ", ");
		AUTO(string_free) char *element = strndup(text, length);

		if (element == NULL)
			return err_set(err, "out of memory");
		if (value_parse(option, element, base, pool, err) < 0)
			return -1;
		text += length;
		text += strspn(text, ", ");
	}
	return 0;
}

static bool print_networks(const struct network_list *list, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < list->count; i++) {
		char text[NETWORK_TEXT_SIZE];

		buf_printf(
			out, "%s \"%s\"", i > 0 ? "," : "", network_format(&list->items[i], text));
	}
	return buf_puts(out, " }");
}

static bool print_servers(const struct server_list *list, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < list->count; i++) {
		buf_puts(out, i > 0 ? ", " : " ");
		quoted_print(list->items[i].text, out);
	}
	return buf_puts(out, " }");
}

static bool print_texts(const struct strlist *list, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < list->count; i++) {
		buf_puts(out, i > 0 ? ", " : " ");
		quoted_print(list->items[i], out);
	}
	return buf_puts(out, " }");
}

bool value_print(const struct option *option, const void *base, struct buf *out)
{
	const void *field = (const char *)base + option->offset;

	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_PATH:
		return quoted_print(*(char *const *)field, out);
	case OPTION_LISTEN:
		return quoted_print(((const struct listen_setting *)field)->text, out);
	case OPTION_NETWORKS:
		return print_networks(field, out);
	case OPTION_SERVERS:
		return print_servers(field, out);
	case OPTION_NAMES:
	case OPTION_CLIENTS:
		return accept_print(*(struct accept_item *const *)field, out);
	case OPTION_TEXTS:
		return print_texts(field, out);
	case OPTION_BOOL:
	case OPTION_WORD:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_BYTES:
	case OPTION_COUNT:
	case OPTION_PERCENT:
	case OPTION_SCORE:
	case OPTION_MODE:
		break;
	}
	return number_print(option, field, out);
}
