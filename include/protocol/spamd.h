/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dialogue with SpamAssassin's spamd: the request's header block, and a strict parser for the
 * reply that may be fed a byte at a time. No I/O.
 *
 * Grammar (SpamAssassin's spamd/PROTOCOL, version 1.5; there is no later one):
 *
 *   request = VERB " SPAMC/1.5" CRLF *(Name ": " value CRLF) CRLF message
 *   reply   = "SPAMD/" version SP code SP text CRLF *(Name ": " value CRLF) CRLF [body]
 *
 * One request a connection. spamd reads the message line by line: its last byte must be LF, or
 * spamd waits for more although the length was exact. An error reply is one line and nothing else.
 */
#ifndef SPAMBRIDGE_PROTOCOL_SPAMD_H
#define SPAMBRIDGE_PROTOCOL_SPAMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mail/verdict.h"

enum spamd_verb {
	SPAMD_CHECK,      /* the score only */
	SPAMD_SYMBOLS,    /* score and names of rules */
	SPAMD_HEADERS,    /* score and the fields that SpamAssassin would add */
	SPAMD_PING,       /* is anybody there; no message */
	SPAMD_LEARN_SPAM, /* TELL: train Bayes (spamd --allow-tell) */
	SPAMD_LEARN_HAM,
	SPAMD_FORGET,
};

/* Room for the longest header block that spamd_request() writes, bytes. */
#define SPAMD_REQUEST_SIZE 4096

/*
 * Append the header block of a request, its empty line included. `user` (NULL or "": none) is
 * left out unless every byte is in 0x21-0x7e and it is shorter than 1024 bytes. `content_length`
 * counts the bytes that follow; PING has none and ignores both. False when `out` has failed.
 */
bool spamd_request(struct buf *out, enum spamd_verb verb, const char *user, size_t content_length);

enum spamd_reply_state {
	SPAMD_REPLY_INCOMPLETE, /* read on */
	SPAMD_REPLY_COMPLETE,   /* the verdict is filled in; nothing more is to come */
	SPAMD_REPLY_MALFORMED,  /* no verdict will come of this; the reason is in its err */
};

/* How far one reply was parsed. Only the fields marked public are of interest outside. */
struct spamd_reply {
	enum spamd_verb verb;
	enum spamd_reply_phase {
		SPAMD_PHASE_STATUS,
		SPAMD_PHASE_FIELDS,
		SPAMD_PHASE_BODY,
	} phase;
	size_t line;    /* offset of the first line that is not parsed yet */
	size_t scanned; /* there is no LF between `line` and here */
	unsigned lines; /* lines parsed so far */
	bool has_spam;
	bool has_length;
	bool spam;
	int32_t score;
	int32_t required;
	size_t body_length;
	int code;        /* public: spamd's code (sysexits), -1 before the status line */
	bool did_set;    /* public: LEARN_*: something was learnt (not known before) */
	bool did_remove; /* public: FORGET: something was forgotten */
};

void spamd_reply_init(struct spamd_reply *reply, enum spamd_verb verb);

/*
 * Parse on. `bytes` are all bytes received so far (the same as at the last call with more behind
 * them; they may have moved in memory); each byte is looked at once, however often this is
 * called. `at_eof`: the peer has closed.
 *
 * COMPLETE as soon as the announced length is there (CHECK, TELL: at the empty line; PING: at the
 * status line). `ret` then has status VERDICT_SCORED with score, required, spam, and what the verb
 * brings of tests, autolearn, version and extra fields; for PING and TELL it is left alone.
 *
 * MALFORMED sets VERDICT_MALFORMED and err (VERDICT_ERROR: out of memory): another version line,
 * a code other than 0, no Spam line or two, a number that is none (comma, nan), a length that is
 * missing, too large, not reached at EOF or exceeded by even one byte, a line or count beyond the
 * limits. Unknown fields are skipped.
 *
 * `ret` must be initialised; its scorer, server and times are not touched.
 */
enum spamd_reply_state spamd_reply_parse(struct spamd_reply *reply, const char *bytes,
	size_t length, bool at_eof, struct verdict *ret);

/* What spamd means by a code of its status line (sysexits.h), in a few words. */
const char *spamd_code_words(int code);

/*
 * Take what a HEADERS reply says: tests, autolearn and version from X-Spam-Status and
 * X-Spam-Checker-Version; every other X-Spam-* field goes to ret->extra, ready to be added to a
 * message (leading blank, folds LF and white space, printable ASCII, capped). Checker-Version,
 * Flag, Level, Status and Prev-* are never among them.
 *
 * Only SpamAssassin's own block of fields is read: the leading one, or, when the reply describes
 * the report_safe wrapper (it then begins with SpamAssassin's own Received field), the one behind
 * the wrapper's From, To, Cc, Subject, Date and Message-Id. False: out of memory.
 */
bool spamd_headers_take(const char *bytes, size_t length, struct verdict *ret);

#endif
