/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_listen: /metrics and /health over HTTP, in a thread of its own.
 *
 * Clients may be hostile: their number, the bytes and the time of each are limited, one request
 * closes a connection, and only the networks of http_allow are answered. Nothing here is waited for
 * by mail. Without libmicrohttpd (http_none.c) nothing is served; the configuration says so.
 */
#ifndef SPAMBRIDGE_DAEMON_HTTP_H
#define SPAMBRIDGE_DAEMON_HTTP_H

#include "base/err.h"
#include "config/settings.h"

/*
 * Listen at settings->http_listen; nothing when that is "". Call before the user is changed, as the
 * port may be one of root's. -1 with the reason.
 */
int http_open(const struct settings *settings, struct err *err);

/* Start the thread, if there is anything to serve. -1 with the reason. */
int http_start(struct err *err);

#endif
