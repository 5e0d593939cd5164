/* SPDX-License-Identifier: BSD-2-Clause */
/* What a mail server sends to a filter for one message. */
#include "packets.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "net.h"

/* A body goes in pieces of this many bytes, as Postfix and Sendmail send it. */
#define CHUNK 65535

/* Of the protocol, since Sendmail 8.14. */
#define VERSION 6

struct text {
	const char *bytes;
	size_t length;
};

/* A literal with the NUL at its end. */
#define TEXT(literal) ((struct text){ literal, sizeof(literal) })
#define NOTHING       ((struct text){ NULL, 0 })

/* A step: what the filter may leave out, and where it may leave the reply out. */
struct step {
	char command;
	uint32_t skipped_by, silenced_by;
};

static const struct step connect_step = { SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN };
static const struct step helo_step = { SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO };
static const struct step mail_step = { SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL };
static const struct step rcpt_step = { SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT };
static const struct step data_step = { SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA };
static const struct step header_step = { SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR };
static const struct step eoh_step = { SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH };
static const struct step body_step = { SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY };
static const struct step end_step = { SMFIC_BODYEOB, 0, 0 };

void packet_put(struct buf *out, char command, const void *data, size_t length)
{
	uint32_t size = htonl((uint32_t)length + 1);

	buf_append(out, &size, sizeof(size));
	buf_putc(out, command);
	buf_append(out, data, length);
}

void packet_put_negotiation(struct buf *out)
{
	const uint32_t words[] = { htonl(VERSION), htonl(OFFERED_ACTIONS), htonl(OFFERED_STEPS) };

	packet_put(out, SMFIC_OPTNEG, words, sizeof(words));
}

/* Close the segment that began where the last one ended. */
static void end_segment(struct plan *plan, bool answered)
{
	size_t begin = plan->count == 0 ? 0 : plan->segments[plan->count - 1].end;

	plan->segments = realloc(plan->segments, (plan->count + 1) * sizeof(*plan->segments));
	if (plan->segments == NULL)
		die("out of memory");
	plan->segments[plan->count++] = (struct segment){ begin, plan->bytes.length, answered };
}

/* A step with its macros (name and value in turn, each with its NUL; NULL: none) and its data. */
static void put_step(
	struct plan *plan, const struct step *step, struct text macros, struct text data)
{
	if ((plan->steps & step->skipped_by) != 0)
		return;
	if (macros.length > 0) {
		struct buf list;

		buf_init(&list, SIZE_MAX / 2);
		buf_putc(&list, step->command);
		buf_append(&list, macros.bytes, macros.length);
		packet_put(&plan->bytes, SMFIC_MACRO, list.data, list.length);
		buf_free(&list);
	}
	packet_put(&plan->bytes, step->command, data.bytes, data.length);
	if ((plan->steps & step->silenced_by) == 0)
		end_segment(plan, true);
}

static void put_greeting(struct plan *plan)
{
	put_step(plan, &connect_step,
		TEXT("j\0mx.example.net\0_\0mail.example.org [203.0.113.7]\0"
		     "{client_addr}\000203.0.113.7\0{client_name}\0mail.example.org\0"
		     "{daemon_name}\0mx.example.net"),
		/* host, family, port, address */
		TEXT("mail.example.org\0004\x9c\x40"
		     "203.0.113.7"));
	put_step(plan, &helo_step,
		TEXT("{tls_version}\0TLSv1.3\0{cipher}\0TLS_AES_256_GCM_SHA384\0"
		     "{cipher_bits}\000256"),
		TEXT("mail.example.org"));
	if (plan->bytes.length > (plan->count == 0 ? 0 : plan->segments[plan->count - 1].end))
		end_segment(plan, false);
	plan->after_greeting = plan->count;
}

static void put_envelope(struct plan *plan)
{
	put_step(plan, &mail_step,
		TEXT("i\0004BENCH00001\0{mail_addr}\0alice@example.org\0"
		     "{mail_host}\0example.org\0{mail_mailer}\0smtp"),
		TEXT("<alice@example.org>\0SIZE=4096"));
	put_step(plan, &rcpt_step,
		TEXT("i\0004BENCH00001\0{rcpt_addr}\0bob@example.net\0"
		     "{rcpt_host}\0example.net\0{rcpt_mailer}\0local"),
		TEXT("<bob@example.net>"));
	put_step(plan, &data_step, TEXT("i\0004BENCH00001"), NOTHING);
}

static void put_header(struct plan *plan)
{
	struct buf data;

	buf_init(&data, SIZE_MAX / 2);
	for (const struct field *field = message_fields; field->name != NULL; field++) {
		/* Who does not take leading blanks loses one. */
		const char *value = field->value + ((plan->steps & SMFIP_HDR_LEADSPC) == 0);

		buf_append(&data, field->name, strlen(field->name) + 1);
		buf_append(&data, value, strlen(value) + 1);
		put_step(plan, &header_step, NOTHING, (struct text){ data.data, data.length });
		buf_clear(&data);
	}
	buf_free(&data);
	put_step(plan, &eoh_step, NOTHING, NOTHING);
}

static void put_body(struct plan *plan, size_t size)
{
	struct buf body;

	buf_init(&body, SIZE_MAX / 2);
	message_put_body(&body, size);
	for (size_t at = 0; at < body.length; at += CHUNK) {
		size_t left = body.length - at;

		put_step(plan, &body_step, NOTHING,
			(struct text){ body.data + at, left < CHUNK ? left : CHUNK });
	}
	buf_free(&body);
	put_step(plan, &end_step, TEXT("i\0004BENCH00001"), NOTHING);
}

struct plan *plan_new(uint32_t steps, size_t size)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (plan == NULL)
		die("out of memory");
	plan->steps = steps;
	buf_init(&plan->bytes, SIZE_MAX / 2);
	put_greeting(plan);
	put_envelope(plan);
	put_header(plan);
	put_body(plan, size);
	if (plan->bytes.failed)
		die("out of memory");
	return plan;
}
