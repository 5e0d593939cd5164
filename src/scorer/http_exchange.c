/* SPDX-License-Identifier: BSD-2-Clause */
/* One request and one reply over HTTP. */
#include "scorer/http_exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"

/* Room for one piece of a body that lies in a file, bytes. */
#define PIECE_SIZE 32768

static struct http_exchange *http_of(struct exchange *exchange)
{
	return (struct http_exchange *)exchange;
}

/* Note why a callback ends the transfer; the first reason stays. */
static void stop(struct http_exchange *http, enum verdict_status status, const char *why)
{
	if (http->trouble != VERDICT_NONE)
		return;
	http->trouble = status;
	err_set(&http->why, "%s", why);
}

/* The next bytes of the body, at most `room`; -1 when they cannot be had. */
static long next_piece(struct http_exchange *http, size_t room, const void **ret_bytes)
{
	size_t left = http->length - http->position;
	long got;

	if (http->content.length > 0) {
		*ret_bytes = http->content.data + http->position;
		return (long)(left < room ? left : room);
	}
	if (left == 0)
		return 0;
	got = scan_request_peek(http->exchange.request, http->skipped + http->position,
		http->scratch, PIECE_SIZE, ret_bytes);
	if (got <= 0)
		return -1; /* the length was promised */
	if ((size_t)got > room)
		got = (long)room;
	return (size_t)got > left ? (long)left : got;
}

/* CURLOPT_READFUNCTION: the body, straight from where the message keeps it. */
static size_t give_body(char *buffer, size_t size, size_t count, void *context)
{
	struct http_exchange *http = context;
	const void *bytes;
	long got = next_piece(http, size * count, &bytes);

	if (got < 0) {
		stop(http, VERDICT_ERROR, "cannot read the message back");
		return CURL_READFUNC_ABORT;
	}
	if (got > 0)
		memcpy(buffer, bytes, (size_t)got);
	http->position += (size_t)got;
	if (http->position == http->length)
		http->exchange.sent = true;
	return (size_t)got;
}

/* CURLOPT_SEEKFUNCTION: libcurl begins again when a connection turned out to be closed. */
static int seek_body(void *context, curl_off_t offset, int origin)
{
	struct http_exchange *http = context;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > http->length)
		return CURL_SEEKFUNC_FAIL;
	http->position = (size_t)offset;
	http->exchange.sent = false;
	return CURL_SEEKFUNC_OK;
}

/* Is the whole request with the other side? That libcurl has taken the body is not enough. */
static bool request_is_there(const struct http_exchange *http)
{
	curl_off_t written = 0;

	curl_easy_getinfo(http->driver->easy, CURLINFO_SIZE_UPLOAD_T, &written);
	return written >= (curl_off_t)http->length && curl_driver_is_drained(http->driver);
}

/* CURLOPT_PREREQFUNCTION: the connection is up, with TLS if wanted; the request goes out next. */
static int note_connected(void *context, char *address, char *own, int port, int own_port)
{
	struct http_exchange *http = context;
	long connects = 1;

	(void)address;
	(void)own;
	(void)port;
	(void)own_port;
	curl_easy_getinfo(http->driver->easy, CURLINFO_NUM_CONNECTS, &connects);
	http->reused = connects == 0;
	http->exchange.connected = true;
	return CURL_PREREQFUNC_OK;
}

/* Keep the first product of a Server field: "rspamd/3.4 (build 1)" is rspamd/3.4. */
static void note_product(struct http_exchange *http, const char *line, size_t length)
{
	static const char name[] = "Server:";
	size_t begin = strlen(name), end;

	if (length < begin || strncasecmp(line, name, begin) != 0)
		return;
	while (begin < length && line[begin] == ' ')
		begin++;
	end = begin;
	while (end < length && line[end] > 0x20 && line[end] < 0x7f)
		end++;
	if (end - begin > HTTP_PRODUCT_MAX)
		return;
	memcpy(http->product, line + begin, end - begin);
	http->product[end - begin] = '\0';
}

/* CURLOPT_HEADERFUNCTION: every line of every header block, trailers and 1xx included. */
static size_t take_header(char *line, size_t size, size_t count, void *context)
{
	struct http_exchange *http = context;
	size_t length = size * count;

	/*
	 * On a used connection it may be left over from another message, and only what came behind
	 * the whole request can be its answer. The connection is closed with the transfer.
	 */
	if (http->reused && http->head_bytes == 0 && !request_is_there(http)) {
		stop(http, VERDICT_MALFORMED, "an answer before the question was asked");
		return 0;
	}
	http->head_bytes += length;
	if (http->head_bytes > LIMIT_HTTP_HEADER) {
		stop(http, VERDICT_MALFORMED, "the header of the reply is too large");
		return 0;
	}
	note_product(http, line, length);
	return length;
}

