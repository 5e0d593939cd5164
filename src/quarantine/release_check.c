/* SPDX-License-Identifier: BSD-2-Clause */
/* Is this message one that a reviewer released from the quarantine? */
#include "quarantine/release_check.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quarantine/directory.h"
#include "quarantine/limits.h"
#include "quarantine/release_mark.h"

/* All that the errand needs; it may outlive the message's session. */
struct check {
	struct errand errand; /* the first member */
	char *path;           /* of the quarantine */
	struct message *message;
	char *recipient;
	struct strlist marks; /* values of the field, the topmost first */
	enum release_check outcome;
	char once[ITEM_ID_SIZE];
	char id[ITEM_ID_SIZE];
};

static void destroy_check(struct errand *errand)
{
	struct check *check = (struct check *)errand;

	free(check->path);
	free(check->recipient);
	strlist_free(&check->marks);
	message_free(&check->message);
	free(check);
}

/* The first good one of the marks; else the reason why the last one is not. */
static bool find_good(struct check *check, const struct release_key *key,
	const unsigned char body[DIGEST_SIZE], struct err *err)
{
	enum release_mark_result result = MARK_FORGED;

	for (size_t i = 0; i < check->marks.count && result != MARK_VALID; i++)
		result = release_mark_check(key, check->marks.items[i], check->recipient, body,
			time(NULL), check->once, check->id);
	if (result == MARK_FORGED)
		err_set(err, "the release mark is not for this message and recipient, or forged");
	if (result == MARK_EXPIRED)
		err_set(err, "the release mark has expired");
	return result == MARK_VALID;
}

static enum release_check examine(
	struct check *check, const struct directory *directory, struct err *err)
{
	unsigned char body[DIGEST_SIZE];
	struct release_key key;
	bool good;

	if (release_key_read(directory, false, &key, err) != 0)
		return RELEASE_REFUSED;
	if (!release_body_digest(check->message, body)) {
		OPENSSL_cleanse(&key, sizeof(key));
		err_set(err, "cannot read the message again, or out of memory");
		return RELEASE_UNSURE;
	}
	good = find_good(check, &key, body, err);
	OPENSSL_cleanse(&key, sizeof(key));
	if (!good)
		return RELEASE_REFUSED;
	switch (release_mark_use(directory, check->once, err)) {
	case MARK_TAKEN:
		return RELEASE_PASSES;
	case MARK_SPENT:
		return RELEASE_REFUSED;
	case MARK_UNNOTED:
		break;
	}
	return RELEASE_UNSURE;
}

static int run_check(struct errand *errand, struct err *err)
{
	struct check *check = (struct check *)errand;
	struct directory directory;

	check->outcome = RELEASE_REFUSED;
	if (directory_open(check->path, DIRECTORY_WRITE, &directory, err) != 0)
		return -1;
	check->outcome = examine(check, &directory, err);
	directory_close(&directory);
	return check->outcome == RELEASE_PASSES ? 0 : -1;
}

/* The message was put off meanwhile: its next attempt may use the mark. */
static void give_back(struct errand *errand)
{
	const struct check *check = (struct check *)errand;
	struct directory directory;

	if (directory_open(check->path, DIRECTORY_WRITE, &directory, NULL) != 0)
		return;
	release_mark_forget(&directory, check->once);
	directory_close(&directory);
}

/* What a message was released with stands above what it brought along itself. */
static bool collect_marks(struct strlist *marks, const struct message *message)
{
	const struct header_list *headers = message_headers(message);

	for (size_t i = 0; i < headers->count && marks->count < LIMIT_RELEASE_MARKS; i++)
		if (header_is_release_mark(headers_name(headers, i)) &&
			!strlist_add(marks, headers_value(headers, i)))
			return false;
	return true;
}

static struct check *new_check(
	const struct store *store, struct message *message, const char *recipient)
{
	struct check *check = calloc(1, sizeof(*check));

	if (check == NULL)
		return NULL;
	check->errand.run = run_check;
	check->errand.undo = give_back;
	check->errand.destroy = destroy_check;
	check->outcome = RELEASE_UNSURE;
	check->message = message_ref(message);
	check->path = strdup(store_path(store));
	check->recipient = strdup(recipient);
	if (check->path != NULL && check->recipient != NULL &&
		collect_marks(&check->marks, message))
		return check;
	destroy_check(&check->errand);
	return NULL;
}

static enum release_check have_checked(struct store *store, struct check *check,
	const struct errand_patience *patience, char ret_id[ITEM_ID_SIZE], struct err *err)
{
	struct errand *errand = &check->errand;
	enum release_check outcome = RELEASE_UNSURE;

	if (errands_do(store_errands(store), errand, patience, err) != ERRAND_ABANDONED) {
		outcome = check->outcome;
		memcpy(ret_id, check->id, ITEM_ID_SIZE);
	}
	errand_release(store_errands(store), &errand);
	return outcome;
}

static bool is_marked(const struct message *message)
{
	const struct header_list *headers = message_headers(message);

	for (size_t i = 0; i < headers->count; i++)
		if (header_is_release_mark(headers_name(headers, i)))
			return true;
	return false;
}

enum release_check release_check(struct store *store, struct message *message,
	const struct strlist *recipients, const struct errand_patience *patience,
	char ret_id[ITEM_ID_SIZE], struct err *err)
{
	const char *why = NULL;
	struct check *check;

	if (!is_marked(message))
		return RELEASE_UNMARKED;
	if (store == NULL)
		why = "there is no quarantine here that it could come from";
	else if (recipients->count != 1)
		why = "a release mark is for one recipient, and this message has others";
	else if (message_body_cut(message))
		why = "a release mark is for the whole body, and a part of it is missing";
	if (why != NULL) {
		err_set(err, "%s", why);
		return RELEASE_REFUSED;
	}
	check = new_check(store, message, recipients->items[0]);
	if (check == NULL) {
		err_set(err, "out of memory");
		return RELEASE_UNSURE;
	}
	return have_checked(store, check, patience, ret_id, err);
}
