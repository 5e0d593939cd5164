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
	CURLcode result;                             /* once finished */
	struct curl_slist *connect_to;               /* the pinned address */
	char error_text[CURL_ERROR_SIZE];
};

/* Make handles with the safe defaults. -1 with the reason. */
int curl_driver_init(struct curl_driver *driver, struct err *err);

/*
 * Pin the transfer to a known address, so that no name is looked up, and apply the scorer's TLS
 * files. -1 with the reason.
 */
int curl_driver_aim(struct curl_driver *driver, const struct scorer_setting *scorer,
	const struct server_setting *server, const struct server_address *address, struct err *err);

/* Do what can be done now. True once the transfer is finished; see `result`. */
bool curl_driver_step(struct curl_driver *driver);

/* Descriptors to poll before the next step, and the longest time to do so (-1: any). */
size_t curl_driver_poll_set(const struct curl_driver *driver, struct pollfd *set,
	int *ret_timeout_ms);

/* libcurl's words for what went wrong. */
const char *curl_driver_words(const struct curl_driver *driver);

void curl_driver_close(struct curl_driver *driver);

#endif
