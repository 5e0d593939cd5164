/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two fields that stand above the message on its way to SpamAssassin, and only there: the
 * Received field that the mail server is about to add, in the shape that SpamAssassin's relay
 * parser reads (Mail::SpamAssassin::Message::Metadata::Received), and X-Envelope-From.
 *
 * HELO, PTR name, addresses and queue id are text of the sending side, and SpamAssassin finds
 * relays by pattern: a HELO of "a (b [127.0.0.1]) by c" would make the message trusted. Hence only
 * a conservative set of characters gets in, and words that switch that parser to the grammar of
 * another mail server are defused.
 */
#ifndef SPAMBRIDGE_PROTOCOL_RECEIVED_H
#define SPAMBRIDGE_PROTOCOL_RECEIVED_H

#include <stdbool.h>
#include <time.h>

#include "base/buf.h"
#include "mail/envelope.h"

/* Room for both fields together, bytes. */
#define RECEIVED_SIZE 4096

/*
 * Append
 *
 *	Received: from HELO (PTR [ADDRESS])
 *		by SERVER (Postfix) with ESMTPS id QUEUEID
 *		(envelope-from <SENDER>);
 *		Sat, 21 Nov 2026 10:00:00 +0000 (UTC)
 *
 * with CRLF line ends. A missing HELO or PTR name is "unknown", a missing server name
 * "localhost"; an IPv4-mapped address is written as IPv4, IPv6 as [IPv6:...]. The `with` word
 * (RFC 3848, RFC 6531) tells TLS and authentication; HELO and EHLO look the same to a milter, so
 * it is always of the ESMTP family. The envelope-from comment is left out when the address holds
 * anything beyond a conservative set; a null sender is `<>`. Never a recipient.
 *
 * A message that came from no host (no address, or Postfix's loopback with port 0) is written as
 * "by SERVER (Postfix, from userid 0) id ...", which SpamAssassin passes over.
 *
 * `now` is the time of receipt (our own clock, not the mail server's macro). False: `out` failed.
 */
bool received_build(
	struct buf *out, const struct client *client, const struct envelope *envelope, time_t now);

/*
 * Append "X-Envelope-From: <sender>" with CRLF. It must precede the Received field, or
 * SpamAssassin ignores it. A sender that cannot be shown safely is written as `<>`, which
 * SpamAssassin reads as "not known": leaving the field out would let a forged one further down
 * count where `envelope_sender_header X-Envelope-From` is set. Nothing without a sender.
 */
bool envelope_from_field_build(struct buf *out, const struct envelope *envelope);

#endif
