/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64 (RFC 4648 section 4): one line, padded. */
#ifndef SPAMBRIDGE_PROTOCOL_BASE64_H
#define SPAMBRIDGE_PROTOCOL_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Append the encoding of some bytes. False: `out` failed. */
bool base64_put(struct buf *out, const void *bytes, size_t length);

/* Append what some text stands for; bytes that are no digits are passed over. False: as above. */
bool base64_get(struct buf *out, const char *text, size_t length);

#endif
