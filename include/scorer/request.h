/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a scorer is asked about one message: the exact bytes, and the facts around them.
 *
 * The bytes are those that the mail server will deliver before our own fields are added: incoming
 * X-Spam and X-Rspamd fields are gone, lines end in CRLF, a final CRLF is there; before them stand
 * X-Envelope-From and the Received field that the mail server is about to add. The body is read
 * where the message keeps it. Immutable once made; counted, since an exchange may outlive the
 * mail server's session (late verdicts).
 */
#ifndef SPAMBRIDGE_SCORER_REQUEST_H
#define SPAMBRIDGE_SCORER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "base/digest.h"
#include "mail/envelope.h"
#include "mail/message.h"

struct scan_request;

/* What the scorer is to do with the message. */
enum scan_purpose {
	SCAN_FOR_SCORE,
	SCAN_TO_LEARN_HAM, /* its verdict then says VERDICT_SCORED when it was learnt, and no score */
	SCAN_TO_LEARN_SPAM,
};

struct scan_request_options {
	size_t max_bytes;   /* of header and body together; what is beyond is cut at a line's end */
	time_t now;         /* for the Received field */
	bool keep_reserved; /* incoming X-Spam fields stay in the mail, so the scorer sees them */
	enum scan_purpose purpose;
};

/*
 * Make the request for a sealed message. `client` and `envelope` are borrowed until the scan that
 * the request is for has returned. NULL when out of memory.
 */
struct scan_request *scan_request_new(const struct client *client, const struct envelope *envelope,
	struct message *message, const struct scan_request_options *options);

/*
 * The same request, told another user of the scorer (a copy is taken); its bytes are shared. NULL
 * when out of memory.
 */
struct scan_request *scan_request_for_user(const struct scan_request *request, const char *user);

struct scan_request *scan_request_ref(struct scan_request *request);
void scan_request_free(struct scan_request **request);

/* Bytes of the whole, and whether it is only the head of the message. */
size_t scan_request_length(const struct scan_request *request);
bool scan_request_truncated(const struct scan_request *request);

/* Bytes at the head that are fields of ours; behind them is what the mail server delivers. */
size_t scan_request_own_length(const struct scan_request *request);

/* The user whose preferences count, where the scorer is told one by recipient; "": none. */
const char *scan_request_user(const struct scan_request *request);

/* What the request was made from; the pointers are valid as long as the request. */
enum scan_purpose scan_request_purpose(const struct scan_request *request);
const struct client *scan_request_client(const struct scan_request *request);
const struct envelope *scan_request_envelope(const struct scan_request *request);

/* Does any of it lie in a file, so that reading it takes room of the reader's? */
bool scan_request_in_file(const struct scan_request *request);

/* As message_peek(): bytes from `offset` on, 0 at the end, -1 on a read error. */
long scan_request_peek(const struct scan_request *request, size_t offset, void *scratch,
	size_t scratch_size, const void **ret_bytes);

/*
 * SHA-256 over envelope and message as they came (not over our own fields, which hold a time and
 * a queue id): what a sender's retry has in common with the first attempt. False: no memory, disk.
 */
bool message_identity(const struct envelope *envelope, const struct message *message,
	unsigned char ret_digest[DIGEST_SIZE]);

/* The same for the scan for one user ("": none). False: no memory. */
bool message_identity_for(const unsigned char identity[DIGEST_SIZE], const char *user,
	unsigned char ret_digest[DIGEST_SIZE]);

#endif
