/* SPDX-License-Identifier: BSD-2-Clause */
/* The dialogue with spamd: one connection, one request, one reply. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "protocol/spamd.h"
#include "scorer/exchange.h"
#include "scorer/transport.h"

/* Room for one piece of a body that lies in a file, bytes. */
#define PIECE_SIZE 32768
/* Pieces that are sent together: our header, the message's, its body, the CRLF behind it. */
#define PIECES 32
/* One piece of a reply, bytes; on the stack of a thread that may be new, where more costs more. */
#define REPLY_PIECE_SIZE 4096
/* Most that one step moves before it lets its driver look at the clock, bytes. */
#define STEP_BYTES (1024 * 1024)

enum spamd_phase {
	PHASE_CONNECT,
	PHASE_SEND,
	PHASE_RECEIVE,
};

struct spamd_exchange {
	struct exchange exchange;
	struct transport *transport;
	enum spamd_phase phase;
	struct buf header; /* of our request */
	size_t sent;       /* bytes of header and message together */
	struct buf reply;
	struct spamd_reply parser;
	void *scratch; /* PIECE_SIZE, only for bodies in a file */
};

static struct spamd_exchange *spamd_of(struct exchange *exchange)
{
	return (struct spamd_exchange *)exchange;
}

static void spamd_free(struct exchange *exchange)
{
	struct spamd_exchange *spamd = spamd_of(exchange);

	transport_free(&spamd->transport);
	buf_free(&spamd->header);
	buf_free(&spamd->reply);
	free(spamd->scratch);
	free(spamd);
}

static struct transport *open_transport(const struct exchange_target *target, struct err *err)
{
	if (target->server->transport == TRANSPORT_TLS)
		return transport_tls_new(target->scorer, target->server, &target->address, err);
	return transport_plain_new(&target->address, err);
}

static enum spamd_verb verb_for(const struct scan_request *request)
{
	if (request == NULL)
		return SPAMD_PING;
	switch (scan_request_purpose(request)) {
	case SCAN_TO_LEARN_HAM:
		return SPAMD_LEARN_HAM;
	case SCAN_TO_LEARN_SPAM:
		return SPAMD_LEARN_SPAM;
	case SCAN_FOR_SCORE:
		break;
	}
	return SPAMD_HEADERS;
}

/* The user that spamd is told: a fixed one, or that of the recipients who are asked for. */
static const char *user_of(const struct scorer_setting *scorer, const struct scan_request *request)
{
	const char *user, *at;

	if (request == NULL)
		return "";
	if (!scorer_user_varies(scorer))
		return scorer->user;
	user = scan_request_user(request);
	at = strrchr(user, '@');
	/* The users were made for another scorer, perhaps, which takes whole addresses. */
	return strcmp(scorer->user, "domain") == 0 && at != NULL ? at + 1 : user;
}

