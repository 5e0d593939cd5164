/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One libcurl transfer as something that can be polled and stepped from outside.
 *
 * libcurl's own loop calls cannot be mixed with other descriptors without select() and its limit
 * of 1,024, so the socket and timer callbacks of the multi interface are used
 * (CURLMOPT_SOCKETFUNCTION(3)). Safe defaults are set here once for all transfers: no signal, no
 * proxy, no redirect, no cookies, no netrc, http and https only, TLS verified.
 */
#ifndef SPAMBRIDGE_SCORER_CURL_DRIVER_H
#define SPAMBRIDGE_SCORER_CURL_DRIVER_H

#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>

#include "base/deadline.h"
#include "base/err.h"
#include "config/settings.h"
#include "scorer/address.h"

#define CURL_DRIVER_POLL_MAX 4

struct curl_driver {
	CURLM *multi;
	CURL *easy;
	struct pollfd sockets[CURL_DRIVER_POLL_MAX]; /* fd -1: free place */
	struct deadline timer;                       /* when libcurl wants to be called next */
	bool started;
	bool finished;
	CURLcode result;               /* once finished */
	struct curl_slist *connect_to; /* the pinned address */
	curl_socket_t kept; /* of a connection that stayed open, or stays in use; or -1 */
	char error_text[CURL_ERROR_SIZE];
};

/* Make handles with the safe defaults. -1 with the reason. */
int curl_driver_init(struct curl_driver *driver, struct err *err);

/* The same with memory of its own, for drivers that are handed around. NULL with the reason. */
struct curl_driver *curl_driver_new(struct err *err);
void curl_driver_free(struct curl_driver **driver);

/*
 * Pin the transfer to a known address, so that no name is looked up, and apply the scorer's TLS
 * files. -1 with the reason.
 */
int curl_driver_aim(struct curl_driver *driver, const struct scorer_setting *scorer,
	const struct server_setting *server, const struct server_address *address, struct err *err);

/* Do what can be done now. True once the transfer is finished; see `result`. */
bool curl_driver_step(struct curl_driver *driver);

/* Descriptors to poll before the next step, and the longest time to do so (-1: any). */
size_t curl_driver_poll_set(
	const struct curl_driver *driver, struct pollfd *set, int *ret_timeout_ms);

/*
 * A transfer is finished: let go of it, keeping its connection if libcurl does. True when that is
 * open and nothing has come on it behind the reply.
 */
bool curl_driver_settle(struct curl_driver *driver);

/* Has a settled driver no connection any more? It is worth keeping all the same. */
bool curl_driver_is_bare(const struct curl_driver *driver);

/*
 * A byte has come behind the reply (of a settled driver); not for TLS, which has records of its
 * own.
 */
bool curl_driver_has_more(const struct curl_driver *driver);

/*
 * On a connection that is used again: has the other side taken in every byte that was written to
 * it? For TCP its system has acknowledged them, for a unix socket the server itself has read them
 * (tcp(7), unix(7): SIOCOUTQ). A reply that was made from them came behind that.
 */
bool curl_driver_is_drained(const struct curl_driver *driver);

/*
 * Make a settled driver ready for another transfer: all options as curl_driver_init() sets them;
 * a bare one will connect. False when the server has closed the connection meanwhile or something
 * came on it, or when out of memory; the driver can only be freed then.
 */
bool curl_driver_again(struct curl_driver *driver);

/* libcurl's words for what went wrong, printable whatever the server sent. */
const char *curl_driver_words(struct curl_driver *driver);

/* End the transfer, wherever it is, and free its handles; may be called again. */
void curl_driver_close(struct curl_driver *driver);

#endif
