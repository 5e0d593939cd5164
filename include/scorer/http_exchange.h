/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What protocols over HTTP have in common: one request by libcurl with the message streamed as its
 * body, one reply with everything about it capped. A protocol says what to send and reads replies.
 *
 * Whatever is no whole reply with status 200 that the protocol can read is a failure with a reason.
 */
#ifndef SPAMBRIDGE_SCORER_HTTP_EXCHANGE_H
#define SPAMBRIDGE_SCORER_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "scorer/curl_driver.h"
#include "scorer/exchange.h"

/* Longest product of a Server field that is kept, bytes. */
#define HTTP_PRODUCT_MAX 80

struct http_exchange {
	struct exchange exchange;
	const struct http_service *service;
	const struct scorer_setting
		*scorer; /* borrowed from the pool, as is the rest of the target */
	struct idle_store *idle;
	struct server_address address;
	struct curl_driver *driver;
	struct curl_slist *headers; /* of the request */
	struct buf content;         /* a body that was made; empty: the message is streamed */
	size_t skipped;             /* bytes at the head of a streamed message that are not sent */
	size_t length, position;    /* of the body, and how much of it libcurl has taken */
	void *scratch;              /* for messages that lie in a file */
	struct buf reply;
	size_t head_bytes;                  /* of the reply's header block so far */
	char product[HTTP_PRODUCT_MAX + 1]; /* Server: NAME/VERSION; "": not said */
	bool tls;
	bool reused;                 /* the connection had an earlier request */
	bool more;                   /* bytes came behind the reply */
	enum verdict_status trouble; /* why a callback ended the transfer; NONE: it did not */
	struct err why;
};

struct http_service {
	/* Add the request's headers and choose its body. -1 with the reason. */
	int (*prepare)(
		struct http_exchange *http, const struct scan_request *request, struct err *err);
	/* The path to post to. */
	const char *(*path)(const struct scorer_setting *scorer, enum scan_purpose purpose);
	/* The path that answers a probe; "": a connection is enough. */
	const char *(*health_path)(const struct scorer_setting *scorer);
	/* Read the body of a 200 reply into the verdict; 0, or -1 with its status and err set. */
	int (*read)(const struct http_exchange *http, const char *bytes, size_t length,
		struct verdict *ret);
	/* The same for a reply of any status to a message that was to be learnt; NULL: it cannot. */
	int (*read_learnt)(long code, const char *bytes, size_t length, struct verdict *ret);
	/* Is this body the answer to a probe? */
	bool (*is_healthy)(const char *bytes, size_t length);
};

/* The exchange's operations, given the service. */
struct exchange *http_exchange_start(const struct http_service *service,
	const struct exchange_ops *ops, const struct exchange_target *target,
	struct scan_request *request, struct err *err);
size_t http_exchange_poll_set(struct exchange *exchange, struct pollfd *set, int *ret_timeout_ms);
void http_exchange_step(struct exchange *exchange);
void http_exchange_free(struct exchange *exchange);

/* Add one request header; the second one does not when there is such a field. False: no memory. */
bool http_add_header(struct http_exchange *http, const char *name, const char *value);
bool http_add_default(struct http_exchange *http, const char *name, const char *value);
bool http_add_line(struct http_exchange *http, const char *line);
bool http_add_headers(struct http_exchange *http, const struct header_list *list);

/*
 * Aim the request at a path of the server: the URL names it for the Host field and its certificate,
 * while the address is pinned elsewhere. False: too long, or no memory.
 */
bool http_set_url(
	struct http_exchange *http, const struct server_setting *server, const char *path);

/* For verdict.version: "rspamd 3.4" from "Server: rspamd/3.4", else `name`. The caller frees. */
char *http_engine(const struct http_exchange *http, const char *name);

#endif
