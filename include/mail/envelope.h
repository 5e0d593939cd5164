/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the mail server tells about a message besides its bytes: who connected (struct client) and
 * from whom to whom (struct envelope). All strings are untrusted text, owned, NULL when unknown,
 * and cut at LIMIT_FACT.
 */
#ifndef SPAMBRIDGE_MAIL_ENVELOPE_H
#define SPAMBRIDGE_MAIL_ENVELOPE_H

#include <stdbool.h>
#include <netinet/in.h>

#include "base/strlist.h"

struct client {
	char *name;    /* PTR name as the mail server verified it; NULL: unknown */
	char *address; /* textual IPv4 or IPv6 address, no brackets; NULL: local or unknown */
	struct sockaddr_storage sockaddr; /* ss_family AF_UNSPEC when unknown */
	char *helo;                       /* as the client said it */
	char *server_name;                /* our mail server's own host name, macro j */
	char *daemon_name;                /* macro {daemon_name} */
	char *tls_version;                /* macro {tls_version}; NULL: no TLS */
	char *tls_cipher;
	char *tls_bits;
};

struct envelope {
	char *sender; /* without angle brackets; "" for the null sender */
	bool has_sender;
	bool utf8;                     /* SMTPUTF8 was asked for (RFC 6531) */
	bool eight_bit;                /* BODY=8BITMIME was asked for (RFC 6152) */
	struct strlist recipients;     /* without angle brackets */
	struct strlist recipients_raw; /* exactly as the mail server gave them: for smfi_delrcpt */
	char *queue_id;                /* macro i */
	char *auth_login;              /* macro {auth_authen}; NULL: not authenticated */
	char *auth_type;               /* macro {auth_type} */
};

/* Free all strings; the struct is empty and usable again. An all-zero struct is empty. */
void client_free(struct client *client);
void envelope_free(struct envelope *envelope);

/* Deep copies; `ret` need not be initialised. False when out of memory (nothing to free then). */
bool client_copy(struct client *ret, const struct client *client);
bool envelope_copy(struct envelope *ret, const struct envelope *envelope);

/* Replace *field by a copy of `text` cut at LIMIT_FACT; NULL or "" give NULL. False: no memory. */
bool fact_set(char **field, const char *text);

/*
 * Take an address as the mail server gives it (`<user@host>` over SMTP, bare from a local
 * submission) without its brackets. The caller frees; NULL when out of memory.
 */
char *address_strip(const char *given);

/* Read an IP address without a port; false, and AF_UNSPEC, when the text is none, or NULL. */
bool address_parse_ip(const char *text, struct sockaddr_storage *ret_address);

/* Note the sender and its ESMTP parameters (`argv` as libmilter gives it, argv[0] the address). */
bool envelope_set_sender(struct envelope *envelope, char **argv);

/* Note one recipient. False when out of memory or beyond LIMIT_RECIPIENTS. */
bool envelope_add_recipient(struct envelope *envelope, const char *given);

/* The queue id for logs; "-" when unknown. */
const char *envelope_id(const struct envelope *envelope);

#endif
