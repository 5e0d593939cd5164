/* SPDX-License-Identifier: BSD-2-Clause */
/* Releasing a held message. */
#include "quarantine/release.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "quarantine/address.h"
#include "quarantine/audit.h"

#define PIECE_SIZE 65536
#define MARK_SIZE  1024

static long read_stored(const void *context, uint64_t offset, void *bytes, size_t size)
{
	return stored_read(context, offset, bytes, size);
}

static bool is_wanted(const struct strlist *to, const char *recipient)
{
	for (size_t i = 0; to != NULL && i < to->count; i++)
		if (address_equal(to->items[i], recipient))
			return true;
	return to == NULL;
}

/* Asking for somebody who is no recipient must not release to anybody (trap 78). */
static int check_wanted(const struct strlist *to, const struct strlist *recipients, struct err *err)
{
	for (size_t i = 0; to != NULL && i < to->count; i++) {
		bool known = false;

		for (size_t j = 0; j < recipients->count; j++)
			known = known || address_equal(to->items[i], recipients->items[j]);
		if (!known)
			return err_set(err, "%s is no recipient of it", to->items[i]);
	}
	return 0;
}

/* What has to be known of the content before it is sent. */
static int scan(const struct stored *stored, unsigned char body[DIGEST_SIZE], bool *ret_eight_bit,
	struct err *err)
{
	AUTO(string_free) char *piece = malloc(PIECE_SIZE);
	struct body_scan state = { 0 };
	uint64_t offset = 0;
	long got = -1;

	if (piece != NULL && body_scan_begin(&state)) {
		while ((got = stored_read(stored, offset, piece, PIECE_SIZE)) > 0 &&
			body_scan_add(&state, piece, (size_t)got))
			offset += (uint64_t)got;
		*ret_eight_bit = state.eight_bit;
		if (!body_scan_finish(&state, body))
			got = -1;
	}
	return got == 0 ? 0 : err_set(err, "cannot read it");
}

struct release {
	const struct directory *directory;
	const struct stored *stored;
	const struct release_options *options;
	struct release_result *result;
	unsigned char body[DIGEST_SIZE];
	bool eight_bit;
};

static enum delivery send_copy(
	const struct release *release, const char *recipient, char reply[COURIER_REPLY_SIZE])
{
	const struct item *item = &release->stored->item;
	struct outgoing outgoing = { item->envelope.sender, recipient, item->envelope.utf8,
		item->envelope.eight_bit || release->eight_bit, "", read_stored, release->stored };
	enum delivery delivery;
	struct buf prefix;

	buf_init(&prefix, MARK_SIZE);
	if (release->options->key != NULL) {
		buf_puts(&prefix, RELEASE_MARK_FIELD ": ");
		release_mark_make(&prefix, release->options->key, item->id, recipient,
			release->body, time(NULL));
		buf_puts(&prefix, "\r\n");
		outgoing.prefix = buf_text(&prefix);
	}
	if (prefix.failed) {
		memcpy(reply, "out of memory", sizeof("out of memory"));
		delivery = DELIVERY_DEFERRED;
	} else {
		delivery = courier_send(release->options->courier, &outgoing, reply);
	}
	buf_free(&prefix);
	return delivery;
}

static enum recipient_state state_after(struct release_result *result, enum delivery delivery)
{
	switch (delivery) {
	case DELIVERY_ACCEPTED:
		result->accepted++;
		return RECIPIENT_RELEASED;
	case DELIVERY_REFUSED:
		result->refused++;
		return RECIPIENT_REFUSED;
	case DELIVERY_UNSURE:
		result->unsure++;
		return RECIPIENT_UNSURE;
	case DELIVERY_DEFERRED:
		break;
	}
	result->deferred++;
	return RECIPIENT_DEFERRED;
}

/* One recipient's copy, and the note of it. -1: the note failed, so no more may be sent. */
static int release_to(struct release *release, size_t index, struct err *err)
{
	const struct item *item = &release->stored->item;
	const char *recipient = item->envelope.recipients.items[index];
	const char *by = release->options->by;
	char reply[COURIER_REPLY_SIZE] = "";
	enum recipient_state state =
		state_after(release->result, send_copy(release, recipient, reply));

	audit_decision(
		release->stored, "release", recipient, by, recipient_state_name(state), reply);
	if (!review_set(&release->result->review, index, state, by, reply))
		return err_set(err, "out of memory");
	return review_write(release->directory, item, &release->result->review, err);
}

static int release_all(struct release *release, struct err *err)
{
	const struct strlist *recipients = &release->stored->item.envelope.recipients;
	struct review *review = &release->result->review;

	for (size_t i = 0; i < recipients->count; i++) {
		if (!is_wanted(release->options->to, recipients->items[i]))
			continue;
		if (review->lines[i].state == RECIPIENT_RELEASED && !release->options->again) {
			release->result->skipped++;
			continue;
		}
		if (release_to(release, i, err) != 0)
			return -1;
	}
	if (review_summary(review) != RECIPIENT_RELEASED)
		return 0;
	if (stored_remove(release->directory, release->stored, err) != 0)
		return -1;
	release->result->removed = true;
	return 0;
}

int release_item(const struct directory *directory, const struct stored *stored,
	const struct release_options *options, struct release_result *ret, struct err *err)
{
	struct release_result result = { 0 };
	struct release release = { directory, stored, options, &result, { 0 }, false };

	if (stored_verify(stored, err) != STORED_GOOD ||
		check_wanted(options->to, &stored->item.envelope.recipients, err) != 0 ||
		scan(stored, release.body, &release.eight_bit, err) != 0 ||
		review_read(directory, &stored->item, &result.review, err) != 0)
		return -1;
	/* Whoever cannot note what was sent would send it twice. */
	if (review_write(directory, &stored->item, &result.review, err) != 0 ||
		release_all(&release, err) != 0) {
		if (result.accepted + result.refused + result.deferred + result.unsure == 0) {
			review_free(&result.review);
			return -1;
		}
		result.removed = false;
	}
	*ret = result;
	return 0;
}
