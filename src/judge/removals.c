/* SPDX-License-Identifier: BSD-2-Clause */
/* Which header fields of a message are removed. */
#include "judge/removals.h"

#include <stdlib.h>

/* Last first. */
static int by_index(const void *a, const void *b)
{
	size_t first = ((const struct header_instance *)a)->index;
	size_t second = ((const struct header_instance *)b)->index;

	return (first < second) - (first > second);
}

static size_t count_copies(const struct header_list *list, const char *name)
{
	size_t count = 0;

	for (size_t i = headers_find(list, name, 0); i < list->count;
		i = headers_find(list, name, i + 1))
		count++;
	return count;
}

/* Is copy number `instance` of `count` meant by `which`? See struct edit_removal. */
static bool is_meant(int which, size_t instance, size_t count)
{
	if (which == 0)
		return true;
	return which > 0 ? instance == (size_t)which : instance + (size_t)-which == count + 1;
}

/* Append the copies that one removal means. */
static bool append_copies(const struct header_list *list, const struct edit_removal *removal,
	struct header_instance **list_end, size_t *count)
{
	size_t copies = count_copies(list, removal->name), instance = 0;
	struct header_instance *longer =
		realloc(*list_end, (*count + copies + 1) * sizeof(*longer));

	if (longer == NULL)
		return false;
	*list_end = longer;
	for (size_t i = headers_find(list, removal->name, 0); i < list->count;
		i = headers_find(list, removal->name, i + 1))
		if (is_meant(removal->which, ++instance, copies))
			longer[(*count)++] = (struct header_instance){ i, (unsigned)instance };
	return true;
}

/* Sort, and forget what is named twice. */
static size_t tidy(struct header_instance *items, size_t count)
{
	size_t kept = 0;

	qsort(items, count, sizeof(*items), by_index);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || items[kept - 1].index != items[i].index)
			items[kept++] = items[i];
	return kept;
}

bool removals_build(const struct header_list *list, bool keep_reserved,
	const struct message_edits *edits, struct header_instance **ret, size_t *ret_count)
{
	struct header_instance *items = NULL;
	size_t count = 0;

	if (!headers_matching(list, keep_reserved ? header_is_release_mark : header_is_reserved,
		    &items, &count))
		return false;
	for (size_t i = 0; edits != NULL && i < edits->removal_count; i++) {
		const struct edit_removal *removal = &edits->removals[i];

		if (!keep_reserved && header_is_reserved(removal->name))
			continue;
		if (!append_copies(list, removal, &items, &count)) {
			free(items);
			return false;
		}
	}
	*ret = items;
	*ret_count = count == 0 ? 0 : tidy(items, count);
	return true;
}
