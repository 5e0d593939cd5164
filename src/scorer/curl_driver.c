/* SPDX-License-Identifier: BSD-2-Clause */
/* One libcurl transfer as something that can be polled and stepped from outside. */
#include "scorer/curl_driver.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/encode.h"

/* CURLMOPT_SOCKETFUNCTION: note which socket is to be watched for what. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
	struct curl_driver *driver = context;
	struct pollfd *place = NULL;

	(void)easy;
	(void)unused;
	for (size_t i = 0; i < CURL_DRIVER_POLL_MAX; i++)
		if (driver->sockets[i].fd == fd)
			place = &driver->sockets[i];
	for (size_t i = 0; place == NULL && i < CURL_DRIVER_POLL_MAX; i++)
		if (driver->sockets[i].fd < 0)
			place = &driver->sockets[i];
	if (place == NULL)
		return 0;
	place->fd = what == CURL_POLL_REMOVE ? -1 : fd;
	place->events = 0;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		place->events |= POLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		place->events |= POLLOUT;
	return 0;
}

/* CURLMOPT_TIMERFUNCTION: note when libcurl wants to be called next. */
static int note_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct curl_driver *driver = context;

	(void)multi;
	driver->timer = timeout_ms < 0 ? deadline_never() : deadline_after_ms(timeout_ms);
	return 0;
}

/* False when out of memory, which the texts take: a proxy of the environment's would be used then. */
static bool set_safe_defaults(struct curl_driver *driver)
{
	CURL *easy = driver->easy;

	if (curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK)
		return false;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	/*
	 * A driver has one connection, so no session is ever resumed; and libcurl 7.88 frees a
	 * session twice when it runs out of memory while it adds one.
	 */
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, driver->error_text);
	return true;
}

int curl_driver_init(struct curl_driver *driver, struct err *err)
{
	*driver = (struct curl_driver){ .timer = deadline_never(), .kept = CURL_SOCKET_BAD };
	for (size_t i = 0; i < CURL_DRIVER_POLL_MAX; i++)
		driver->sockets[i].fd = -1;
	driver->multi = curl_multi_init();
	driver->easy = curl_easy_init();
	if (driver->multi == NULL || driver->easy == NULL || !set_safe_defaults(driver)) {
		curl_driver_close(driver);
		return err_set(err, "out of memory");
	}
	curl_multi_setopt(driver->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(driver->multi, CURLMOPT_SOCKETDATA, driver);
	curl_multi_setopt(driver->multi, CURLMOPT_TIMERFUNCTION, note_timer);
	curl_multi_setopt(driver->multi, CURLMOPT_TIMERDATA, driver);
	curl_multi_setopt(driver->multi, CURLMOPT_MAXCONNECTS, 1L);
	return 0;
}

struct curl_driver *curl_driver_new(struct err *err)
{
	struct curl_driver *driver = malloc(sizeof(*driver));

	if (driver == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	if (curl_driver_init(driver, err) != 0) {
		free(driver);
		return NULL;
	}
	return driver;
}

void curl_driver_free(struct curl_driver **driver)
{
	if (*driver != NULL)
		curl_driver_close(*driver);
	free(*driver);
	*driver = NULL;
}

/*
 * Send whatever the URL names to this address (CURLOPT_CONNECT_TO(3): empty host and port match
 * all).
 */
static bool pin_address(
	struct curl_driver *driver, const struct server_address *address, struct curl_slist **list)
{
	char literal[INET6_ADDRSTRLEN], target[INET6_ADDRSTRLEN + 16];
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->address;

	if (address->address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, literal, sizeof(literal));
		snprintf(target, sizeof(target), "::[%s]:%u", literal, ntohs(in6->sin6_port));
	} else {
		inet_ntop(AF_INET, &in->sin_addr, literal, sizeof(literal));
		snprintf(target, sizeof(target), "::%s:%u", literal, ntohs(in->sin_port));
	}
	*list = curl_slist_append(NULL, target);
	return *list != NULL &&
		curl_easy_setopt(driver->easy, CURLOPT_CONNECT_TO, *list) == CURLE_OK;
}

static bool set_file(struct curl_driver *driver, CURLoption option, const char *path)
{
	return path == NULL || path[0] == '\0' ||
		curl_easy_setopt(driver->easy, option, path) == CURLE_OK;
}

int curl_driver_aim(struct curl_driver *driver, const struct scorer_setting *scorer,
	const struct server_setting *server, const struct server_address *address, struct err *err)
{
	bool good;

	curl_slist_free_all(driver->connect_to);
	driver->connect_to = NULL;
	if (server->transport == TRANSPORT_UNIX)
		good = curl_easy_setopt(driver->easy, CURLOPT_UNIX_SOCKET_PATH, server->host) ==
			CURLE_OK;
	else
		good = pin_address(driver, address, &driver->connect_to);
	good = good && set_file(driver, CURLOPT_CAINFO, scorer->ca_file) &&
		set_file(driver, CURLOPT_SSLCERT, scorer->cert_file) &&
		set_file(driver, CURLOPT_SSLKEY, scorer->key_file);
	return good ? 0 : err_set(err, "out of memory");
}

/*
 * Let libcurl work on a socket, or on what its timer is for. After a failure it is never asked
 * again: its table of sockets may be half made (7.88 divides by the size of such a one).
 */
static void act(struct curl_driver *driver, curl_socket_t fd, int flags)
{
	int running;

	if (driver->finished)
		return;
	if (curl_multi_socket_action(driver->multi, fd, flags, &running) != CURLM_OK) {
		driver->finished = true;
		driver->result = CURLE_OUT_OF_MEMORY;
	}
}

static void note_result(struct curl_driver *driver)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(driver->multi, &left)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		driver->finished = true;
		driver->result = message->data.result;
	}
}

