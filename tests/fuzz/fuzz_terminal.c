/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes what a reviewer sees: a header's text decoded and encoded for the terminal. Whatever the
 * message says, only graphic characters come out, and nothing that reorders or hides text.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "quarantine/words.h"
#include "target.h"

/* Decode one UTF-8 character (RFC 3629); dies of anything that is not one. */
static unsigned decode(const unsigned char **at)
{
	static const unsigned least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = *at;
	unsigned more = s[0] < 0x80 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
	unsigned value = s[0] & (more == 0 ? 0x7f : 0x3f >> more);

	assert(s[0] < 0x80 || (s[0] >= 0xc2 && s[0] <= 0xf4));
	for (unsigned i = 1; i <= more; i++) {
		assert((s[i] & 0xc0) == 0x80);
		value = value << 6 | (s[i] & 0x3f);
	}
	assert(value >= least[more] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff));
	*at += more + 1;
	return value;
}

/* Unicode: C0 and C1 controls, bidirectional controls, zero-width and separators of lines. */
static bool is_dangerous(unsigned c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0xad ||
		(c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		(c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
		(c >= 0xe0000 && c <= 0xe007f);
}

static void check(const char *text, size_t length)
{
	const unsigned char *at;
	struct buf out;

	buf_init(&out, 16 * length + 64);
	assert(encode_terminal(&out, text, length));
	for (at = (const unsigned char *)buf_text(&out); *at != '\0';)
		assert(!is_dangerous(decode(&at)));
	assert((size_t)((const char *)at - buf_text(&out)) == out.length);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *decoded;

	assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check(text, size);
	decoded = words_decode(text);
	assert(decoded != NULL);
	check(decoded, strlen(decoded));
	free(decoded);
	free(text);
	return 0;
}
