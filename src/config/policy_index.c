/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy entries by key in an open-addressing hash table (linear probing, at most three quarters
 * full). An entry takes 28 bytes, its key and about 5 to 11 bytes of table; what few entries set
 * (texts, durations) lies apart. Origins are made on look-up, so a million domains stay small.
 */
#include "config/policy_index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/buf.h"

#define FILES_MAX      UINT16_MAX
#define ENTRIES_MAX    INT32_MAX
#define SLOTS_AT_BIRTH 16

struct compact {
	uint32_t key; /* offset in `keys` */
	uint32_t line;
	int32_t tag, quarantine, reject;
	uint32_t rare; /* index in `rare`, 0: none */
	uint16_t file; /* index in `files` */
	uint8_t set;
	uint8_t on_failure;
};

_Static_assert(POLICY_FIELD_COUNT <= 8, "make compact.set wider");

/* Borrowed texts and durations that only few entries set. */
struct rare {
	const char *subject_tag;
	const char *reject_text;
	int64_t keep_rejected_ms;
};

struct policy_index {
	uint64_t seed;
	uint32_t *slots; /* entry number + 1, 0: free */
	size_t slot_count;
	struct compact *entries;
	size_t count, capacity;
	struct rare *rare;
	size_t rare_count, rare_capacity;
	const char **files; /* borrowed names */
	size_t file_count, file_capacity;
	struct buf keys; /* each ended by NUL */
	bool keeps_mail;
};

