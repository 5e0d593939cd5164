/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The quarantine's directory: a Maildir (tmp, new, cur; cr.yp.to/proto/maildir.html) with folders
 * of ours beside it that mail readers do not look at:
 *
 *   domains/ a Maildir for each recipient domain, where the configuration wants them
 *   review/  what became of an item's recipients, one file an item that anybody has decided on
 *   marks/   release marks that were used (quarantine/release_mark.h)
 *   digest/  whom the digest of a period went to
 *
 * It is opened afresh for every operation: a few system calls against an fsync, and a directory
 * that was replaced, unmounted or made read-only is noticed by the operation that meets it and
 * forgotten when it is back. Everything below is reached by descriptor, never by path.
 */
#ifndef SPAMBRIDGE_QUARANTINE_DIRECTORY_H
#define SPAMBRIDGE_QUARANTINE_DIRECTORY_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strlist.h"

/* Folders by descriptor; enum order is that of the names in directory.c. */
enum folder {
	FOLDER_TMP,
	FOLDER_NEW,
	FOLDER_CUR,
	FOLDER_REVIEW,
	FOLDER_MARKS,
	FOLDER_DIGEST,
	FOLDER_DOMAINS,
	FOLDER_COUNT,
};

struct directory {
	int base;
	int folders[FOLDER_COUNT];
	uid_t owner; /* of the directory, and so of every item */
	gid_t group; /* of the directory: the reviewers */
	bool inner;  /* a domain's Maildir: the folders that are not in it are another's */
};

#define DIRECTORY_INIT                                          \
	{                                                       \
		-1, { -1, -1, -1, -1, -1, -1, -1 }, 0, 0, false \
	}

enum directory_use {
	DIRECTORY_READ,   /* a reviewer: marks may be missing from sight */
	DIRECTORY_WRITE,  /* its owner, or root on the owner's behalf */
	DIRECTORY_CREATE, /* the same, making what is missing (its parent must be there) */
};

/*
 * Open the directory at an absolute path. Refused: a symbolic link at the end of the path or below
 * it; an owner who is neither us nor, when we are root, anybody; a directory that others than
 * owner and group may enter or that anybody else may write; a parent that others may write, unless
 * it is sticky. Returns -1 with a reason that says what to do; *ret is then DIRECTORY_INIT.
 */
int directory_open(
	const char *path, enum directory_use use, struct directory *ret, struct err *err);
void directory_close(struct directory *directory);

/*
 * The quarantine as it is seen from the Maildir of a domain: its tmp, new and cur, and the folders
 * that belong to all of it. `domain` is a name that directory_is_domain() takes; with "" it is
 * `whole` as it is. Leave it before `whole` is closed. Returns 0, 1 when there is no such Maildir
 * (yet), or -1 with the reason.
 */
int directory_enter(const struct directory *whole, const char *domain, enum directory_use use,
	struct directory *ret, struct err *err);
void directory_leave(struct directory *directory);

/* Room for the name of a domain's folder; mail to longer ones goes to the common Maildir. */
#define DIRECTORY_DOMAIN_SIZE 128

/* Is this a normalised domain (config/names.h) that can name a folder? */
bool directory_is_domain(const char *name);

/* The domains that have a Maildir. -1 with the reason. */
int directory_domains(const struct directory *directory, struct strlist *ret, struct err *err);

/*
 * Create a file for writing in a folder: O_EXCL, O_NOFOLLOW, owned by the directory's owner and
 * group, exactly `mode`. Returns the descriptor or -1 with errno set.
 */
int directory_create(
	const struct directory *directory, enum folder folder, const char *name, mode_t mode);

/*
 * Replace a small file as a whole: a temporary name, fsync, rename, fsync of the folder. Returns -1
 * with the reason and the old file as it was.
 */
int directory_replace(const struct directory *directory, enum folder folder, const char *name,
	const void *bytes, size_t length, struct err *err);

/*
 * Open a regular file for reading: no link followed, no blocking on a fifo, owned by the
 * directory's owner, one link. Returns -1 with errno set (EBADF: it is no such file).
 */
int directory_open_file(const struct directory *directory, enum folder folder, const char *name);

/* The same in tmp, new or cur of a domain's Maildir ("": the common one), without entering it. */
int directory_open_item(
	const struct directory *whole, const char *domain, enum folder folder, const char *name);

/* The names of a folder, as readdir gives them; the caller closes it. NULL with errno set. */
DIR *directory_names(const struct directory *directory, enum folder folder);

#endif
