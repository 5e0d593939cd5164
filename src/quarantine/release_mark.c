/* SPDX-License-Identifier: BSD-2-Clause */
/* The mark that lets a released message pass our own daemon unscanned. */
#include "quarantine/release_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/io.h"
#include "quarantine/limits.h"

#define KEY_FILE "release.key"
/* One address and the fixed parts, bytes. */
#define SIGNED_SIZE 8192
#define PIECE_SIZE  16384

static int make_key(const struct directory *directory, struct err *err)
{
	struct release_key key;
	char name[ITEM_ID_SIZE];
	int fd, result;

	if (getrandom(key.bytes, sizeof(key.bytes), 0) != (ssize_t)sizeof(key.bytes))
		return err_set_errno(err, errno, "no randomness for the release key");
	/*
	 * In marks/, which nobody else can enter, and then in one step to its place. Under a name of
	 * its own, since another tool may be at it, and like a mark's, so that it is swept up after
	 * a crash.
	 */
	if (item_id_new(name, err) != 0)
		return -1;
	fd = directory_create(directory, FOLDER_MARKS, name, 0600);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot create the release key");
	result = io_write_all(fd, key.bytes, sizeof(key.bytes));
	OPENSSL_cleanse(&key, sizeof(key));
	if (result == 0)
		result = fsync(fd);
	if (close(fd) != 0)
		result = -1;
	/* Two tools at the same time: the first key stays. */
	if (result == 0 &&
		linkat(directory->folders[FOLDER_MARKS], name, directory->base, KEY_FILE, 0) != 0 &&
		errno != EEXIST)
		result = -1;
	if (result != 0)
		err_set_errno(err, errno, "cannot write the release key");
	(void)unlinkat(directory->folders[FOLDER_MARKS], name, 0);
	return result == 0 && fsync(directory->base) != 0 ?
		err_set_errno(err, errno, "cannot make the release key durable") :
		result;
}

static int check_key(int fd, const struct directory *directory, struct err *err)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return err_set_errno(err, errno, "cannot examine the release key");
	if (!S_ISREG(status.st_mode) || status.st_uid != directory->owner ||
		(status.st_mode & 07077) != 0 || status.st_size != RELEASE_KEY_SIZE)
		return err_set(err,
			"%s must be a file of %d bytes that only its owner can read: "
			"remove it, and a new one is made",
			KEY_FILE, RELEASE_KEY_SIZE);
	return 0;
}

int release_key_read(const struct directory *directory, bool create, struct release_key *ret_key,
	struct err *err)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	AUTO(descriptor_close) int fd = openat(directory->base, KEY_FILE, flags);

	if (fd < 0 && errno == ENOENT && create) {
		if (make_key(directory, err) != 0)
			return -1;
		fd = openat(directory->base, KEY_FILE, flags);
	}
	if (fd < 0)
		return err_set_errno(err, errno, "cannot open the release key");
	if (check_key(fd, directory, err) != 0)
		return -1;
	if (pread(fd, ret_key->bytes, RELEASE_KEY_SIZE, 0) != RELEASE_KEY_SIZE)
		return err_set(err, "cannot read the release key");
	return 0;
}

bool body_scan_begin(struct body_scan *scan)
{
	*scan = (struct body_scan){ .digest = digest_new() };
	return scan->digest != NULL;
}

/* Feed the visible bytes of a body. */
static bool add_visible(struct digest *digest, const char *bytes, size_t length)
{
	size_t at = 0;

	while (at < length) {
		size_t start = at;

		while (at < length && (unsigned char)bytes[at] > 0x20)
			at++;
		if (at > start && !digest_add(digest, bytes + start, at - start))
			return false;
		while (at < length && (unsigned char)bytes[at] <= 0x20)
			at++;
	}
	return true;
}

