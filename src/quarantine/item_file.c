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

/* Write bytes that the digest covers. */
static int put(int fd, struct digest *digest, const void *bytes, size_t length)
{
	if (!digest_add(digest, bytes, length)) {
		errno = ENOMEM;
		return -1;
	}
	return io_write_all(fd, bytes, length);
}

static int put_body(int fd, struct digest *digest, const struct message *message)
{
	AUTO(string_free) char *scratch = malloc(PIECE_SIZE);
	size_t offset = 0;

	if (scratch == NULL)
		return -1;
	for (;;) {
		const void *bytes;
		long piece = message_peek(message, offset, scratch, PIECE_SIZE, &bytes);

		if (piece <= 0)
			return (int)piece;
		if (put(fd, digest, bytes, (size_t)piece) != 0)
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
	const size_t behind = ITEM_DIGEST_OFFSET + DIGEST_TEXT_SIZE - 1;
	AUTO(digest_free) struct digest *digest = digest_new();

	if (digest == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if (!digest_add(digest, file->block.data, ITEM_DIGEST_OFFSET) ||
		!digest_add(digest, file->block.data + behind, file->block.length - behind)) {
		errno = ENOMEM;
		return -1;
	}
	if (io_write_all(fd, file->block.data, file->block.length) != 0 ||
		put(fd, digest, file->head.data, file->head.length) != 0 ||
		put_body(fd, digest, file->message) != 0)
		return -1;
	return put_digest(fd, digest);
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
