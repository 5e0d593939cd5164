/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of header fields in the order in which they stand in a message. */
#include "mail/headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"

void headers_init(struct header_list *list, size_t max_bytes)
{
	*list = (struct header_list){ 0 };
	buf_init(&list->text, max_bytes);
}

void headers_free(struct header_list *list)
{
	size_t max_bytes = list->text.max_bytes;

	buf_free(&list->text);
	free(list->places);
	headers_init(list, max_bytes);
}

static bool grow(struct header_list *list)
{
	size_t capacity = list->capacity == 0 ? 32 : list->capacity * 2;
	struct header_place *places;

	if (list->count >= LIMIT_HEADER_COUNT)
		return false;
	if (list->count < list->capacity)
		return true;
	places = realloc(list->places, capacity * sizeof(*places));
	if (places == NULL)
		return false;
	list->places = places;
	list->capacity = capacity;
	return true;
}

bool headers_add(struct header_list *list, const char *name, const char *value)
{
	size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
	struct header_place place = { list->text.length, list->text.length + name_size };

	if (!grow(list) || !buf_reserve(&list->text, name_size + value_size))
		return false;
	buf_append(&list->text, name, name_size);
	buf_append(&list->text, value, value_size);
	list->places[list->count++] = place;
	return true;
}

const char *headers_name(const struct header_list *list, size_t index)
{
	return list->text.data + list->places[index].name;
}

const char *headers_value(const struct header_list *list, size_t index)
{
	return list->text.data + list->places[index].value;
}

size_t headers_find(const struct header_list *list, const char *name, size_t from)
{
	for (size_t i = from; i < list->count; i++)
		if (strcasecmp(headers_name(list, i), name) == 0)
			return i;
	return list->count;
}

bool header_is_reserved(const char *name)
{
	/* A prefix test is right here: X-Spam-Score or X-Spam-Bar mislead a mail reader as well. */
	while (*name == ' ' || *name == '\t')
		name++;
	return strncasecmp(name, "X-Spam", 6) == 0 || strncasecmp(name, "X-Rspamd", 8) == 0;
}

bool header_is_release_mark(const char *name)
{
	const size_t length = sizeof(RELEASE_MARK_FIELD) - 1;

	name += strspn(name, " \t");
	return strncasecmp(name, RELEASE_MARK_FIELD, length) == 0 &&
		name[length + strspn(name + length, " \t")] == '\0';
}

struct named {
	const char *name;
	size_t index;
};

static int by_name(const void *a, const void *b)
{
	const struct named *left = a, *right = b;
	int order = strcasecmp(left->name, right->name);

	return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

static int last_first(const void *a, const void *b)
{
	const struct header_instance *left = a, *right = b;

	return left->index > right->index ? -1 : 1;
}

bool headers_matching(const struct header_list *list, bool (*wanted)(const char *name),
	struct header_instance **ret_instances, size_t *ret_count)
{
	struct header_instance *instances = NULL;
	struct named *named;
	size_t count = 0;

	/* Sorting keeps the cost of thousands of forged copies near linear. */
	named = calloc(list->count + 1, sizeof(*named));
	if (named == NULL)
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (wanted(headers_name(list, i)))
			named[count++] = (struct named){ headers_name(list, i), i };
	qsort(named, count, sizeof(*named), by_name);
	instances = calloc(count + 1, sizeof(*instances));
	if (instances == NULL) {
		free(named);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		bool again = i > 0 && strcasecmp(named[i].name, named[i - 1].name) == 0;

		instances[i].index = named[i].index;
		instances[i].instance = again ? instances[i - 1].instance + 1 : 1;
	}
	free(named);
	qsort(instances, count, sizeof(*instances), last_first);
	*ret_instances = instances;
	*ret_count = count;
	return true;
}

bool header_render(struct buf *out, const char *name, const char *value)
{
	buf_puts(out, name);
	buf_putc(out, ':');
	buf_put_crlf(out, value, strlen(value));
	return buf_append(out, "\r\n", 2);
}
