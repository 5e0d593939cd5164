/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the Received field: five facts parted by LF; only a safe field may come out. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/received.h"
#include "target.h"

#define SAFE                                                              \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 " \
	"\t\r\n.,:;-_[]()<>@?+=/&'#~"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup(size > 0 ? (const char *)data : "", size), *part[6] = { text };
	struct client client = { 0 };
	struct envelope envelope = { 0 };
	struct buf out;

	for (int i = 1; i < 6; i++) {
		part[i] = part[i - 1] + strcspn(part[i - 1], "\n");
		if (*part[i] == '\n')
			*part[i]++ = '\0';
	}
	buf_init(&out, RECEIVED_SIZE);
	client.helo = part[0], client.name = part[1], client.address = part[2];
	envelope.queue_id = part[3], envelope.sender = part[4], envelope.has_sender = true;
	client.server_name = part[3], client.tls_version = *part[5] ? part[5] : NULL;
	assert(envelope_from_field_build(&out, &envelope) &&
		received_build(&out, &client, &envelope, 0));
	assert(strspn(out.data, SAFE) == out.length && strstr(out.data, "\r\nReceived: "));
	free(text);
	buf_free(&out);
	return 0;
}