/* Bytes of the header at the beginning of this piece; the empty line included. */
static size_t skip_header(struct body_scan *scan, const char *bytes, size_t length)
{
	size_t at = 0;

	/* line_ends: 0 at the start of a line, 1 behind its CR, 2 within a line */
	while (at < length && !scan->in_body) {
		char c = bytes[at++];

		if (c == '\n') {
			scan->in_body = scan->line_ends < 2;
			scan->line_ends = 0;
		} else {
			scan->line_ends = c == '\r' && scan->line_ends == 0 ? 1 : 2;
		}
	}
	return at;
}

bool body_scan_add(struct body_scan *scan, const char *bytes, size_t length)
{
	size_t header = skip_header(scan, bytes, length);

	for (size_t i = 0; i < length && !scan->eight_bit; i++)
		scan->eight_bit = (unsigned char)bytes[i] > 0x7f;
	return add_visible(scan->digest, bytes + header, length - header);
}

bool body_scan_finish(struct body_scan *scan, unsigned char ret_digest[DIGEST_SIZE])
{
	bool good = digest_finish(scan->digest, ret_digest);

	digest_free(&scan->digest);
	return good;
}

bool release_body_digest(const struct message *message, unsigned char ret_digest[DIGEST_SIZE])
{
	AUTO(digest_free) struct digest *digest = digest_new();
	AUTO(string_free) char *scratch = malloc(PIECE_SIZE);
	size_t offset = 0;
	const void *bytes;
	long piece;

	if (digest == NULL || scratch == NULL || message_body_cut(message))
		return false;
	while ((piece = message_peek(message, offset, scratch, PIECE_SIZE, &bytes)) > 0) {
		if (!add_visible(digest, bytes, (size_t)piece))
			return false;
		offset += (size_t)piece;
	}
	return piece == 0 && digest_finish(digest, ret_digest);
}

/* The HMAC in hex over everything that a mark is good for. */
static bool sign(const struct release_key *key, const char *id, int64_t time_s, const char *once,
	const char *recipient, const unsigned char body[DIGEST_SIZE],
	char ret_mac[DIGEST_TEXT_SIZE])
{
	AUTO(buf_free) struct buf text;
	unsigned char mac[EVP_MAX_MD_SIZE];
	char hex[DIGEST_TEXT_SIZE];
	unsigned length = 0;

	buf_init(&text, SIGNED_SIZE);
	buf_printf(&text, "spambridge release 1\n%s\n%" PRId64 "\n%s\n%s\n", id, time_s, once,
		digest_text(body, hex));
	/* Mail servers change the case of addresses, of the domain at least. */
	for (const char *at = recipient; *at != '\0'; at++)
		buf_putc(&text, *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at);
	if (text.failed ||
		HMAC(EVP_sha256(), key->bytes, RELEASE_KEY_SIZE, (const unsigned char *)text.data,
			text.length, mac, &length) == NULL ||
		length != DIGEST_SIZE)
		return false;
	digest_text(mac, ret_mac);
	return true;
}

bool release_mark_make(struct buf *out, const struct release_key *key, const char *id,
	const char *recipient, const unsigned char body[DIGEST_SIZE], int64_t now_s)
{
	char once[ITEM_ID_SIZE], mac[DIGEST_TEXT_SIZE];

	return item_id_new(once, NULL) == 0 && sign(key, id, now_s, once, recipient, body, mac) &&
		buf_printf(out, "v=1; id=%s; t=%" PRId64 "; n=%s; m=%s", id, now_s, once, mac);
}

static bool take_id(struct cursor *cursor, char ret_id[ITEM_ID_SIZE])
{
	if (cursor_left(cursor) < ITEM_ID_LENGTH)
		return false;
	memcpy(ret_id, cursor->at, ITEM_ID_LENGTH);
	ret_id[ITEM_ID_LENGTH] = '\0';
	cursor->at += ITEM_ID_LENGTH;
	return item_id_is_valid(ret_id);
}

/* "; " that may have been folded on the way. */
static bool separator(struct cursor *cursor)
{
	if (!cursor_byte(cursor, ';'))
		return false;
	while (cursor_byte(cursor, ' ') || cursor_byte(cursor, '\t') || cursor_byte(cursor, '\r') ||
		cursor_byte(cursor, '\n'))
		;
	return true;
}

