/* SPDX-License-Identifier: BSD-2-Clause */
/* One item in the quarantine, opened. */
#include "quarantine/stored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "quarantine/limits.h"

#define PIECE_SIZE 65536
#define SHORTER    "it is shorter than its metadata"

/* Read up to `size` bytes at `offset`; fewer only at the end of the file. */
static long read_at(int fd, void *bytes, size_t size, uint64_t offset)
{
	size_t got = 0;

	while (got < size) {
		ssize_t piece = pread(fd, (char *)bytes + got, size - got, (off_t)(offset + got));

		if (piece < 0 && errno == EINTR)
			continue;
		if (piece < 0)
			return -1;
		if (piece == 0)
			break;
		got += (size_t)piece;
	}
	return (long)got;
}

static enum stored_result result_of(enum item_parse_result parsed, struct err *err)
{
	if (parsed == ITEM_COMPLETE)
		return STORED_GOOD;
	if (parsed == ITEM_NO_MEMORY) {
		err_set(err, "out of memory");
		return STORED_FAILED;
	}
	if (parsed == ITEM_MORE)
		err_set(err, SHORTER);
	return STORED_DAMAGED;
}

/* The metadata did not fit into the first read. */
static enum stored_result read_long(struct stored *stored, size_t need, struct err *err)
{
	AUTO(string_free) char *bytes = NULL;
	long got;

	if (need > stored->size) {
		err_set(err, SHORTER);
		return STORED_DAMAGED;
	}
	bytes = malloc(need);
	got = bytes == NULL ? -1 : read_at(stored->fd, bytes, need, 0);
	if (got < 0) {
		err_set_errno(err, errno, "cannot read it");
		return STORED_FAILED;
	}
	return result_of(item_parse(bytes, (size_t)got, &need, &stored->item, err), err);
}

static enum stored_result read_metadata(struct stored *stored, struct err *err)
{
	char first[ITEM_FIRST_READ];
	size_t wanted = stored->size < sizeof(first) ? (size_t)stored->size : sizeof(first);
	long got = read_at(stored->fd, first, wanted, 0);
	enum item_parse_result parsed;
	size_t need = 0;

	if (got < 0) {
		err_set_errno(err, errno, "cannot read it");
		return STORED_FAILED;
	}
	parsed = item_parse(first, (size_t)got, &need, &stored->item, err);
	if (parsed == ITEM_MORE)
		return read_long(stored, need, err);
	return result_of(parsed, err);
}

static enum stored_result check_sizes(struct stored *stored, struct err *err)
{
	const struct item *item = &stored->item;

	if (strcmp(item->id, stored->entry.id) != 0) {
		err_set(err, "its file name has another id than its content");
		return STORED_DAMAGED;
	}
	if (item->block + item->length != stored->size) {
		err_set(err, "it has %llu bytes instead of %llu", (unsigned long long)stored->size,
			(unsigned long long)(item->block + item->length));
		return STORED_DAMAGED;
	}
	stored->sound = true;
	return STORED_GOOD;
}

static enum stored_result open_failed(struct err *err)
{
	if (errno == ENOENT) {
		err_set(err, "it is not there any more");
		return STORED_GONE;
	}
	if (errno == EBADF || errno == ELOOP || errno == ENXIO) {
		err_set(err, "it is not a plain file of the quarantine's owner with one name");
		return STORED_STRANGE;
	}
	err_set_errno(err, errno, "cannot open it");
	return STORED_FAILED;
}

/* A mail reader may have moved the item to cur since the catalogue was read. */
static int find_again(const struct directory *directory, struct catalogue_entry *entry)
{
	const struct catalogue_entry *found;
	struct catalogue catalogue;
	int fd = -1;

	if (catalogue_read(directory, &catalogue, NULL) != 0)
		return -1;
	found = catalogue_find(&catalogue, entry->id, NULL);
	errno = ENOENT;
	if (found != NULL) {
		*entry = *found;
		fd = directory_open_item(directory, entry->domain, entry->folder, entry->name);
	}
	catalogue_free(&catalogue);
	return fd;
}

