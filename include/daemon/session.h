/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection of the mail server and the message that it is bringing.
 *
 * The callbacks only collect. What belongs to a message is thrown away before the next one
 * begins, so that nothing is carried over (reset, abort, pipelined messages). A session keeps the
 * pool, and with it the configuration, that it began with.
 */
#ifndef SPAMBRIDGE_DAEMON_SESSION_H
#define SPAMBRIDGE_DAEMON_SESSION_H

#include <stdbool.h>
#include <sys/socket.h>

#include "judge/transaction.h"

/* What the mail server granted when the session was negotiated. */
struct session_abilities {
	bool change_headers;
	bool change_sender, add_recipients;
	bool leading_space;  /* header values come, and go, with their white space */
	bool skip;           /* SMFIS_SKIP may be answered to a body chunk */
	bool silent_connect; /* no reply to ... */
	bool silent_helo;
	bool silent_mail;
	bool silent_recipients;
	bool silent_headers;
	bool silent_body;
};

struct session {
	struct transaction mail;
	struct session_abilities can;
	bool counted;  /* a message of ours is counted as under way */
	bool answered; /* and has had its answer */
};

/* A new session that takes over a reference to `pool`; NULL when out of memory. */
struct session *session_new(struct pool *pool);
void session_free(struct session **session);

/* Forget the message, keep the client. */
void session_reset(struct session *session);

/* Begin a message that MAIL announces (argv as libmilter gives it). */
void session_mail(struct session *session, char **argv);

/* Collect; what cannot be kept marks the message for deferral. */
void session_recipient(struct session *session, const char *given);
void session_header(struct session *session, const char *name, const char *value);

/* True when no more of the body is of use. */
bool session_body(struct session *session, const void *bytes, size_t length);

/* No more comes. */
void session_end(struct session *session);

#endif
