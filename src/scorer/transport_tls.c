/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS streams by libcurl's connect-only transfers (curl_easy_send(3)). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scorer/curl_driver.h"
#include "scorer/transport.h"

struct tls {
	struct transport transport;
	struct curl_driver driver;
	bool up;
	curl_socket_t fd;
};

static struct tls *tls_of(struct transport *transport)
{
	return (struct tls *)transport;
}

static enum transport_result failed(struct tls *tls, struct err *err, const char *what)
{
	err_set(err, "%s: %s", what, curl_driver_words(&tls->driver));
	return TRANSPORT_FAILED;
}

static enum transport_result tls_connect(struct transport *transport, struct err *err)
{
	struct tls *tls = tls_of(transport);

	if (tls->up)
		return TRANSPORT_OK;
	if (!curl_driver_step(&tls->driver))
		return TRANSPORT_AGAIN;
	if (tls->driver.result != CURLE_OK)
		return failed(tls, err, "cannot connect with TLS");
	if (curl_easy_getinfo(tls->driver.easy, CURLINFO_ACTIVESOCKET, &tls->fd) != CURLE_OK)
		return failed(tls, err, "cannot connect with TLS");
	tls->up = true;
	return TRANSPORT_OK;
}

static enum transport_result tls_send(struct transport *transport, const struct iovec *pieces,
	size_t count, size_t *ret_sent, struct err *err)
{
	struct tls *tls = tls_of(transport);

	(void)count; /* one after the other */
	tls->driver.result =
		curl_easy_send(tls->driver.easy, pieces[0].iov_base, pieces[0].iov_len, ret_sent);
	if (tls->driver.result == CURLE_AGAIN)
		return TRANSPORT_AGAIN;
	return tls->driver.result == CURLE_OK ? TRANSPORT_OK : failed(tls, err, "cannot send");
}

static enum transport_result tls_receive(
	struct transport *transport, void *bytes, size_t size, size_t *ret_got, struct err *err)
{
	struct tls *tls = tls_of(transport);

	tls->driver.result = curl_easy_recv(tls->driver.easy, bytes, size, ret_got);
	if (tls->driver.result == CURLE_AGAIN)
		return TRANSPORT_AGAIN;
	if (tls->driver.result != CURLE_OK)
		return failed(tls, err, "cannot receive");
	return *ret_got == 0 ? TRANSPORT_CLOSED : TRANSPORT_OK;
}

static void tls_end_of_request(struct transport *transport)
{
	/* A TLS stream that is half-closed loses the answer; exact lengths have to do. */
	(void)transport;
}

static size_t tls_poll_set(
	struct transport *transport, bool sending, struct pollfd *set, int *ret_timeout_ms)
{
	struct tls *tls = tls_of(transport);

	if (!tls->up)
		return curl_driver_poll_set(&tls->driver, set, ret_timeout_ms);
	*set = (struct pollfd){ .fd = tls->fd, .events = sending ? POLLIN | POLLOUT : POLLIN };
	return 1;
}

static void tls_free(struct transport *transport)
{
	curl_driver_close(&tls_of(transport)->driver);
	free(transport);
}

static const struct transport_ops tls_ops = {
	.connect = tls_connect,
	.send = tls_send,
	.receive = tls_receive,
	.end_of_request = tls_end_of_request,
	.poll_set = tls_poll_set,
	.free = tls_free,
};

/* The URL only names the peer for the certificate check; the address is pinned. */
static bool set_url(struct tls *tls, const struct server_setting *server)
{
	char url[512];
	bool literal6 = strchr(server->host, ':') != NULL;

	if (snprintf(url, sizeof(url), "https://%s%s%s:%u/", literal6 ? "[" : "", server->host,
		    literal6 ? "]" : "", (unsigned)server->port) >= (int)sizeof(url))
		return false;
	return curl_easy_setopt(tls->driver.easy, CURLOPT_URL, url) == CURLE_OK &&
		curl_easy_setopt(tls->driver.easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
		curl_easy_setopt(tls->driver.easy, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK;
}

struct transport *transport_tls_new(const struct scorer_setting *scorer,
	const struct server_setting *server, const struct server_address *address, struct err *err)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	tls->transport.ops = &tls_ops;
	if (curl_driver_init(&tls->driver, err) != 0) {
		free(tls);
		return NULL;
	}
	if (curl_driver_aim(&tls->driver, scorer, server, address, err) != 0 ||
		!set_url(tls, server)) {
		err_set(err, "out of memory");
		tls_free(&tls->transport);
		return NULL;
	}
	return &tls->transport;
}