enum stored_result stored_open(const struct directory *directory,
	const struct catalogue_entry *entry, struct stored *ret, struct err *err)
{
	enum stored_result result;
	struct stat status;

	*ret = (struct stored){ .entry = *entry };
	item_init(&ret->item);
	ret->fd = directory_open_item(directory, entry->domain, entry->folder, entry->name);
	if (ret->fd < 0 && errno == ENOENT)
		ret->fd = find_again(directory, &ret->entry);
	if (ret->fd < 0)
		return open_failed(err);
	if (fstat(ret->fd, &status) != 0) {
		err_set_errno(err, errno, "cannot examine it");
		return STORED_FAILED;
	}
	ret->size = (uint64_t)status.st_size;
	result = read_metadata(ret, err);
	return result == STORED_GOOD ? check_sizes(ret, err) : result;
}

void stored_close(struct stored *stored)
{
	descriptor_close(&stored->fd);
	item_free(&stored->item);
	stored->sound = false;
}

/* Feed the file from `offset` on to the digest, `left` bytes. */
static int feed(int fd, struct digest *digest, uint64_t offset, uint64_t left)
{
	AUTO(string_free) char *piece = malloc(PIECE_SIZE);

	while (piece != NULL && left > 0) {
		size_t wanted = left < PIECE_SIZE ? (size_t)left : PIECE_SIZE;
		long got = read_at(fd, piece, wanted, offset);

		if (got < 0)
			return -1;
		if ((size_t)got < wanted) {
			errno = EIO; /* cut while it was read: the digest could not fit anyway */
			return -1;
		}
		if (!digest_add(digest, piece, (size_t)got))
			return -1;
		offset += (uint64_t)got;
		left -= (uint64_t)got;
	}
	return piece == NULL ? -1 : 0;
}

enum stored_result stored_verify(const struct stored *stored, struct err *err)
{
	const uint64_t behind = ITEM_DIGEST_OFFSET + DIGEST_TEXT_SIZE - 1;
	AUTO(digest_free) struct digest *digest = digest_new();
	unsigned char bytes[DIGEST_SIZE];
	char text[DIGEST_TEXT_SIZE];

	if (!stored->sound) {
		err_set(err, "it is damaged");
		return STORED_DAMAGED;
	}
	errno = ENOMEM;
	if (digest == NULL || feed(stored->fd, digest, 0, ITEM_DIGEST_OFFSET) != 0 ||
		feed(stored->fd, digest, behind, stored->size - behind) != 0 ||
		!digest_finish(digest, bytes)) {
		err_set_errno(err, errno, "cannot read it");
		return STORED_FAILED;
	}
	if (strcmp(digest_text(bytes, text), stored->item.digest) != 0) {
		err_set(err, "its checksum does not fit: it is not what was stored");
		return STORED_DAMAGED;
	}
	return STORED_GOOD;
}

enum stored_result stored_claim(struct stored *stored, struct err *err)
{
	struct stat status;

	if (flock(stored->fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK) {
			err_set(err, "somebody else is at work on it");
			return STORED_TAKEN;
		}
		err_set_errno(err, errno, "cannot lock it");
		return STORED_FAILED;
	}
	if (fstat(stored->fd, &status) != 0) {
		err_set_errno(err, errno, "cannot examine it");
		return STORED_FAILED;
	}
	if (status.st_nlink == 0) {
		err_set(err, "it is not there any more");
		return STORED_GONE;
	}
	return STORED_GOOD;
}

int stored_remove(const struct directory *directory, const struct stored *stored, struct err *err)
{
	const struct catalogue_entry *entry = &stored->entry;

	if (catalogue_unlink(directory, entry) != 0)
		return catalogue_remove(directory, entry->id, err);
	if (unlinkat(directory->folders[FOLDER_REVIEW], entry->id, 0) != 0 && errno != ENOENT)
		return err_set_errno(err, errno, "cannot remove the record of item %s", entry->id);
	return 0;
}

long stored_read(const struct stored *stored, uint64_t offset, void *bytes, size_t size)
{
	uint64_t left = offset < stored->item.length ? stored->item.length - offset : 0;

	return read_at(
		stored->fd, bytes, left < size ? (size_t)left : size, stored->item.block + offset);
}
