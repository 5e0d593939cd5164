/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64. */
#include "protocol/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_put(struct buf *out, const void *bytes, size_t length)
{
	const unsigned char *in = bytes;
	char group[4];

	for (size_t i = 0; i < length; i += 3) {
		unsigned bits = (unsigned)in[i] << 16;

		bits |= i + 1 < length ? (unsigned)in[i + 1] << 8 : 0;
		bits |= i + 2 < length ? in[i + 2] : 0;
		group[0] = alphabet[bits >> 18 & 63];
		group[1] = alphabet[bits >> 12 & 63];
		group[2] = i + 1 < length ? alphabet[bits >> 6 & 63] : '=';
		group[3] = i + 2 < length ? alphabet[bits & 63] : '=';
		if (!buf_append(out, group, sizeof(group)))
			return false;
	}
	return !out->failed;
}

bool base64_get(struct buf *out, const char *text, size_t length)
{
	unsigned bits = 0, count = 0;

	for (size_t i = 0; i < length; i++) {
		const char *digit = memchr(alphabet, text[i], sizeof(alphabet) - 1);

		if (digit == NULL)
			continue;
		bits = (bits << 6 | (unsigned)(digit - alphabet)) & 0xffffff;
		count += 6;
		if (count >= 8) {
			count -= 8;
			buf_putc(out, (char)(bits >> count & 0xff));
		}
	}
	return !out->failed;
}