struct mark {
	char id[ITEM_ID_SIZE];
	char once[ITEM_ID_SIZE];
	uint64_t time_s;
	char mac[DIGEST_TEXT_SIZE];
};

static bool parse_mark(const char *value, struct mark *mark)
{
	struct cursor cursor = cursor_over(value, strlen(value));

	while (!cursor_at_end(&cursor) && strchr(" \t\r\n", *cursor.at) != NULL)
		cursor.at++;
	while (!cursor_at_end(&cursor) && strchr(" \t\r\n", cursor.end[-1]) != NULL)
		cursor.end--;
	if (!cursor_literal(&cursor, "v=1") || !separator(&cursor) ||
		!cursor_literal(&cursor, "id=") || !take_id(&cursor, mark->id) ||
		!separator(&cursor) || !cursor_literal(&cursor, "t=") ||
		!cursor_number(&cursor, 99999999999, &mark->time_s) || !separator(&cursor) ||
		!cursor_literal(&cursor, "n=") || !take_id(&cursor, mark->once) ||
		!separator(&cursor) || !cursor_literal(&cursor, "m=") ||
		cursor_left(&cursor) != DIGEST_TEXT_SIZE - 1)
		return false;
	memcpy(mark->mac, cursor.at, DIGEST_TEXT_SIZE - 1);
	mark->mac[DIGEST_TEXT_SIZE - 1] = '\0';
	return true;
}

enum release_mark_result release_mark_check(const struct release_key *key, const char *value,
	const char *recipient, const unsigned char body[DIGEST_SIZE], int64_t now_s,
	char ret_once[ITEM_ID_SIZE], char ret_id[ITEM_ID_SIZE])
{
	char mac[DIGEST_TEXT_SIZE];
	struct mark mark;

	if (!parse_mark(value, &mark) ||
		!sign(key, mark.id, (int64_t)mark.time_s, mark.once, recipient, body, mac) ||
		CRYPTO_memcmp(mac, mark.mac, DIGEST_TEXT_SIZE - 1) != 0)
		return MARK_FORGED;
	if (now_s > (int64_t)mark.time_s + RELEASE_MARK_AGE_S ||
		now_s < (int64_t)mark.time_s - LIMIT_CLOCK_SKEW)
		return MARK_EXPIRED;
	memcpy(ret_once, mark.once, ITEM_ID_SIZE);
	memcpy(ret_id, mark.id, ITEM_ID_SIZE);
	return MARK_VALID;
}

enum mark_use release_mark_use(const struct directory *directory, const char *once, struct err *err)
{
	int fd;

	if (!item_id_is_valid(once)) {
		err_set(err, "this is no release mark");
		return MARK_SPENT;
	}
	fd = directory_create(directory, FOLDER_MARKS, once, 0600);
	if (fd < 0 && errno == EEXIST) {
		err_set(err, "the release mark was used before");
		return MARK_SPENT;
	}
	if (fd >= 0 && close(fd) == 0 && fsync(directory->folders[FOLDER_MARKS]) == 0)
		return MARK_TAKEN;
	err_set_errno(err, errno, "cannot note the release mark");
	if (fd >= 0)
		release_mark_forget(directory, once);
	return MARK_UNNOTED;
}

void release_mark_forget(const struct directory *directory, const char *once)
{
	(void)unlinkat(directory->folders[FOLDER_MARKS], once, 0);
}

unsigned release_mark_sweep(const struct directory *directory)
{
	DIR *names = directory_names(directory, FOLDER_MARKS);
	time_t now = time(NULL);
	struct dirent *entry;
	struct stat status;
	unsigned removed = 0;

	while (names != NULL && (entry = readdir(names)) != NULL)
		if (item_id_is_valid(entry->d_name) &&
			fstatat(dirfd(names), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			now - status.st_mtime > RELEASE_MARK_AGE_S + 2 * LIMIT_CLOCK_SKEW &&
			unlinkat(dirfd(names), entry->d_name, 0) == 0)
			removed++;
	if (names != NULL)
		closedir(names);
	return removed;
}
