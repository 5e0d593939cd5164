/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rspamd's HTTP protocol: the request headers of POST /checkv2 and the JSON reply
 * (rspamd src/libserver/protocol.c, milter.c; replies recorded from rspamd 3.4).
 *
 * The action and the score are independent: a reject may come with a score below any threshold, a
 * soft reject with 0, and `is_skipped` is no excuse to accept (GTUBE has it, with a reject).
 */
#ifndef SPAMBRIDGE_PROTOCOL_RSPAMD_H
#define SPAMBRIDGE_PROTOCOL_RSPAMD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strlist.h"
#include "mail/edits.h"
#include "mail/envelope.h"
#include "mail/headers.h"
#include "mail/verdict.h"

enum rspamd_action {
	RSPAMD_NO_ACTION,
	RSPAMD_GREYLIST, /* rspamd's own milter accepts */
	RSPAMD_ADD_HEADER,
	RSPAMD_REWRITE_SUBJECT,
	RSPAMD_SOFT_REJECT, /* 4xx with smtp_message */
	RSPAMD_REJECT,
	RSPAMD_DISCARD,
	RSPAMD_QUARANTINE,
	RSPAMD_ACCEPT,
	RSPAMD_OTHER, /* an administrator's own name: only the score counts */
};

/* What rspamd wants done besides its verdict. All owned. */
struct rspamd_answer {
	enum rspamd_action action;
	char *action_name; /* as said, printable ASCII */
	bool is_skipped;
	bool saw_message;        /* there is a message-id: rspamd has read a message, not nothing */
	char *smtp_message;      /* printable ASCII, at most LIMIT_REPLY_TEXT; NULL */
	bool reject_discards;    /* milter.reject = "discard" */
	bool reject_quarantines; /* milter.reject = "quarantine" */
	bool milter_no_action;   /* milter.no_action: change nothing else */
	struct message_edits edits; /* the milter block; DKIM-Signature included */
};

void rspamd_answer_init(struct rspamd_answer *answer);
void rspamd_answer_free(struct rspamd_answer *answer);

/*
 * Parse the body of a 200 reply. `ret` gets status VERDICT_SCORED, score, required (unless null),
 * spam (the action is reject, add header, rewrite subject, discard or quarantine) and the symbols
 * with their scores and options; its other fields are left alone. 0, or -1 with VERDICT_MALFORMED (or
 * VERDICT_ERROR: out of memory) and err: no object, no number as score, no string as action, a
 * part of another type than rspamd sends, an address that is none, anything json_reply_load()
 * refuses.
 *
 * Invalid UTF-8 in values (not in names) is mended and not refused: rspamd 3.4 copies bytes of the
 * message into milter.add_headers as they are, so that refusing would let a sender choose to be
 * unscored.
 */
int rspamd_reply_parse(
	const char *bytes, size_t length, struct verdict *ret, struct rspamd_answer *ret_answer);

/*
 * Parse the controller's reply to /learnham or /learnspam: status 200 with {"success": true}, or
 * 208, which says that this was learnt before (rspamd src/controller.c; recorded from 3.4). `ret`
 * gets status VERDICT_SCORED and 0 is returned; else -1 with VERDICT_MALFORMED (or VERDICT_ERROR)
 * and err, in rspamd's own words where it has any.
 */
int rspamd_learnt_parse(long http_status, const char *bytes, size_t length, struct verdict *ret);

/* The word of the protocol for an action: "no action", "soft reject". */
const char *rspamd_action_name(enum rspamd_action action);

/*
 * Append the request headers that tell rspamd (and JSON services with `envelope = headers`) who
 * sends to whom: IP, Helo, Hostname, From, Rcpt (repeated), User, Queue-Id, MTA-Name, TLS-Version,
 * TLS-Cipher. Values have no leading blank, no control byte and no way to end their line; an
 * address that could be read as two is left out, as are recipients beyond 1,000 or 48 KiB, since
 * rspamd would not read the request. False: memory.
 */
bool rspamd_request_headers(
	struct header_list *list, const struct client *client, const struct envelope *envelope);

#endif
