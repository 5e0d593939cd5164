/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of quarantined items: an unguessable id of 26 lower-case base32 letters (130 random bits,
 * RFC 4648 alphabet), and the file name that carries it, which also tells when the item came:
 *
 *   <10 digits seconds>.M<6 digits microseconds>Q<id>.spambridge
 *
 * so that a directory listing alone gives order and identity. A Maildir reader may append its
 * flags (":2,S"). Everything that comes from the command line passes one of these checks, so no
 * path is ever built from foreign text.
 */
#ifndef SPAMBRIDGE_QUARANTINE_ID_H
#define SPAMBRIDGE_QUARANTINE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define ITEM_ID_LENGTH 26
#define ITEM_ID_SIZE   (ITEM_ID_LENGTH + 1)
/* Room for a file name without a reader's flags, with its NUL. */
#define ITEM_NAME_SIZE 64

/* A new id from getrandom(2). Returns -1 when there is no randomness. */
int item_id_new(char ret_id[ITEM_ID_SIZE], struct err *err);

/* Is this a whole id; is this the beginning of one (at least one letter)? */
bool item_id_is_valid(const char *text);
bool item_id_is_prefix(const char *text);

/* The file name for an id and a moment (microseconds since 1970). Returns `name`. */
const char *item_name_format(char name[ITEM_NAME_SIZE], const char *id, int64_t time_us);

/* Take a file name apart, flags allowed. False when it is none of ours. */
bool item_name_parse(const char *name, char ret_id[ITEM_ID_SIZE], int64_t *ret_time_us);

#endif
