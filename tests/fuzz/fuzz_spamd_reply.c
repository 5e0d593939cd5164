/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes spamd's replies: first byte the verb; whole and in pieces must give the same. */
#include <assert.h>

#include "protocol/spamd.h"
#include "protocol/xspam.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum spamd_verb verb = size > 0 ? data[0] % (SPAMD_FORGET + 1) : SPAMD_CHECK;
	const char *bytes = size > 0 ? (const char *)data + 1 : "";
	size_t length = size > 0 ? size - 1 : 0;
	enum spamd_reply_state whole, pieces = SPAMD_REPLY_INCOMPLETE;
	struct spamd_reply a, b;
	struct verdict v, w;

	verdict_init(&v), verdict_init(&w);
	spamd_reply_init(&a, verb), spamd_reply_init(&b, verb);
	whole = spamd_reply_parse(&a, bytes, length, true, &v);
	for (size_t n = 0; n < length && pieces == SPAMD_REPLY_INCOMPLETE; n += 1 + n / 2)
		pieces = spamd_reply_parse(&b, bytes, n, false, &w);
	if (pieces == SPAMD_REPLY_INCOMPLETE)
		pieces = spamd_reply_parse(&b, bytes, length, true, &w);
	assert(whole != SPAMD_REPLY_INCOMPLETE &&
		(pieces == whole || pieces == SPAMD_REPLY_COMPLETE));
	assert(xspam_check(&v.extra, NULL) == 0);
	check_reason(v.err.text);
	verdict_free(&v), verdict_free(&w);
	return 0;
}
