/* SPDX-License-Identifier: BSD-2-Clause */
/* A growing set of numbered strings. */
#include "config/key_set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SLOTS_AT_BIRTH 16

/* FNV-1a from a random start with a final mix (splitmix64's), so that low bits are good. */
static uint64_t hash(const struct key_set *set, const char *key)
{
	uint64_t value = set->seed;

	for (; *key != '\0'; key++)
		value = (value ^ (unsigned char)*key) * 0x100000001b3u;
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t *slot_for(const struct key_set *set, const char *key)
{
	size_t mask = set->slot_count - 1;
	size_t at = (size_t)hash(set, key) & mask;

	while (set->slots[at] != 0 && strcmp(key_set_get(set, set->slots[at] - 1), key) != 0)
		at = (at + 1) & mask;
	return &set->slots[at];
}

static bool grow_slots(struct key_set *set, size_t slot_count)
{
	uint32_t *slots = calloc(slot_count, sizeof(*slots));

	if (slots == NULL)
		return false;
	free(set->slots);
	set->slots = slots;
	set->slot_count = slot_count;
	for (size_t i = 0; i < set->count; i++)
		*slot_for(set, key_set_get(set, i)) = (uint32_t)i + 1;
	return true;
}

/* A seed that cannot be guessed; the clock where the kernel has none yet (early boot). */
static uint64_t random_seed(void)
{
	uint64_t seed;
	struct timespec now;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
		return seed;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)now.tv_sec;
}

bool array_grow(void **items, size_t count, size_t *capacity, size_t size)
{
	size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
	void *grown;

	if (count < *capacity)
		return true;
	grown = realloc(*items, wanted * size);
	if (grown == NULL)
		return false;
	*items = grown;
	*capacity = wanted;
	return true;
}

bool key_set_init(struct key_set *set)
{
	*set = (struct key_set){ .seed = random_seed() };
	buf_init(&set->keys, UINT32_MAX / 2);
	return grow_slots(set, SLOTS_AT_BIRTH);
}

void key_set_free(struct key_set *set)
{
	free(set->slots);
	free(set->offsets);
	buf_free(&set->keys);
	*set = (struct key_set){ 0 };
}

bool key_set_reserve(struct key_set *set, size_t more)
{
	size_t slot_count = set->slot_count, total = set->count + more;
	uint32_t *offsets;

	if (total > KEY_SET_MAX)
		return false;
	while (slot_count / 4 * 3 < total)
		slot_count *= 2;
	if (slot_count > set->slot_count && !grow_slots(set, slot_count))
		return false;
	if (total <= set->capacity)
		return true;
	offsets = realloc(set->offsets, total * sizeof(*offsets));
	if (offsets == NULL)
		return false;
	set->offsets = offsets;
	set->capacity = total;
	return true;
}

enum key_added key_set_add(struct key_set *set, const char *key, size_t *ret_number)
{
	uint32_t *slot;
	uint32_t offset = (uint32_t)set->keys.length;

	if (set->count >= KEY_SET_MAX ||
		(set->count + 1 > set->slot_count / 4 * 3 && !grow_slots(set, set->slot_count * 2)))
		return KEY_OUT_OF_MEMORY;
	slot = slot_for(set, key);
	if (*slot != 0) {
		*ret_number = *slot - 1;
		return KEY_THERE;
	}
	if (!array_grow(
		    (void **)&set->offsets, set->count, &set->capacity, sizeof(*set->offsets)) ||
		!buf_append(&set->keys, key, strlen(key) + 1))
		return KEY_OUT_OF_MEMORY;
	set->offsets[set->count] = offset;
	*ret_number = set->count++;
	*slot = (uint32_t)set->count;
	return KEY_ADDED;
}

bool key_set_find(const struct key_set *set, const char *key, size_t *ret_number)
{
	uint32_t slot = *slot_for(set, key);

	if (slot == 0)
		return false;
	*ret_number = slot - 1;
	return true;
}

const char *key_set_get(const struct key_set *set, size_t number)
{
	return set->keys.data + set->offsets[number];
}

size_t key_set_memory(const struct key_set *set)
{
	return set->slot_count * sizeof(*set->slots) + set->capacity * sizeof(*set->offsets) +
		set->keys.capacity;
}