/* Tell libcurl which of its sockets are ready. */
static void report_sockets(struct curl_driver *driver)
{
	struct pollfd ready[CURL_DRIVER_POLL_MAX];

	memcpy(ready, driver->sockets, sizeof(ready));
	if (poll(ready, CURL_DRIVER_POLL_MAX, 0) <= 0)
		return;
	for (size_t i = 0; i < CURL_DRIVER_POLL_MAX; i++) {
		int flags = 0;

		if (ready[i].fd < 0 || ready[i].revents == 0)
			continue;
		if ((ready[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			flags |= CURL_CSELECT_IN;
		if ((ready[i].revents & POLLOUT) != 0)
			flags |= CURL_CSELECT_OUT;
		if ((ready[i].revents & POLLERR) != 0)
			flags |= CURL_CSELECT_ERR;
		act(driver, ready[i].fd, flags);
	}
}

static void begin(struct curl_driver *driver)
{
	driver->started = true;
	if (curl_multi_add_handle(driver->multi, driver->easy) == CURLM_OK) {
		act(driver, CURL_SOCKET_TIMEOUT, 0);
		return;
	}
	driver->finished = true;
	driver->result = CURLE_OUT_OF_MEMORY;
}

bool curl_driver_step(struct curl_driver *driver)
{
	if (driver->finished)
		return true;
	if (!driver->started)
		begin(driver);
	report_sockets(driver);
	if (deadline_passed(driver->timer)) {
		driver->timer = deadline_never();
		act(driver, CURL_SOCKET_TIMEOUT, 0);
	}
	if (!driver->finished)
		note_result(driver);
	return driver->finished;
}

size_t curl_driver_poll_set(
	const struct curl_driver *driver, struct pollfd *set, int *ret_timeout_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < CURL_DRIVER_POLL_MAX; i++)
		if (driver->sockets[i].fd >= 0 && driver->sockets[i].events != 0)
			set[count++] = driver->sockets[i];
	*ret_timeout_ms = driver->timer.at_us == INT64_MAX ? -1 : deadline_ms_left(driver->timer);
	return count;
}

static bool is_silent(curl_socket_t fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	return fd != CURL_SOCKET_BAD && poll(&readable, 1, 0) == 0;
}

bool curl_driver_settle(struct curl_driver *driver)
{
	/* libcurl only tells the socket as long as the transfer belongs to its multi handle. */
	if (curl_easy_getinfo(driver->easy, CURLINFO_ACTIVESOCKET, &driver->kept) != CURLE_OK)
		driver->kept = CURL_SOCKET_BAD;
	curl_multi_remove_handle(driver->multi, driver->easy);
	driver->started = false;
	return is_silent(driver->kept);
}

bool curl_driver_is_bare(const struct curl_driver *driver)
{
	return !driver->started && driver->kept == CURL_SOCKET_BAD;
}

bool curl_driver_has_more(const struct curl_driver *driver)
{
	char byte;

	return driver->kept != CURL_SOCKET_BAD &&
		recv(driver->kept, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

bool curl_driver_is_drained(const struct curl_driver *driver)
{
	int waiting = 0;

	return driver->kept != CURL_SOCKET_BAD && ioctl(driver->kept, SIOCOUTQ, &waiting) == 0 &&
		waiting == 0;
}

bool curl_driver_again(struct curl_driver *driver)
{
	bool bare = curl_driver_is_bare(driver);

	if (!bare && !is_silent(driver->kept))
		return false;
	curl_easy_reset(driver->easy);
	driver->error_text[0] = '\0';
	driver->timer = deadline_never();
	driver->finished = false;
	driver->result = CURLE_OK;
	if (!set_safe_defaults(driver))
		return false;
	curl_easy_setopt(driver->easy, CURLOPT_FRESH_CONNECT, bare ? 1L : 0L);
	return true;
}

const char *curl_driver_words(struct curl_driver *driver)
{
	encode_plain(driver->error_text);
	return driver->error_text[0] != '\0' ? driver->error_text :
					       curl_easy_strerror(driver->result);
}

void curl_driver_close(struct curl_driver *driver)
{
	if (driver->multi != NULL && driver->easy != NULL && driver->started)
		curl_multi_remove_handle(driver->multi, driver->easy);
	curl_easy_cleanup(driver->easy);
	curl_multi_cleanup(driver->multi);
	curl_slist_free_all(driver->connect_to);
	driver->easy = NULL;
	driver->multi = NULL;
	driver->connect_to = NULL;
}
