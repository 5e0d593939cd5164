/* SPDX-License-Identifier: BSD-2-Clause */
/* The milter protocol for the filter without libmilter. */
#include "loop_talk.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "mail/headers.h"
#include "packets.h"
#include "protocol/xspam.h"

/* Whole lengths of the largest packet and message, bytes. */
#define PACKET_MAX  ((size_t)2 * 1024 * 1024)
#define MESSAGE_MAX ((size_t)64 * 1024 * 1024)

/* No reply until the end of the message, as spambridge and empty_filter -n ask for. */
#define STEPS                                                                               \
	(SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_NOEOH | SMFIP_HDR_LEADSPC | SMFIP_NR_CONN | \
		SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_BODY)

void talk_init(struct talk *talk)
{
	buf_init(&talk->message, MESSAGE_MAX);
	buf_init(&talk->replies, PACKET_MAX);
	talk->in_body = false;
}

void talk_free(struct talk *talk)
{
	buf_free(&talk->message);
	buf_free(&talk->replies);
}

static void forget_message(struct talk *talk)
{
	buf_clear(&talk->message);
	talk->in_body = false;
}

/* Version, actions, steps. A mail server that wants replies all the same is not served. */
static bool negotiate(struct talk *talk, const char *data, size_t length)
{
	uint32_t words[3];

	if (length < sizeof(words))
		return false;
	memcpy(words, data, sizeof(words));
	if (ntohl(words[0]) < SMFI_PROT_VERSION || (ntohl(words[2]) & STEPS) != STEPS)
		return false;
	words[0] = htonl(SMFI_PROT_VERSION);
	words[1] &= htonl(SMFIF_ADDHDRS);
	words[2] = htonl(STEPS);
	packet_put(&talk->replies, SMFIC_OPTNEG, words, sizeof(words));
	return true;
}

/* Name and value, each with its NUL. What a filter of ours may have added is not scored. */
static bool take_field(struct talk *talk, const char *data, size_t length)
{
	const char *end = memchr(data, 0, length);

	if (end == NULL || length == 0 || data[length - 1] != 0 || end == data + length - 1)
		return false;
	return header_is_reserved(data) || header_render(&talk->message, data, end + 1);
}

static bool take_body(struct talk *talk, const char *data, size_t length)
{
	if (!talk->in_body)
		buf_puts(&talk->message, "\r\n");
	talk->in_body = true;
	return buf_append(&talk->message, data, length);
}

/* The last piece. spamd waits for ever when the last line has no end. */
static bool end_message(struct talk *talk, const char *data, size_t length)
{
	const struct buf *message = &talk->message;

	return take_body(talk, data, length) &&
		(message->data[message->length - 1] == '\n' || buf_puts(&talk->message, "\r\n"));
}

static enum talk_state take_packet(struct talk *talk, char command, const char *data, size_t length)
{
	bool good = true;

	switch (command) {
	case SMFIC_OPTNEG:
		good = negotiate(talk, data, length);
		break;
	case SMFIC_MAIL:
	case SMFIC_ABORT:
	case SMFIC_QUIT_NC:
		forget_message(talk);
		break;
	case SMFIC_HEADER:
		good = take_field(talk, data, length);
		break;
	case SMFIC_BODY:
		good = take_body(talk, data, length);
		break;
	case SMFIC_BODYEOB:
		return end_message(talk, data, length) ? TALK_ENDED : TALK_CLOSED;
	case SMFIC_QUIT:
		return TALK_CLOSED;
	default: /* client, recipients and macros: nothing here asks for them */
		break;
	}
	return good ? TALK_ON : TALK_CLOSED;
}

enum talk_state talk_take(struct talk *talk, const char *bytes, size_t length, size_t *ret_used)
{
	enum talk_state state = TALK_ON;
	size_t at = 0;

	while (state == TALK_ON && length - at > sizeof(uint32_t)) {
		uint32_t size;

		memcpy(&size, bytes + at, sizeof(size));
		size = ntohl(size);
		if (size == 0 || size > PACKET_MAX)
			return TALK_CLOSED;
		if (length - at - sizeof(size) < size)
			break;
		at += sizeof(size);
		state = take_packet(talk, bytes[at], bytes + at + 1, size - 1);
		at += size;
	}
	*ret_used = at;
	return state;
}

/* Below the Received field that the mail server adds itself. */
static void put_insertion(struct talk *talk, const char *name, const char *value)
{
	const uint32_t place = htonl(1);
	struct buf data;

	buf_init(&data, LIMIT_ADDED_HEADER * 2);
	buf_append(&data, &place, sizeof(place));
	buf_append(&data, name, strlen(name) + 1);
	buf_append(&data, value, strlen(value) + 1);
	packet_put(&talk->replies, SMFIR_INSHEADER, data.data, data.length);
	buf_free(&data);
}

void talk_answer(struct talk *talk, const struct verdict *verdict)
{
	const struct xspam_facts facts = { .spam = verdict->spam, .required = verdict->required };
	struct header_list fields;

	headers_init(&fields, XSPAM_LIST_SIZE);
	if (xspam_build(&fields, verdict, &facts))
		for (size_t i = fields.count; i > 0; i--)
			put_insertion(
				talk, headers_name(&fields, i - 1), headers_value(&fields, i - 1));
	headers_free(&fields);
	packet_put(&talk->replies, SMFIR_ACCEPT, NULL, 0);
	forget_message(talk);
}
