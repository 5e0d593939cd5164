/* SPDX-License-Identifier: BSD-2-Clause */
/* Caps of the quarantine: each with its unit and reason. */
#ifndef SPAMBRIDGE_QUARANTINE_LIMITS_H
#define SPAMBRIDGE_QUARANTINE_LIMITS_H

/* Metadata of one item as JSON, bytes: LIMIT_RECIPIENTS addresses of an ordinary length. */
#define LIMIT_ITEM_JSON (8 * 1024 * 1024)
/* Our whole header block in front of the message, bytes: the recipients stand in it twice. */
#define LIMIT_ITEM_BLOCK (24 * 1024 * 1024)
/* An original message, bytes: nobody's mail server takes more; a sparse file may claim it. */
#define LIMIT_ITEM_MESSAGE (4ull * 1024 * 1024 * 1024)
/* Read of an item at first, bytes: holds the metadata of all but the largest. */
#define ITEM_FIRST_READ 4096
/* Subject, From, Date, Message-ID kept in the metadata for lists, bytes each. */
#define LIMIT_ITEM_FIELD 512
/* The state of one item's recipients, bytes: one short line each. */
#define LIMIT_REVIEW (16 * 1024 * 1024)
/* Threads that write at the same time, count: more would only queue at the disk. */
#define LIMIT_WRITERS 8
/* Writes that wait for such a thread, count; beyond it the disk is too slow. */
#define LIMIT_WRITE_QUEUE 1024
/* One line of an SMTP server's reply, bytes (RFC 5321 4.5.3.1.5: 512), and lines of a reply. */
#define LIMIT_SMTP_LINE  2048
#define LIMIT_SMTP_LINES 128
/* Release marks of one message that are looked at, count: a release puts one at the top. */
#define LIMIT_RELEASE_MARKS 4
/* Items named in one digest mail, count: nobody reads more, and the tool lists them. */
#define LIMIT_DIGEST_ITEMS 500
/* Periods after which nobody is told any more what a digest would have said, count. */
#define LIMIT_DIGEST_PERIODS 7
/* The record of whom a period's digest went to, bytes. */
#define LIMIT_DIGEST_STATE (16 * 1024 * 1024)
/* An age in the future that a clock correction explains, seconds. */
#define LIMIT_CLOCK_SKEW 86400

#endif
