/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A growing set of strings, numbered from 0 in the order of adding: millions of names with a
 * look-up whose cost does not grow with their number. An open-addressing hash table (linear
 * probing, at most three quarters full) with a random seed, so that nobody can choose names that
 * collide. A key takes its bytes, 5, and about 5 to 11 bytes of table.
 */
#ifndef SPAMBRIDGE_CONFIG_KEY_SET_H
#define SPAMBRIDGE_CONFIG_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define KEY_SET_MAX INT32_MAX

struct key_set {
	uint64_t seed;
	uint32_t *slots; /* number of the key + 1, 0: free */
	size_t slot_count;
	uint32_t *offsets; /* of each key in `keys` */
	size_t count, capacity;
	struct buf keys; /* each ended by NUL */
};

enum key_added {
	KEY_ADDED,
	KEY_THERE,         /* an equal one has that number */
	KEY_OUT_OF_MEMORY, /* or KEY_SET_MAX is reached */
};

/* Make empty. False when out of memory; key_set_free() is safe then too. */
bool key_set_init(struct key_set *set);
void key_set_free(struct key_set *set);

/* Make room for `more` keys in one step. False when out of memory. */
bool key_set_reserve(struct key_set *set, size_t more);

/* Add a copy of `key`. */
enum key_added key_set_add(struct key_set *set, const char *key, size_t *ret_number);

/* The number of exactly this key; false when it is not there. */
bool key_set_find(const struct key_set *set, const char *key, size_t *ret_number);

/* The key with this number (below count). Valid until the next one is added. */
const char *key_set_get(const struct key_set *set, size_t number);

/* Bytes of memory that the set holds besides its own struct. */
size_t key_set_memory(const struct key_set *set);

/*
 * Make room for one element more in an array; doubles. False when out of memory, nothing changed.
 * For the arrays that stand beside a key_set.
 */
bool array_grow(void **items, size_t count, size_t *capacity, size_t size);

#endif
