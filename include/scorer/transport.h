/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A byte stream to a server that never blocks: plain sockets, and TLS by libcurl.
 *
 * Every function may be called by any thread, but only by one at a time.
 */
#ifndef SPAMBRIDGE_SCORER_TRANSPORT_H
#define SPAMBRIDGE_SCORER_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"
#include "config/settings.h"
#include "scorer/address.h"

enum transport_result {
	TRANSPORT_OK,
	TRANSPORT_AGAIN,  /* nothing moved: poll first */
	TRANSPORT_CLOSED, /* the peer ended the stream (receive only) */
	TRANSPORT_FAILED,
};

struct transport {
	const struct transport_ops *ops;
};

/* What a kind of stream does; the functions below say what each means. */
struct transport_ops {
	enum transport_result (*connect)(struct transport *transport, struct err *err);
	enum transport_result (*send)(struct transport *transport, const struct iovec *pieces,
		size_t count, size_t *ret_sent, struct err *err);
	enum transport_result (*receive)(struct transport *transport, void *bytes, size_t size,
		size_t *ret_got, struct err *err);
	void (*end_of_request)(struct transport *transport);
	size_t (*poll_set)(
		struct transport *transport, bool sending, struct pollfd *set, int *ret_timeout_ms);
	void (*free)(struct transport *transport);
};

/* Most descriptors that poll_set() writes. */
#define TRANSPORT_POLL_MAX 4

/* Begin to connect to a server at a known address. NULL with the reason. */
struct transport *transport_plain_new(const struct server_address *address, struct err *err);
struct transport *transport_tls_new(const struct scorer_setting *scorer,
	const struct server_setting *server, const struct server_address *address, struct err *err);

/* Go on connecting: OK once the stream is up. */
enum transport_result transport_connect(struct transport *transport, struct err *err);

/* Move what can be moved now, from one or more pieces, or to one. */
enum transport_result transport_send(struct transport *transport, const struct iovec *pieces,
	size_t count, size_t *ret_sent, struct err *err);
enum transport_result transport_receive(
	struct transport *transport, void *bytes, size_t size, size_t *ret_got, struct err *err);

/*
 * Nothing more will be sent. A plain stream is half-closed, which spamd needs for some requests;
 * a TLS stream cannot be, and must rely on exact lengths.
 */
void transport_end_of_request(struct transport *transport);

/*
 * The descriptors to poll before the next call makes sense, and the longest time to poll them
 * (-1: any). `sending` tells which way the next call goes once connected. Returns their number.
 */
size_t transport_poll_set(
	struct transport *transport, bool sending, struct pollfd *set, int *ret_timeout_ms);

void transport_free(struct transport **transport);

#endif
