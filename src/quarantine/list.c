/* SPDX-License-Identifier: BSD-2-Clause */
/* Listing and searching the quarantine. */
#include "quarantine/list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "quarantine/address.h"
#include "quarantine/words.h"

/* Bytes of a message that are searched at once; a hit may lie across two pieces. */
#define PIECE_SIZE 65536

static bool part_of(const char *part, const char *text)
{
	return text != NULL && strcasestr(text, part) != NULL;
}

static bool in_domain(const char *domain, const char *address)
{
	const char *of = address_domain(address);
	size_t length = strlen(of), wanted = strlen(domain);

	if (domain[0] == '.')
		return length > wanted && strcasecmp(of + length - wanted, domain) == 0;
	return strcasecmp(of, domain) == 0;
}

static bool any_recipient(const struct item *item, const char *wanted,
	bool (*fits)(const char *wanted, const char *address))
{
	const struct strlist *recipients = &item->envelope.recipients;

	for (size_t i = 0; i < recipients->count; i++)
		if (fits(wanted, recipients->items[i]))
			return true;
	return false;
}

static bool part_of_words(const char *part, const char *text)
{
	AUTO(string_free) char *decoded = text == NULL ? NULL : words_decode(text);

	return part_of(part, text) || part_of(part, decoded);
}

static bool score_fits(const struct list_filter *filter, const struct item *item)
{
	int32_t score = item->verdict.score;

	if (!filter->has_min && !filter->has_max)
		return true;
	return item->verdict.status == VERDICT_SCORED &&
		(!filter->has_min || score >= filter->min_score) &&
		(!filter->has_max || score <= filter->max_score);
}

static bool text_fits(const char *text, const struct item *item)
{
	return part_of(text, item->id) || part_of(text, item->envelope.sender) ||
		part_of(text, item->envelope.queue_id) || part_of(text, item->client.address) ||
		part_of(text, item->client.name) || part_of(text, item->message_id) ||
		part_of_words(text, item->from) || part_of_words(text, item->subject) ||
		any_recipient(item, text, part_of);
}

bool list_fits(const struct list_filter *filter, const struct item *item)
{
	return score_fits(filter, item) &&
		(filter->domain == NULL || any_recipient(item, filter->domain, in_domain)) &&
		(filter->to == NULL || any_recipient(item, filter->to, part_of)) &&
		(filter->from == NULL || part_of(filter->from, item->envelope.sender) ||
			part_of_words(filter->from, item->from)) &&
		(filter->subject == NULL || part_of_words(filter->subject, item->subject)) &&
		(filter->text == NULL || filter->in_message || text_fits(filter->text, item));
}

/* Is the text, which is not empty, in the message's own bytes? What is encoded is not decoded. */
static bool in_message(const char *text, const struct stored *stored)
{
	size_t length = strlen(text), kept = 0;
	AUTO(string_free) char *piece = malloc(PIECE_SIZE);
	uint64_t offset = 0;
	long got;

	if (piece == NULL || length > PIECE_SIZE / 2)
		return false;
	while ((got = stored_read(stored, offset, piece + kept, PIECE_SIZE - kept)) > 0) {
		size_t have = kept + (size_t)got;

		if (memmem(piece, have, text, length) != NULL)
			return true;
		offset += (uint64_t)got;
		kept = have < length - 1 ? have : length - 1;
		memmove(piece, piece + have - kept, kept);
	}
	return false;
}

static bool state_fits(const struct list_filter *filter, const struct review *review)
{
	for (size_t i = 0; filter->has_state && i < review->count; i++)
		if (review->lines[i].state == filter->state)
			return true;
	return !filter->has_state;
}

/* Only times can be told of what cannot be read. */
static bool wants_unreadable(const struct list_filter *filter)
{
	return filter->domain == NULL && filter->to == NULL && filter->from == NULL &&
		filter->subject == NULL && filter->text == NULL && !filter->has_min &&
		!filter->has_max && !filter->has_state;
}

struct listing {
	const struct directory *directory;
	const struct list_filter *filter;
	list_visitor *visit;
	void *context;
	size_t visited;
	bool any_reviews; /* the folder of records is not empty */
};

static bool show(struct listing *listing, const struct list_line *line)
{
	listing->visited++;
	return listing->visit(line, listing->context) &&
		(listing->filter->limit == 0 || listing->visited < listing->filter->limit);
}

static bool show_good(struct listing *listing, const struct stored *stored)
{
	const struct list_filter *filter = listing->filter;
	struct list_line line = { STORED_GOOD, stored, NULL, NULL };
	struct err err = ERR_INIT;
	struct review review = { 0 };
	bool go_on = true, known;

	if (!list_fits(filter, &stored->item))
		return true;
	if (filter->text != NULL && filter->in_message && !text_fits(filter->text, &stored->item) &&
		!in_message(filter->text, stored))
		return true;
	known = listing->any_reviews ?
		review_read(listing->directory, &stored->item, &review, &err) == 0 :
		review_init(&review, &stored->item);
	line.review = known ? &review : NULL;
	line.trouble = known ? NULL : err.text;
	if (!known || state_fits(filter, &review))
		go_on = show(listing, &line);
	review_free(&review);
	return go_on;
}

static bool visit_entry(struct listing *listing, const struct catalogue_entry *entry)
{
	struct err err = ERR_INIT;
	struct stored stored;
	struct list_line line = { stored_open(listing->directory, entry, &stored, &err), &stored,
		NULL, err.text };
	bool go_on = true;

	if (line.result == STORED_GOOD)
		go_on = show_good(listing, &stored);
	else if (line.result != STORED_GONE && wants_unreadable(listing->filter))
		go_on = show(listing, &line);
	stored_close(&stored);
	return go_on;
}

/* In doubt yes: an item whose record is not looked for counts as held. */
static bool has_reviews(const struct directory *directory)
{
	DIR *names = directory_names(directory, FOLDER_REVIEW);
	struct dirent *entry;
	bool any = false;

	if (names == NULL)
		return true;
	for (errno = 0; !any && (entry = readdir(names)) != NULL; errno = 0)
		any = item_id_is_valid(entry->d_name);
	any = any || errno != 0;
	closedir(names);
	return any;
}

static bool go_on(const struct list_filter *filter, size_t done, size_t total)
{
	return filter->progress == NULL || filter->progress(done, total, filter->progress_context);
}

int list_items(const struct directory *directory, const struct list_filter *filter,
	list_visitor *visit, void *context, struct err *err)
{
	struct listing listing = { directory, filter, visit, context, 0, has_reviews(directory) };
	struct catalogue catalogue;

	if (catalogue_read(directory, &catalogue, err) != 0)
		return -1;
	for (size_t i = 0; i < catalogue.count; i++) {
		const struct catalogue_entry *entry = &catalogue.entries[i];
		int64_t time_s = entry->time_us / 1000000;

		if (!go_on(filter, i, catalogue.count))
			break;
		if (filter->since_s != 0 && time_s < filter->since_s)
			break;
		if (filter->before_s != 0 && time_s >= filter->before_s)
			continue;
		if (!visit_entry(&listing, entry))
			break;
	}
	(void)go_on(filter, catalogue.count, catalogue.count);
	catalogue_free(&catalogue);
	return 0;
}
