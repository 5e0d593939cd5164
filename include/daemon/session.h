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

#include "config/settings.h"
#include "mail/envelope.h"
#include "mail/message.h"
#include "scorer/pool.h"

/* What the mail server granted when the session was negotiated. */
struct session_abilities {
	bool add_headers;
	bool change_headers;
	bool leading_space;   /* header values come, and go, with their white space */
	bool skip;            /* SMFIS_SKIP may be answered to a body chunk */
	bool silent_headers;  /* no reply to a header field */
	bool silent_body;     /* no reply to a body chunk */
	bool silent_rest;     /* none to connect, helo, mail, rcpt, end of header */
};

struct session {
	struct pool *pool;
	const struct settings *settings; /* of the pool */
	struct session_abilities can;
	struct client client;
	struct envelope envelope;
	struct message *message;         /* NULL: none under way */
	bool out_of_memory;              /* something of this message was lost: defer it */
};

/* Why a client's mail is not asked about. */
enum exemption {
	EXEMPT_NOT,
	EXEMPT_TRUSTED,
	EXEMPT_AUTHENTICATED,
};

/* "no", "trusted", "authenticated": the words of the log. */
const char *exemption_word(enum exemption exemption);

/* A new session that takes over a reference to `pool`; NULL when out of memory. */
struct session *session_new(struct pool *pool);
void session_free(struct session **session);

/* Forget the message, keep the client. */
void session_reset(struct session *session);

/* Who connected: host name as the mail server found it, socket address or NULL. */
void session_connect(struct session *session, const char *host, const struct sockaddr *address);

/* Begin a message, or a header or body without one (out of order: the message is deferred). */
void session_begin(struct session *session, char **mail_argv);

/* Collect; what cannot be kept marks the message for deferral. */
void session_header(struct session *session, const char *name, const char *value);

/* True when no more of the body is of use. */
bool session_body(struct session *session, const void *bytes, size_t length);

/* No more comes. */
void session_end(struct session *session);

/* Is this client's mail exempt from scoring? Known from the envelope on. */
enum exemption session_exemption(const struct session *session);

/* Do incoming X-Spam fields of this client stay? */
bool session_keeps_spam_headers(const struct session *session);

#endif
