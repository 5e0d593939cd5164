/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of strings that it owns, in the order in which they came. */
#ifndef SPAMBRIDGE_BASE_STRLIST_H
#define SPAMBRIDGE_BASE_STRLIST_H

#include <stdbool.h>
#include <stddef.h>

struct strlist {
	char **items;
	size_t count;
	size_t capacity;
};

/* Append a copy of `text`. False when out of memory; the list is then unchanged. */
bool strlist_add(struct strlist *list, const char *text);

/*
 * Append a string, or any block from malloc(), and own it. False when out of memory; it is then
 * still the caller's.
 */
bool strlist_take(struct strlist *list, char *item);

/* Append a copy of every string of `other`. False when out of memory. */
bool strlist_add_all(struct strlist *list, const struct strlist *other);

/* Free all strings; the list is empty and usable again. An all-zero list is an empty one. */
void strlist_free(struct strlist *list);

#endif
