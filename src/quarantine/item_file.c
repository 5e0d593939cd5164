/* SPDX-License-Identifier: BSD-2-Clause */
/* One new item on its way to the disk. */
#include "quarantine/item_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/limits.h"
#include "quarantine/limits.h"

/* Room for one piece of a body that lies in a file, bytes. */
#define PIECE_SIZE 65536
/* Most pieces that are written together: 16 MB of a body in memory. */
#define PIECES 256
/* From this size on the disk begins before fsync(), bytes; for less, one more request costs more. */
#define EARLY_SYNC (4 * PIECE_SIZE)
/* Reviewers are in the directory's group. */
#define ITEM_MODE 0640

void item_file_free(struct item_file *file)
{
	buf_free(&file->block);
	buf_free(&file->head);
	message_free(&file->message);
}

static bool render_head(struct buf *out, const struct message *message)
{
	const struct header_list *headers = message_headers(message);

	for (size_t i = 0; i < headers->count; i++)
		if (!header_render(out, headers_name(headers, i), headers_value(headers, i)))
			return false;
	return buf_append(out, "\r\n", 2);
}

int item_file_prepare(struct item_file *ret, struct item *item, int64_t time_us,
	struct message *message, struct err *err)
{
	struct item_file file = { .message = NULL };

	if (message_error(message) != NULL || message_body_cut(message))
		return err_set(err, "the message was not kept whole");
	buf_init(&file.block, LIMIT_ITEM_BLOCK);
	buf_init(&file.head, 2 * (size_t)LIMIT_HEADER_BYTES);
	item_name_format(file.name, item->id, time_us);
	if (!render_head(&file.head, message)) {
		item_file_free(&file);
		return err_set(err, "out of memory");
	}
	item->length = file.head.length + message_body_length(message);
	if (!item_print(&file.block, item)) {
		item_file_free(&file);
		return err_set(err, "out of memory, or too many recipients for one item");
	}
	file.message = message_ref(message);
	*ret = file;
	return 0;
}

uint64_t item_file_size(const struct item_file *file)
{
	return file->block.length + file->head.length + message_body_length(file->message);
}

/*
 * All bytes, in few calls: the system then takes larger pages for them. The body's pieces stay where
 * they are as long as the message does, but for those that lie in a file and go through `scratch`.
 */
static int put_bytes(int fd, const struct item_file *file, char *scratch)
{
	struct iovec pieces[PIECES] = { { file->block.data, file->block.length },
		{ file->head.data, file->head.length } };
	size_t count = 2, offset = 0;
	long piece;

	do {
		const void *bytes = NULL;

		piece = message_peek(file->message, offset, scratch, PIECE_SIZE, &bytes);
		if (piece < 0)
			return -1;
		if (piece > 0)
			pieces[count++] = (struct iovec){ (void *)bytes, (size_t)piece };
		offset += (size_t)piece;
		if (piece == 0 || count == PIECES || bytes == scratch) {
			if (io_write_pieces(fd, pieces, count) != 0)
				return -1;
			count = 0;
		}
	} while (piece > 0);
	return 0;
}

/*
 * Let the disk begin while the digest is computed; what that is worth only fsync() tells. All but
 * the beginning, where the digest's place is: that would be written twice.
 */
static void begin_sync(int fd)
{
#ifdef SYNC_FILE_RANGE_WRITE
	(void)sync_file_range(fd, PIECE_SIZE, 0, SYNC_FILE_RANGE_WRITE);
#else
	(void)fd;
#endif
}

/* Feed bytes; -1 with errno set. */
static int add(struct digest *digest, const void *bytes, size_t length)
{
	if (digest_add(digest, bytes, length))
		return 0;
	errno = ENOMEM;
	return -1;
}