static struct exchange *spamd_start(
	const struct exchange_target *target, struct scan_request *request, struct err *err)
{
	struct spamd_exchange *spamd = calloc(1, sizeof(*spamd));
	enum spamd_verb verb = verb_for(request);

	if (spamd == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	spamd->exchange.ops = &spamd_exchange_ops;
	verdict_init(&spamd->exchange.verdict);
	buf_init(&spamd->header, SPAMD_REQUEST_SIZE);
	buf_init(&spamd->reply, LIMIT_SPAMD_REPLY);
	spamd_reply_init(&spamd->parser, verb);
	if (!spamd_request(&spamd->header, verb, user_of(target->scorer, request),
		    request == NULL ? 0 : scan_request_length(request)))
		err_set(err, "out of memory");
	else
		spamd->transport = open_transport(target, err);
	if (spamd->transport == NULL) {
		spamd_free(&spamd->exchange);
		return NULL;
	}
	return &spamd->exchange;
}

static size_t spamd_poll_set(struct exchange *exchange, struct pollfd *set, int *ret_timeout_ms)
{
	struct spamd_exchange *spamd = spamd_of(exchange);

	return transport_poll_set(
		spamd->transport, spamd->phase == PHASE_SEND, set, ret_timeout_ms);
}

/*
 * The connection broke. An answer that is there already counts all the same: spamd closes with
 * unread data when it refuses a message, which resets the connection behind its one line.
 */
static void broken(struct spamd_exchange *spamd, const struct err *err)
{
	struct exchange *exchange = &spamd->exchange;

	if (spamd->reply.length > 0 &&
		spamd_reply_parse(&spamd->parser, spamd->reply.data, spamd->reply.length, true,
			&exchange->verdict) == SPAMD_REPLY_COMPLETE)
		exchange_finish(exchange, VERDICT_SCORED, NULL);
	else if (spamd->reply.length > 0)
		exchange_finish(exchange, VERDICT_MALFORMED, &exchange->verdict.err);
	else
		exchange_finish(exchange, VERDICT_REFUSED, err);
}

/* Take what was parsed. */
static void settle(struct spamd_exchange *spamd, enum spamd_reply_state state)
{
	struct exchange *exchange = &spamd->exchange;

	if (state == SPAMD_REPLY_MALFORMED)
		exchange_finish(exchange, exchange->verdict.status, NULL);
	else if (state == SPAMD_REPLY_COMPLETE)
		exchange_finish(
			exchange, exchange->request == NULL ? VERDICT_NONE : VERDICT_SCORED, NULL);
}

/* Add a piece to the reply. False when that cannot be, which ends the exchange. */
static bool keep(struct spamd_exchange *spamd, const char *piece, size_t length)
{
	bool too_large = length > LIMIT_SPAMD_REPLY - spamd->reply.length;
	struct err err = ERR_INIT;

	if (buf_append(&spamd->reply, piece, length))
		return true;
	if (too_large)
		err_set(&err, "the reply is larger than %d bytes", LIMIT_SPAMD_REPLY);
	else
		err_set(&err, "out of memory");
	exchange_finish(&spamd->exchange, too_large ? VERDICT_MALFORMED : VERDICT_ERROR, &err);
	return false;
}

/* One piece of the reply. True when there may be more at once. */
static bool receive_piece(struct spamd_exchange *spamd)
{
	char piece[REPLY_PIECE_SIZE];
	struct err err = ERR_INIT;
	size_t got = 0;
	enum transport_result result =
		transport_receive(spamd->transport, piece, sizeof(piece), &got, &err);

	if (result == TRANSPORT_AGAIN)
		return false;
	if (result == TRANSPORT_CLOSED && spamd->reply.length == 0)
		err_set(&err, "the server closed the connection without an answer");
	if (result == TRANSPORT_FAILED ||
		(result == TRANSPORT_CLOSED && spamd->reply.length == 0)) {
		broken(spamd, &err);
		return false;
	}
	if (!keep(spamd, piece, got))
		return false;
	settle(spamd,
		spamd_reply_parse(&spamd->parser, buf_text(&spamd->reply), spamd->reply.length,
			result == TRANSPORT_CLOSED, &spamd->exchange.verdict));
	return !spamd->exchange.done && result == TRANSPORT_OK;
}

static bool connect_step(struct spamd_exchange *spamd)
{
	struct err err = ERR_INIT;
	enum transport_result result = transport_connect(spamd->transport, &err);

	if (result == TRANSPORT_FAILED)
		exchange_finish(&spamd->exchange, VERDICT_REFUSED, &err);
	if (result != TRANSPORT_OK)
		return false;
	spamd->exchange.connected = true;
	spamd->phase = PHASE_SEND;
	return true;
}

static bool request_is_sent(struct spamd_exchange *spamd)
{
	transport_end_of_request(spamd->transport);
	spamd->exchange.sent = true;
	spamd->phase = PHASE_RECEIVE;
	return true;
}

/* Room for what has to be read from a file. False when there is none. */
static bool make_scratch(struct spamd_exchange *spamd)
{
	if (spamd->scratch == NULL && scan_request_in_file(spamd->exchange.request))
		spamd->scratch = malloc(PIECE_SIZE);
	return spamd->scratch != NULL || !scan_request_in_file(spamd->exchange.request);
}

/* Point to what is still to be sent, as far as it is in memory; -1 with errno set. */
static int gather(struct spamd_exchange *spamd, struct iovec pieces[PIECES])
{
	size_t at = spamd->sent;
	int count = 0;

	if (at < spamd->header.length)
		pieces[count++] =
			(struct iovec){ spamd->header.data + at, spamd->header.length - at };
	at = count > 0 ? 0 : at - spamd->header.length;
	while (count < PIECES && spamd->exchange.request != NULL) {
		const void *bytes;
		long length;

		if (!make_scratch(spamd))
			return -1;
		length = scan_request_peek(
			spamd->exchange.request, at, spamd->scratch, PIECE_SIZE, &bytes);
		if (length < 0)
			return -1;
		if (length == 0)
			break;
		pieces[count++] = (struct iovec){ (void *)bytes, (size_t)length };
		at += (size_t)length;
		if (bytes == spamd->scratch)
			break;
	}
	return count;
}

/*
 * Send what is there. True when some went out. A stream that takes no more may have been answered
 * early, so what came is read before anything else; it would wake the next poll for nothing, too.
 */
static bool send_step(struct spamd_exchange *spamd)
{
	struct iovec pieces[PIECES];
	struct err err = ERR_INIT;
	enum transport_result result;
	size_t sent = 0;
	int count = gather(spamd, pieces);

	if (count < 0) {
		err_set_errno(&err, errno, "cannot read the message back");
		exchange_finish(&spamd->exchange, VERDICT_ERROR, &err);
		return false;
	}
	if (count == 0)
		return request_is_sent(spamd);
	result = transport_send(spamd->transport, pieces, (size_t)count, &sent, &err);
	if (result == TRANSPORT_FAILED || result == TRANSPORT_AGAIN)
		while (receive_piece(spamd))
			;
	if (result == TRANSPORT_FAILED)
		broken(spamd, &err);
	spamd->sent += sent;
	return result == TRANSPORT_OK;
}

/* One move of the current phase. True when another may follow at once. */
static bool move(struct spamd_exchange *spamd)
{
	switch (spamd->phase) {
	case PHASE_CONNECT:
		return connect_step(spamd);
	case PHASE_SEND:
		return send_step(spamd);
	case PHASE_RECEIVE:
		break;
	}
	return receive_piece(spamd);
}

static void spamd_step(struct exchange *exchange)
{
	struct spamd_exchange *spamd = spamd_of(exchange);

	for (size_t moves = 0; moves < STEP_BYTES / PIECE_SIZE; moves++)
		if (!move(spamd) || exchange->done)
			return;
}

const struct exchange_ops spamd_exchange_ops = {
	.learns = true,
	.start = spamd_start,
	.poll_set = spamd_poll_set,
	.step = spamd_step,
	.free = spamd_free,
};
