/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes our X-Spam fields, the subject tag and the reply text: safe whatever the texts are. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/subject.h"
#include "protocol/template.h"
#include "protocol/xspam.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup(size > 0 ? (const char *)data : "", size);
	size_t half = strlen(text) / 2;
	struct xspam_facts facts = {
		.spam = size & 1, .host = text, .engine = text, .reason = text
	};
	struct template_facts reply = { .sender = text, .tests = text, .id = text };
	struct header_list list;
	struct verdict verdict;
	struct buf out;

	verdict_init(&verdict), headers_init(&list, XSPAM_LIST_SIZE), buf_init(&out, 1024 * 1024);
	verdict.status = size & 2 ? VERDICT_SCORED : VERDICT_TIMEOUT;
	verdict.version = size & 4 ? strdup(text) : NULL, verdict.autolearn = strdup(text + half);
	for (char *name = text; *name != '\0';
		name += strcspn(name, "\n,") + !!name[strcspn(name, "\n,")])
		verdict_add_test(
			&verdict, name, strcspn(name, "\n,"), size & 8, (int32_t)size * 77);
	assert(xspam_build(&list, &verdict, &facts) && xspam_check(&list, NULL) == 0);
	assert(subject_tag(&out, text, text + half) != SUBJECT_FAILED &&
		!strchr(buf_text(&out), '\r'));
	buf_clear(&out);
	assert(template_expand(&out, text, &reply) && out.length <= 900 &&
		!strpbrk(buf_text(&out), "\r\n"));
	verdict_free(&verdict), headers_free(&list), buf_free(&out), free(text);
	return 0;
}
