/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where untrusted text leaves: exactly one of four encoders (header, log, JSON, terminal).
 * Each takes any bytes and a length, appends to a buffer and returns false only when that failed.
 */
#ifndef SPAMBRIDGE_BASE_ENCODE_H
#define SPAMBRIDGE_BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * For the unstructured value of a header field: printable ASCII stays, every other byte becomes
 * '?', runs of white space (folds included) one blank. The result holds no CR, LF or NUL.
 */
bool encode_header(struct buf *out, const char *text, size_t length);

/*
 * In place, for words of a library that may quote a peer: every byte but printable ASCII becomes
 * '?', so that they can be part of any text of ours.
 */
void encode_plain(char *text);

/*
 * For one value in a log record, cut to LIMIT_LOG_VALUE: printable ASCII except blank, '"', '\\'
 * and '=' stays bare; a value that holds any other byte, or none, is put in double quotes, with
 * '"' and '\\' escaped by '\\' and bytes outside 0x20-0x7e as \xHH. A cut value ends in "...".
 */
bool encode_log(struct buf *out, const char *text, size_t length);

/*
 * For a JSON string or anything that must be UTF-8: valid UTF-8 without NUL stays, each invalid
 * byte (and NUL) becomes U+FFFD. Quoting is left to the JSON library.
 */
bool encode_utf8(struct buf *out, const char *text, size_t length);

/*
 * For a reviewer's terminal: printable ASCII and graphic UTF-8 stay; control bytes, C1 controls,
 * bidirectional and zero-width characters and invalid bytes become \xHH or \u{H}. No newline or
 * tab gets through: the caller splits lines.
 */
bool encode_terminal(struct buf *out, const char *text, size_t length);

#endif
