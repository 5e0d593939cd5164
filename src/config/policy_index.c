/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy entries beside the set of their keys. An entry takes 28 bytes besides its key; what few
 * entries set (texts, lists, durations) lies apart. Origins are made on look-up, so a million
 * domains stay small.
 */
#include "config/policy_index.h"

#include <stdlib.h>
#include <string.h>

#include "config/key_set.h"

#define FILES_MAX UINT16_MAX

/* Fields that stand in each entry; an entry that sets another one has all its values in `rare`. */
#define COMPACT_FIELDS \
	(1u << POLICY_TAG | 1u << POLICY_QUARANTINE | 1u << POLICY_REJECT | 1u << POLICY_ON_FAILURE)

struct compact {
	uint32_t set;
	uint32_t line;
	int32_t tag, quarantine, reject;
	uint32_t rare; /* index in `rare`, 0: none */
	uint16_t file; /* index in `files` */
	uint8_t on_failure;
};

/* The values of a struct policy_fields; its strings and lists are borrowed. */
struct rare {
	_Alignas(struct policy_fields) unsigned char values[POLICY_VALUES_SIZE];
};

struct policy_index {
	struct key_set keys;
	struct compact *entries; /* one a key */
	size_t count, capacity;
	struct rare *rare;
	size_t rare_count, rare_capacity;
	const char **files; /* borrowed names */
	size_t file_count, file_capacity;
	bool keeps_mail, holds, adds_recipients;
};

struct policy_index *policy_index_new(void)
{
	struct policy_index *index = calloc(1, sizeof(*index));

	if (index == NULL)
		return NULL;
	index->rare_count = 1; /* number 0 means none */
	if (!key_set_init(&index->keys))
		policy_index_free(&index);
	return index;
}

void policy_index_free(struct policy_index **index)
{
	if (*index == NULL)
		return;
	key_set_free(&(*index)->keys);
	free((*index)->entries);
	free((*index)->rare);
	free((*index)->files);
	free(*index);
	*index = NULL;
}

bool policy_index_reserve(struct policy_index *index, size_t entries)
{
	size_t total = index->count + entries;
	struct compact *grown;

	if (!key_set_reserve(&index->keys, entries))
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
	if (index->file_count >= FILES_MAX ||
		!array_grow((void **)&index->files, index->file_count, &index->file_capacity,
			sizeof(*index->files)))
		return false;
	*ret_number = (uint16_t)index->file_count;
	index->files[index->file_count++] = file;
	return true;
}

/* Entries that follow each other with the same values share one copy of them. */
static bool rare_number(
	struct policy_index *index, const struct policy_fields *fields, uint32_t *ret_number)
{
	*ret_number = 0;
	if ((fields->set & ~COMPACT_FIELDS) == 0)
		return true;
	while (index->rare_count >= index->rare_capacity)
		if (!array_grow((void **)&index->rare, index->rare_count, &index->rare_capacity,
			    sizeof(*index->rare)))
			return false;
	*ret_number = (uint32_t)index->rare_count - 1;
	if (*ret_number > 0 &&
		memcmp(index->rare[*ret_number].values, fields, POLICY_VALUES_SIZE) == 0)
		return true;
	*ret_number = (uint32_t)index->rare_count;
	memcpy(index->rare[index->rare_count++].values, fields, POLICY_VALUES_SIZE);
	return true;
}

/* Name the earlier entry with an equal key. */
static int duplicate(
	const struct policy_index *index, size_t number, const char *key, struct err *err)
{
	const struct compact *first = &index->entries[number];
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
		.set = fields->set,
		.on_failure = (uint8_t)fields->on_failure };
	size_t number;

	/* Everything that can fail but the key comes first: a key without an entry must not be. */
	if (!file_number(index, entry->origin.file, &compact.file) ||
		!rare_number(index, fields, &compact.rare) ||
		!array_grow((void **)&index->entries, index->count, &index->capacity,
			sizeof(*index->entries)))
		return err_set(err, "out of memory");
	switch (key_set_add(&index->keys, entry->key, &number)) {
	case KEY_OUT_OF_MEMORY:
		return err_set(err, "out of memory");
	case KEY_THERE:
		return duplicate(index, number, entry->key, err);
	case KEY_ADDED:
		break;
	}
	index->entries[index->count++] = compact;
	index->keeps_mail = index->keeps_mail || policy_fields_keep_mail(fields);
	index->holds = index->holds || policy_fields_hold(fields);
	index->adds_recipients = index->adds_recipients || policy_fields_add_recipients(fields);
	return 0;
}

void policy_index_get(
	const struct policy_index *index, size_t number, struct policy_entry *ret_entry)
{
	const struct compact *compact = &index->entries[number];
	struct policy_fields *fields = &ret_entry->fields;

	memset(ret_entry, 0, sizeof(*ret_entry));
	ret_entry->key = key_set_get(&index->keys, number);
	ret_entry->origin = (struct origin){
		.file = index->files[compact->file], .line = compact->line, .key = ret_entry->key
	};
	if (compact->rare != 0)
		memcpy(fields, index->rare[compact->rare].values, POLICY_VALUES_SIZE);
	fields->set = compact->set;
	fields->tag = compact->tag;
	fields->quarantine = compact->quarantine;
	fields->reject = compact->reject;
	fields->on_failure = (enum on_failure)compact->on_failure;
	for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++)
		if ((fields->set & 1u << field) != 0)
			fields->origins[field] = ret_entry->origin;
}

bool policy_index_find(
	const struct policy_index *index, const char *key, struct policy_entry *ret_entry)
{
	size_t number;

	if (!key_set_find(&index->keys, key, &number))
		return false;
	policy_index_get(index, number, ret_entry);
	return true;
}

size_t policy_index_count(const struct policy_index *index)
{
	return index->count;
}

size_t policy_index_memory(const struct policy_index *index)
{
	return sizeof(*index) + key_set_memory(&index->keys) +
		index->capacity * sizeof(*index->entries) +
		index->rare_capacity * sizeof(*index->rare) +
		index->file_capacity * sizeof(*index->files);
}

bool policy_index_keeps_mail(const struct policy_index *index)
{
	return index->keeps_mail;
}

bool policy_index_holds(const struct policy_index *index)
{
	return index->holds;
}

bool policy_index_adds_recipients(const struct policy_index *index)
{
	return index->adds_recipients;
}
