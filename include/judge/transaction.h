/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One mail transaction (RFC 5321 section 3.3) as far as it has been collected: who sends what from
 * whom to whom, and the configuration that applies. The daemon fills it from the mail server, the
 * tool from a file.
 */
#ifndef SPAMBRIDGE_JUDGE_TRANSACTION_H
#define SPAMBRIDGE_JUDGE_TRANSACTION_H

#include <stdbool.h>
#include <sys/socket.h>

#include "config/settings.h"
#include "mail/envelope.h"
#include "mail/message.h"
#include "scorer/pool.h"

struct transaction {
	struct pool *pool;               /* a reference of ours, or NULL */
	const struct settings *settings; /* borrowed: of the pool, or the owner's */
	struct client client;
	struct envelope envelope;
	struct message *message; /* NULL: none under way */
	bool rest_skipped;       /* the mail server was told to keep the rest of the body */
	bool out_of_memory;      /* something of this message was lost: defer it */
};

/* Why a client's mail is not asked about. */
enum exemption {
	EXEMPT_NOT,
	EXEMPT_TRUSTED,
	EXEMPT_AUTHENTICATED,
};

/* "no", "trusted", "authenticated": the words of the log. */
const char *exemption_word(enum exemption exemption);

/* Who connected: host name as the mail server found it (or NULL), socket address or NULL. */
void transaction_connect(
	struct transaction *transaction, const char *host, const struct sockaddr *address);

/*
 * Begin a message. What is kept of its body depends on who sends it, so client and login must be
 * known. An out-of-memory condition is noted.
 */
void transaction_begin(struct transaction *transaction);

/* A header field of this name comes: a release mark is good for the whole body alone. */
void transaction_expect_header(struct transaction *transaction, const char *name);

/* Forget message and envelope, keep the client. */
void transaction_reset(struct transaction *transaction);

/* Forget everything. */
void transaction_free(struct transaction *transaction);

/* Is this client's mail exempt from scoring? */
enum exemption exemption_of(const struct settings *settings, const struct client *client,
	const struct envelope *envelope);
enum exemption transaction_exemption(const struct transaction *transaction);

/* Do incoming X-Spam fields of this client stay? */
bool transaction_keeps_spam_headers(const struct transaction *transaction);

#endif
