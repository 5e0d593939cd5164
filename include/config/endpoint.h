/* SPDX-License-Identifier: BSD-2-Clause */
/* Where to listen and which scorer to call: the address texts of `listen` and `servers`. Pure. */
#ifndef SPAMBRIDGE_CONFIG_ENDPOINT_H
#define SPAMBRIDGE_CONFIG_ENDPOINT_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/strlist.h"
#include "config/settings.h"

/* Longest path of a unix socket, bytes (sun_path of unix(7) less its NUL). */
#define SOCKET_PATH_MAX 107

/* The path of a unix socket: absolute, no control bytes, not too long. */
int socket_path_check(const char *path, struct err *err);

/*
 * `unix:/path`, `local:/path`, `inet:port@host` or `inet6:port@host`, as libmilter's
 * smfi_setconn takes them; a host must be given, since libmilter would listen on all addresses.
 * Strings go into `pool`.
 */
int listen_parse(
	const char *text, struct strlist *pool, struct listen_setting *ret_listen, struct err *err);

/*
 * `address:port` of `http_listen`, the address literal and an IPv6 one in brackets: no name is
 * looked up.
 */
int http_address_parse(const char *text, struct sockaddr_storage *ret_address,
	socklen_t *ret_length, struct err *err);

/*
 * A scorer's server: `unix:/path`, `tcp://host[:port]` or `tls://host[:port]` for spamd (port 783
 * unless given); `http://` or `https://host[:port][/prefix]` or `unix:/path` for HTTP scorers.
 * IPv6 addresses stand in brackets.
 */
int server_parse(
	const char *text, struct strlist *pool, struct server_setting *ret_server, struct err *err);

/*
 * Check that the protocol can speak over this address, and fill in its port where none was given
 * (spamd 783, rspamd 11333, http 80, https 443).
 */
int server_resolve(struct server_setting *server, enum scorer_protocol protocol, struct err *err);

/* Parse one more server of a list; a second one with the same text is an error. */
int server_list_add(
	struct server_list *list, const char *text, struct strlist *pool, struct err *err);

#endif
