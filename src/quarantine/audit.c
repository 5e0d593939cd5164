/* SPDX-License-Identifier: BSD-2-Clause */
/* The trail of decisions about held mail. */
#include "quarantine/audit.h"

#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/log.h"

void audit_decision(const struct stored *stored, const char *action, const char *recipient,
	const char *by, const char *result, const char *reply)
{
	const char *texts[] = { recipient, by, reply };
	struct buf safe[3];

	for (size_t i = 0; i < 3; i++) {
		const char *text = texts[i] == NULL ? "" : texts[i];

		buf_init(&safe[i], LIMIT_LOG_RECORD);
		encode_log(&safe[i], text, strlen(text));
	}
	log_info(stored->sound ? stored->item.envelope.queue_id : NULL,
		"quarantine=%s action=%s to=%s by=%s uid=%u result=%s reply=%s", stored->entry.id,
		action, buf_text(&safe[0]), buf_text(&safe[1]), (unsigned)getuid(), result,
		buf_text(&safe[2]));
	for (size_t i = 0; i < 3; i++)
		buf_free(&safe[i]);
}