/* Of all bytes but the digest's own digits. */
static int compute_digest(struct digest *digest, const struct item_file *file, char *scratch)
{
	const size_t behind = ITEM_DIGEST_OFFSET + DIGEST_TEXT_SIZE - 1;
	size_t offset = 0;

	if (add(digest, file->block.data, ITEM_DIGEST_OFFSET) != 0 ||
		add(digest, file->block.data + behind, file->block.length - behind) != 0 ||
		add(digest, file->head.data, file->head.length) != 0)
		return -1;
	for (;;) {
		const void *bytes;
		long piece = message_peek(file->message, offset, scratch, PIECE_SIZE, &bytes);

		if (piece <= 0)
			return (int)piece;
		if (add(digest, bytes, (size_t)piece) != 0)
			return -1;
		offset += (size_t)piece;
	}
}

/* The digest's digits take the place of the zeros, which is why it does not cover them. */
static int put_digest(int fd, struct digest *digest)
{
	unsigned char bytes[DIGEST_SIZE];
	char text[DIGEST_TEXT_SIZE];
	size_t at = 0;

	if (!digest_finish(digest, bytes)) {
		errno = ENOMEM;
		return -1;
	}
	digest_text(bytes, text);
	while (at < DIGEST_TEXT_SIZE - 1) {
		ssize_t written = pwrite(
			fd, text + at, DIGEST_TEXT_SIZE - 1 - at, (off_t)(ITEM_DIGEST_OFFSET + at));

		if (written < 0 && errno != EINTR)
			return -1;
		at += written < 0 ? 0 : (size_t)written;
	}
	return 0;
}

static int put_all(int fd, const struct item_file *file)
{
	AUTO(digest_free) struct digest *digest = digest_new();
	AUTO(string_free) char *scratch = malloc(PIECE_SIZE);

	if (digest == NULL || scratch == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if (put_bytes(fd, file, scratch) != 0)
		return -1;
	if (item_file_size(file) >= EARLY_SYNC)
		begin_sync(fd);
	return compute_digest(digest, file, scratch) == 0 ? put_digest(fd, digest) : -1;
}

int item_file_write(
	const struct item_file *file, const struct directory *directory, struct err *err)
{
	int fd = directory_create(directory, FOLDER_TMP, file->name, ITEM_MODE);
	const char *failed = NULL;
	int saved = 0;

	if (fd < 0)
		return err_set_errno(err, errno, "cannot create a file in the quarantine's tmp");
	if (put_all(fd, file) != 0)
		failed = "write";
	else if (fsync(fd) != 0)
		failed = "sync";
	if (failed != NULL)
		saved = errno;
	if (close(fd) != 0 && failed == NULL) {
		failed = "close";
		saved = errno;
	}
	if (failed == NULL)
		return 0;
	item_file_discard(file, directory);
	return err_set_errno(err, saved, "cannot %s a file of the quarantine", failed);
}

/* Rename without replacing; file systems that cannot do that can link. */
static int move_to_new(const char *name, int tmp, int fresh)
{
	if (renameat2(tmp, name, fresh, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(tmp, name, fresh, name, 0) != 0)
		return -1;
	/* With both names there the item would look tampered with: it has two links. */
	if (unlinkat(tmp, name, 0) == 0)
		return 0;
	(void)unlinkat(fresh, name, 0);
	return -1;
}

int item_file_publish(
	const struct item_file *file, const struct directory *directory, struct err *err)
{
	int fresh = directory->folders[FOLDER_NEW];

	if (move_to_new(file->name, directory->folders[FOLDER_TMP], fresh) != 0) {
		err_set_errno(err, errno, "cannot move an item into the quarantine's new");
		item_file_discard(file, directory);
		return -1;
	}
	if (fsync(fresh) == 0)
		return 0;
	err_set_errno(err, errno, "cannot make an item of the quarantine durable");
	(void)unlinkat(fresh, file->name, 0);
	return -1;
}

void item_file_discard(const struct item_file *file, const struct directory *directory)
{
	(void)unlinkat(directory->folders[FOLDER_TMP], file->name, 0);
}