/* CURLOPT_WRITEFUNCTION: the reply's body. */
static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct http_exchange *http = context;

	bool too_large = size * count > LIMIT_HTTP_REPLY - http->reply.length;

	if (buf_append(&http->reply, bytes, size * count))
		return size * count;
	if (too_large)
		stop(http, VERDICT_MALFORMED, "the reply is too large");
	else
		stop(http, VERDICT_ERROR, "out of memory");
	return 0;
}

/*
 * CURLOPT_DEBUGFUNCTION: libcurl drops what comes behind a reply and says so only here. A server
 * that sends more than one reply to one question cannot be believed any of them.
 */
static int note_text(CURL *easy, curl_infotype kind, char *text, size_t length, void *context)
{
	static const char *const signs[] = { "Excess found", "Leftovers after chunking" };
	struct http_exchange *http = context;

	(void)easy;
	for (size_t i = 0; kind == CURLINFO_TEXT && i < sizeof(signs) / sizeof(signs[0]); i++)
		if (length > strlen(signs[i]) && strncmp(text, signs[i], strlen(signs[i])) == 0)
			http->more = true;
	return 0;
}

char *http_engine(const struct http_exchange *http, const char *name)
{
	char *text = strdup(http->product[0] != '\0' ? http->product : name);
	char *slash = text == NULL ? NULL : strchr(text, '/');

	if (slash != NULL)
		*slash = ' ';
	return text;
}

static void set_callbacks(struct http_exchange *http)
{
	CURL *easy = http->driver->easy;

	curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
	curl_easy_setopt(easy, CURLOPT_READDATA, http);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, http);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, note_connected);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, http);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, http);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, note_text);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, http);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
}

/* What is asked for: a message's score, an answer to a probe, or just a connection. */
static bool set_method(struct http_exchange *http, const struct exchange_target *target,
	const struct scan_request *request)
{
	CURL *easy = http->driver->easy;
	bool is_probe = request == NULL;
	const char *path = is_probe ?
		http->service->health_path(http->scorer) :
		http->service->path(http->scorer, scan_request_purpose(request));

	if (is_probe)
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	else
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
	if (is_probe && path[0] == '\0')
		curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)http->length);
	/* An empty "Expect" keeps libcurl from waiting a second for a 100 that nobody sends. */
	return http_set_url(http, target->server, path) &&
		http_add_default(http, "User-Agent", "spambridge") &&
		http_add_line(http, "Expect:") &&
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers) == CURLE_OK;
}

/* The body, and the headers that the protocol wants. */
static int prepare(struct http_exchange *http, const struct scan_request *request, struct err *err)
{
	if (request == NULL)
		return 0;
	if (http->service->prepare(http, request, err) != 0)
		return -1;
	http->length = http->content.length > 0 ? http->content.length :
						  scan_request_length(request) - http->skipped;
	/* rspamd calls nothing at all clean. */
	if (http->length == 0)
		return err_set(err, "the message is empty");
	if (http->content.length == 0)
		http->scratch = malloc(PIECE_SIZE);
	return http->content.length > 0 || http->scratch != NULL ? 0 :
								   err_set(err, "out of memory");
}

static int begin(struct http_exchange *http, const struct exchange_target *target,
	const struct scan_request *request, struct err *err)
{
	if (prepare(http, request, err) != 0)
		return -1;
	/* A probe is to find out whether the server takes connections. */
	http->driver = request == NULL ? NULL : idle_store_take(http->idle, &http->address);
	if (http->driver == NULL)
		http->driver = curl_driver_new(err);
	if (http->driver == NULL)
		return -1;
	set_callbacks(http);
	if (curl_driver_aim(http->driver, target->scorer, target->server, &http->address, err) != 0)
		return -1;
	return set_method(http, target, request) ? 0 : err_set(err, "out of memory");
}

struct exchange *http_exchange_start(const struct http_service *service,
	const struct exchange_ops *ops, const struct exchange_target *target,
	struct scan_request *request, struct err *err)
{
	struct http_exchange *http = calloc(1, sizeof(*http));

	if (http == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	http->exchange.ops = ops;
	verdict_init(&http->exchange.verdict);
	http->service = service;
	http->scorer = target->scorer;
	http->idle = target->idle;
	http->address = target->address;
	http->tls = target->server->transport == TRANSPORT_TLS;
	buf_init(&http->content, SIZE_MAX / 2);
	buf_init(&http->reply, LIMIT_HTTP_REPLY);
	if (begin(http, target, request, err) != 0) {
		verdict_free(&http->exchange.verdict);
		http_exchange_free(&http->exchange);
		return NULL;
	}
	return &http->exchange;
}

size_t http_exchange_poll_set(struct exchange *exchange, struct pollfd *set, int *ret_timeout_ms)
{
	return curl_driver_poll_set(http_of(exchange)->driver, set, ret_timeout_ms);
}

/* No connection, or no answer on it: the server is not there. An odd answer is another thing. */
static enum verdict_status status_of(const struct http_exchange *http)
{
	bool answered = http->head_bytes > 0;

