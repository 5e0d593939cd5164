/* SPDX-License-Identifier: BSD-2-Clause */
/* Encoded words (RFC 2047) in a Subject or From, decoded for people. */
#ifndef SPAMBRIDGE_QUARANTINE_WORDS_H
#define SPAMBRIDGE_QUARANTINE_WORDS_H

/*
 * A copy of `text` with its encoded words replaced by UTF-8, as far as their character sets are
 * known to iconv(3); words that are malformed stay as they are. The result may hold any byte but
 * NUL: it has to pass an encoder like any other text of a message. NULL when out of memory; the
 * caller frees.
 */
char *words_decode(const char *text);

#endif