/* FNV-1a from a random start with a final mix (splitmix64's), so that low bits are good. */
static uint64_t hash(const struct policy_index *index, const char *key)
{
	uint64_t value = index->seed;

	for (; *key != '\0'; key++)
		value = (value ^ (unsigned char)*key) * 0x100000001b3u;
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

static const char *key_of(const struct policy_index *index, const struct compact *compact)
{
	return index->keys.data + compact->key;
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t *slot_for(const struct policy_index *index, const char *key)
{
	size_t mask = index->slot_count - 1;
	size_t at = (size_t)hash(index, key) & mask;

	while (index->slots[at] != 0 &&
		strcmp(key_of(index, &index->entries[index->slots[at] - 1]), key) != 0)
		at = (at + 1) & mask;
	return &index->slots[at];
}

static bool grow_slots(struct policy_index *index, size_t slot_count)
{
	uint32_t *slots = calloc(slot_count, sizeof(*slots));

	if (slots == NULL)
		return false;
	free(index->slots);
	index->slots = slots;
	index->slot_count = slot_count;
	for (size_t i = 0; i < index->count; i++)
		*slot_for(index, key_of(index, &index->entries[i])) = (uint32_t)i + 1;
	return true;
}

/* Make room for one element more; doubles. False when out of memory, nothing changed. */
static bool grow(void **items, size_t count, size_t *capacity, size_t size)
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

struct policy_index *policy_index_new(void)
{
	struct policy_index *index = calloc(1, sizeof(*index));

	if (index == NULL)
		return NULL;
	index->seed = random_seed();
	index->rare_count = 1; /* number 0 means none */
	buf_init(&index->keys, UINT32_MAX / 2);
	if (!grow_slots(index, SLOTS_AT_BIRTH))
		policy_index_free(&index);
	return index;
}

void policy_index_free(struct policy_index **index)
{
	if (*index == NULL)
		return;
	free((*index)->slots);
	free((*index)->entries);
	free((*index)->rare);
	free((*index)->files);
	buf_free(&(*index)->keys);
	free(*index);
	*index = NULL;
}

bool policy_index_reserve(struct policy_index *index, size_t entries)
{
	size_t slot_count = index->slot_count, total = index->count + entries;
	struct compact *grown;

	if (total > ENTRIES_MAX)
		return false;
	while (slot_count / 4 * 3 < total)
		slot_count *= 2;
	if (slot_count > index->slot_count && !grow_slots(index, slot_count))
		return false;
	if (total <= index->capacity)
		return true;
	grown = realloc(index->entries, total * sizeof(*grown));
	if (grown == NULL)
		return false;
	index->entries = grown;
	index->capacity = total;
	return true;
}

static bool file_number(struct policy_index *index, const char *file, uint16_t *ret_number)
{
	for (size_t i = index->file_count; i > 0; i--) {
		if (index->files[i - 1] != file)
			continue;
		*ret_number = (uint16_t)(i - 1);
		return true;
	}
	if (index->file_count >= FILES_MAX || !grow((void **)&index->files, index->file_count,
						      &index->file_capacity, sizeof(*index->files)))
		return false;
	*ret_number = (uint16_t)index->file_count;
	index->files[index->file_count++] = file;
	return true;
}

static bool rare_number(
	struct policy_index *index, const struct policy_fields *fields, uint32_t *ret_number)
{
	const uint32_t rare =
		1u << POLICY_SUBJECT_TAG | 1u << POLICY_REJECT_TEXT | 1u << POLICY_KEEP_REJECTED;

	*ret_number = 0;
	if ((fields->set & rare) == 0)
		return true;
	while (index->rare_count >= index->rare_capacity)
		if (!grow((void **)&index->rare, index->rare_count, &index->rare_capacity,
			    sizeof(*index->rare)))
			return false;
	*ret_number = (uint32_t)index->rare_count;
	index->rare[index->rare_count++] =
		(struct rare){ fields->subject_tag, fields->reject_text, fields->keep_rejected_ms };
	return true;
}

bool policy_fields_keep_mail(const struct policy_fields *fields)
{
	uint32_t set = fields->set;

	return ((set & 1u << POLICY_QUARANTINE) != 0 && fields->quarantine != THRESHOLD_OFF) ||
	       ((set & 1u << POLICY_ON_FAILURE) != 0 &&
		       fields->on_failure == ON_FAILURE_QUARANTINE) ||
	       ((set & 1u << POLICY_KEEP_REJECTED) != 0 && fields->keep_rejected_ms > 0);
}

/* Name the earlier entry with an equal key. */
static int duplicate(
	const struct policy_index *index, uint32_t slot, const char *key, struct err *err)
{
	const struct compact *first = &index->entries[slot - 1];
	const char *file = index->files[first->file];

	return err_set(err, "'%s' is set a second time; the first is at %s:%u, remove one", key,
		file != NULL ? file : "", (unsigned)first->line);
}

int policy_index_add(struct policy_index *index, const struct policy_entry *entry, struct err *err)
{
	const struct policy_fields *fields = &entry->fields;
	struct compact compact = { .line = entry->origin.line,
		.tag = fields->tag,
		.quarantine = fields->quarantine,
		.reject = fields->reject,
		.set = (uint8_t)fields->set,
		.on_failure = (uint8_t)fields->on_failure };
	uint32_t *slot;

	if (index->count >= ENTRIES_MAX)
		return err_set(err, "too many entries; at most %d are possible", ENTRIES_MAX);
	if (index->count + 1 > index->slot_count / 4 * 3 &&
		!grow_slots(index, index->slot_count * 2))
		return err_set(err, "out of memory");
	slot = slot_for(index, entry->key);
	if (*slot != 0)
		return duplicate(index, *slot, entry->key, err);
	compact.key = (uint32_t)index->keys.length;
	if (!file_number(index, entry->origin.file, &compact.file) ||
		!rare_number(index, fields, &compact.rare) ||
		!grow((void **)&index->entries, index->count, &index->capacity,
			sizeof(*index->entries)) ||
		!buf_append(&index->keys, entry->key, strlen(entry->key) + 1))
		return err_set(err, "out of memory");
	index->entries[index->count++] = compact;
	*slot = (uint32_t)index->count;
	index->keeps_mail = index->keeps_mail || policy_fields_keep_mail(fields);
	return 0;
}

void policy_index_get(
	const struct policy_index *index, size_t number, struct policy_entry *ret_entry)
{
	const struct compact *compact = &index->entries[number];
	struct policy_fields *fields = &ret_entry->fields;

	memset(ret_entry, 0, sizeof(*ret_entry));
	ret_entry->key = key_of(index, compact);
	ret_entry->origin =
		(struct origin){ index->files[compact->file], compact->line, ret_entry->key };
	fields->set = compact->set;
	fields->tag = compact->tag;
	fields->quarantine = compact->quarantine;
	fields->reject = compact->reject;
	fields->on_failure = (enum on_failure)compact->on_failure;
	if (compact->rare != 0) {
		fields->subject_tag = index->rare[compact->rare].subject_tag;
		fields->reject_text = index->rare[compact->rare].reject_text;
		fields->keep_rejected_ms = index->rare[compact->rare].keep_rejected_ms;
	}
	for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++)
		if ((fields->set & 1u << field) != 0)
			fields->origins[field] = ret_entry->origin;
}

bool policy_index_find(
	const struct policy_index *index, const char *key, struct policy_entry *ret_entry)
{
	uint32_t slot = *slot_for(index, key);

	if (slot == 0)
		return false;
	policy_index_get(index, slot - 1, ret_entry);
	return true;
}

size_t policy_index_count(const struct policy_index *index)
{
	return index->count;
}

size_t policy_index_memory(const struct policy_index *index)
{
	return sizeof(*index) + index->slot_count * sizeof(*index->slots) +
	       index->capacity * sizeof(*index->entries) +
	       index->rare_capacity * sizeof(*index->rare) +
	       index->file_capacity * sizeof(*index->files) + index->keys.capacity;
}

bool policy_index_keeps_mail(const struct policy_index *index)
{
	return index->keeps_mail;
}
