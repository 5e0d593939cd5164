/* SPDX-License-Identifier: BSD-2-Clause */
/* /metrics and /health over HTTP. */
#include "daemon/http.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/encode.h"
#include "base/thread.h"
#include "config/endpoint.h"
#include "daemon/health.h"
#include "daemon/metrics_text.h"
#include "daemon/runtime.h"

/* Connections at a time; more wait in the kernel's queue until one of these has ended. */
#define CONNECTIONS_MAX 16

/* How long a connection lasts at most, milliseconds: it asks once and is closed. */
#define CONNECTION_MS 5000

/* Request and response headers of one connection, bytes. */
#define CONNECTION_BYTES ((size_t)16 * 1024)

/* Most bytes of an answer. */
#define ANSWER_BYTES (4 * 1024 * 1024)

/* How long accept pauses when descriptors have run out, milliseconds. */
#define EXHAUSTED_PAUSE_MS 50

struct connection {
	int fd; /* libmicrohttpd's; -1: free */
	struct deadline until;
};

/* Only the thread touches it once it runs. */
static struct {
	int fd;
	struct MHD_Daemon *server;
	struct connection connections[CONNECTIONS_MAX];
	size_t count;
} http = { .fd = -1 };

static bool is_get(const char *method)
{
	return strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
		strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* Answer with the text, whose memory is taken over, and close. */
static enum MHD_Result answer(
	struct MHD_Connection *connection, unsigned code, const char *type, struct buf *text)
{
	size_t length = text->length;
	char *data = buf_steal(text);
	struct MHD_Response *response;
	enum MHD_Result result;

	if (data == NULL)
		return MHD_NO; /* out of memory: closes the connection */
	response = MHD_create_response_from_buffer(length, data, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		free(data);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_plain(
	struct MHD_Connection *connection, unsigned code, struct buf *text)
{
	return answer(connection, code, "text/plain; charset=utf-8", text);
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection, struct buf *text)
{
	if (!metrics_print(text))
		return MHD_NO;
	return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text);
}

/* The word on the first line, the reasons behind it. */
static enum MHD_Result answer_health(struct MHD_Connection *connection, struct buf *text)
{
	struct strlist reasons = { 0 };
	enum health health = health_look(&reasons);

	buf_printf(text, "%s\n", health_word(health));
	for (size_t i = 0; i < reasons.count; i++) {
		encode_terminal(text, reasons.items[i], strlen(reasons.items[i]));
		buf_putc(text, '\n');
	}
	strlist_free(&reasons);
	return answer_plain(connection,
		health == HEALTH_DOWN ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, text);
}

/* Answered before any body comes, which libmicrohttpd then does not wait for. */
static enum MHD_Result on_request(void *unused, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *body, size_t *body_size, void **state)
{
	enum MHD_Result result;
	struct buf text;

	(void)unused;
	(void)version;
	(void)body;
	(void)body_size;
	(void)state;
	buf_init(&text, ANSWER_BYTES);
	if (!is_get(method)) {
		buf_puts(&text, "only GET and HEAD\n");
		result = answer_plain(connection, MHD_HTTP_METHOD_NOT_ALLOWED, &text);
	} else if (strcmp(url, "/metrics") == 0) {
		result = answer_metrics(connection, &text);
	} else if (strcmp(url, "/health") == 0) {
		result = answer_health(connection, &text);
	} else {
		buf_puts(&text, "there are /metrics and /health\n");
		result = answer_plain(connection, MHD_HTTP_NOT_FOUND, &text);
	}
	buf_free(&text);
	return result;
}

static int connection_fd(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info == NULL ? -1 : info->connect_fd;
}

/* Keep the list of connections; libmicrohttpd limits only how long one of them is silent. */
static void on_connection(void *unused, struct MHD_Connection *connection, void **state,
	enum MHD_ConnectionNotificationCode what)
{
	int wanted = what == MHD_CONNECTION_NOTIFY_STARTED ? -1 : connection_fd(connection);

	(void)unused;
	(void)state;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (http.connections[i].fd != wanted)
			continue;
		if (what == MHD_CONNECTION_NOTIFY_STARTED) {
			http.connections[i] = (struct connection){ connection_fd(connection),
				deadline_after_ms(CONNECTION_MS) };
			http.count++;
		} else {
			http.connections[i].fd = -1;
			http.count--;
		}
		return;
	}
}

/* End those whose time is over. Returns when the next one's will be. */
static struct deadline end_old_ones(void)
{
	struct deadline next = deadline_never();

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &http.connections[i];

		if (connection->fd < 0)
			continue;
		if (deadline_passed(connection->until)) {
			/* libmicrohttpd sees the end and closes. */
			(void)shutdown(connection->fd, SHUT_RDWR);
			connection->until = deadline_never();
		}
		next = deadline_sooner(next, connection->until);
	}
	return next;
}

static bool is_allowed(const struct sockaddr *address)
{
	struct pool *pool = runtime_pool();
	bool allowed = network_list_matches(&pool_settings(pool)->http_allow, address);

	pool_free(&pool);
	return allowed;
}

static void accept_one(void)
{
	const struct timespec pause = { .tv_nsec = EXHAUSTED_PAUSE_MS * 1000000L };
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	int fd = accept4(
		http.fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		nanosleep(&pause, NULL);
	if (fd < 0)
		return;
	if (!is_allowed((struct sockaddr *)&address)) {
		close(fd);
		return;
	}
	/* It closes the descriptor when it fails, too. */
	(void)MHD_add_connection(http.server, fd, (struct sockaddr *)&address, length);
}

static void *http_main(void *unused)
{
	int epoll_fd = MHD_get_daemon_info(http.server, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

	(void)unused;
	for (;;) {
		struct deadline until = end_old_ones();
		struct pollfd set[2] = { { .fd = epoll_fd, .events = POLLIN },
			{ .fd = http.count < CONNECTIONS_MAX ? http.fd : -1, .events = POLLIN } };
		MHD_UNSIGNED_LONG_LONG wanted_ms;

		if (MHD_get_timeout(http.server, &wanted_ms) == MHD_YES)
			until = deadline_sooner(until, deadline_after_ms((int64_t)wanted_ms));
		(void)poll(set, 2, until.at_us == INT64_MAX ? -1 : deadline_ms_left(until));
		if (set[1].revents != 0)
			accept_one();
		(void)MHD_run(http.server);
	}
	return NULL;
}

int http_open(const struct settings *settings, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t length;
	const int yes = 1;
	AUTO(descriptor_close) int fd = -1;

	if (settings->http_listen[0] == '\0')
		return 0;
	if (http_address_parse(settings->http_listen, &address, &length, err) != 0)
		return -1;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "http_listen: cannot make a socket");
	/* The connections of a daemon that has just ended keep nobody out. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (address.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 16) != 0)
		return err_set_errno(err, errno,
			"http_listen: cannot listen on %s (choose another port, or leave it out)",
			settings->http_listen);
	http.fd = fd;
	fd = -1;
	return 0;
}

int http_start(struct err *err)
{
	pthread_t thread;
	int errnum;

	if (http.fd < 0)
		return 0;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		http.connections[i].fd = -1;
	http.server = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
		on_request, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, NULL, MHD_OPTION_END);
	if (http.server == NULL)
		return err_set(err, "http_listen: libmicrohttpd does not start");
	errnum = thread_start(&thread, http_main, NULL);
	if (errnum != 0)
		return err_set_errno(err, errnum, "http_listen: cannot start the thread");
	pthread_detach(thread);
	return 0;
}