	switch ((int)http->driver->result) {
	case CURLE_OUT_OF_MEMORY:
		/* libcurl says so of endless header lines, too. */
		return http->exchange.connected ? VERDICT_MALFORMED : VERDICT_ERROR;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_PARTIAL_FILE:
	case CURLE_WRITE_ERROR:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_HTTP2:
		return VERDICT_MALFORMED;
	default:
		break;
	}
	return answered ? VERDICT_MALFORMED : VERDICT_REFUSED;
}

static void settle_failure(struct http_exchange *http)
{
	struct err err = ERR_INIT;

	if (http->trouble != VERDICT_NONE) {
		exchange_finish(&http->exchange, http->trouble, &http->why);
		return;
	}
	err_set(&err, "%s: %s", http->exchange.connected ? "no good answer" : "cannot connect",
		curl_driver_words(http->driver));
	exchange_finish(&http->exchange, status_of(http), &err);
}

/* A status other than 200 brings no verdict. Some say that nobody is there to ask. */
static void settle_status(struct http_exchange *http, long code)
{
	bool absent = code == 429 || code == 502 || code == 503 || code == 504;
	struct err err = ERR_INIT;

	err_set(&err, "HTTP status %ld", code);
	exchange_finish(&http->exchange, absent ? VERDICT_REFUSED : VERDICT_MALFORMED, &err);
}

static void settle_probe(struct http_exchange *http, long code)
{
	struct err err = ERR_INIT;

	if (http->service->health_path(http->scorer)[0] == '\0' ||
		(code == 200 &&
			http->service->is_healthy(buf_text(&http->reply), http->reply.length))) {
		exchange_finish(&http->exchange, VERDICT_NONE, NULL);
		return;
	}
	err_set(&err, "a probe was answered with HTTP status %ld", code);
	exchange_finish(&http->exchange, VERDICT_MALFORMED, &err);
}

static bool is_to_learn(const struct http_exchange *http)
{
	return scan_request_purpose(http->exchange.request) != SCAN_FOR_SCORE;
}

static int read_reply(struct http_exchange *http, long code)
{
	struct verdict *verdict = &http->exchange.verdict;
	const char *bytes = buf_text(&http->reply);

	return is_to_learn(http) ?
		http->service->read_learnt(code, bytes, http->reply.length, verdict) :
		http->service->read(http, bytes, http->reply.length, verdict);
}

/* Read the one reply that there is. */
static void settle_reply(struct http_exchange *http, long code)
{
	struct err err = ERR_INIT;

	if (http->more)
		err_set(&err, "more than one reply came");
	else if (!http->exchange.sent)
		err_set(&err, "an answer to half a message");
	if (err.text[0] != '\0')
		exchange_finish(&http->exchange, VERDICT_MALFORMED, &err);
	else if (read_reply(http, code) == 0)
		exchange_finish(&http->exchange, VERDICT_SCORED, NULL);
	else
		exchange_finish(&http->exchange, http->exchange.verdict.status, NULL);
}

/*
 * Can the connection carry another message? Only behind a reply that told its length and was read
 * to its end: then nothing that comes later can be taken for a part of it.
 */
static bool is_clean(const struct http_exchange *http, bool silent)
{
	curl_off_t length = -1;

	curl_easy_getinfo(http->driver->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return silent && http->exchange.verdict.status == VERDICT_SCORED &&
		length == (curl_off_t)http->reply.length;
}

static void settle(struct http_exchange *http)
{
	bool is_probe = http->exchange.request == NULL, silent;
	long code = 0;

	if (http->driver->result != CURLE_OK) {
		settle_failure(http);
		return;
	}
	http->exchange.connected = true;
	curl_easy_getinfo(http->driver->easy, CURLINFO_RESPONSE_CODE, &code);
	silent = !is_probe && curl_driver_settle(http->driver);
	http->more = http->more ||
		(!is_probe && !silent && curl_driver_has_more(http->driver) && !http->tls);
	if (is_probe)
		settle_probe(http, code);
	else if (code != 200 && !is_to_learn(http))
		settle_status(http, code);
	else
		settle_reply(http, code);
	if (is_clean(http, silent) || curl_driver_is_bare(http->driver))
		idle_store_give(http->idle, &http->driver, &http->address);
}

void http_exchange_step(struct exchange *exchange)
{
	struct http_exchange *http = http_of(exchange);

	if (curl_driver_step(http->driver))
		settle(http);
}

void http_exchange_free(struct exchange *exchange)
{
	struct http_exchange *http = http_of(exchange);

	curl_driver_free(&http->driver);
	curl_slist_free_all(http->headers);
	buf_free(&http->content);
	buf_free(&http->reply);
	free(http->scratch);
	free(http);
}
