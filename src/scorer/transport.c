/* SPDX-License-Identifier: BSD-2-Clause */
/* A byte stream to a server that never blocks: the calls every kind has in common. */
#include "scorer/transport.h"

enum transport_result transport_connect(struct transport *transport, struct err *err)
{
	return transport->ops->connect(transport, err);
}

enum transport_result transport_send(struct transport *transport, const struct iovec *pieces,
	size_t count, size_t *ret_sent, struct err *err)
{
	return transport->ops->send(transport, pieces, count, ret_sent, err);
}

enum transport_result transport_receive(
	struct transport *transport, void *bytes, size_t size, size_t *ret_got, struct err *err)
{
	return transport->ops->receive(transport, bytes, size, ret_got, err);
}

void transport_end_of_request(struct transport *transport)
{
	transport->ops->end_of_request(transport);
}

size_t transport_poll_set(
	struct transport *transport, bool sending, struct pollfd *set, int *ret_timeout_ms)
{
	*ret_timeout_ms = -1;
	return transport->ops->poll_set(transport, sending, set, ret_timeout_ms);
}

void transport_free(struct transport **transport)
{
	if (*transport != NULL)
		(*transport)->ops->free(*transport);
	*transport = NULL;
}
