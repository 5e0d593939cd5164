/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of strings that it owns. */
#include "base/strlist.h"

#include <stdlib.h>
#include <string.h>

static bool grow(struct strlist *list)
{
	size_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
	char **items;

	if (list->count < list->capacity)
		return true;
	items = realloc(list->items, capacity * sizeof(*items));
	if (items == NULL)
		return false;
	list->items = items;
	list->capacity = capacity;
	return true;
}

bool strlist_take(struct strlist *list, char *item)
{
	if (!grow(list))
		return false;
	list->items[list->count++] = item;
	return true;
}

bool strlist_add(struct strlist *list, const char *text)
{
	char *copy = strdup(text);

	if (copy != NULL && strlist_take(list, copy))
		return true;
	free(copy);
	return false;
}

bool strlist_add_all(struct strlist *list, const struct strlist *other)
{
	for (size_t i = 0; i < other->count; i++)
		if (!strlist_add(list, other->items[i]))
			return false;
	return true;
}

void strlist_free(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strlist){ 0 };
}
