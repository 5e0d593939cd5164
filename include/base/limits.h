/* SPDX-License-Identifier: BSD-2-Clause */
/* Every size, count, line and depth that a peer can influence: its maximum, unit and reason. */
#ifndef SPAMBRIDGE_BASE_LIMITS_H
#define SPAMBRIDGE_BASE_LIMITS_H

/* One log record, bytes: syslog receivers cut at 2,048 or more (RFC 5424 section 6.1). */
#define LIMIT_LOG_RECORD 4096
/* One value in a log record, bytes after escaping: keeps a record readable. */
#define LIMIT_LOG_VALUE 256
/* Log records waiting for a slow syslog, count: beyond it they are dropped and counted. */
#define LIMIT_LOG_QUEUE 1024

/* All header fields of one message, bytes: Postfix's header_size_limit is 102,400 a field. */
#define LIMIT_HEADER_BYTES (8 * 1024 * 1024)
/* Header fields of one message, count. */
#define LIMIT_HEADER_COUNT 20000
/* Recipients of one message, count: Postfix's smtpd_recipient_limit is 1,000. */
#define LIMIT_RECIPIENTS 50000
/* One envelope address, bytes: RFC 5321 4.5.3.1 has 64 + 1 + 255, SMTPUTF8 and quoting add. */
#define LIMIT_ADDRESS 2048
/* HELO, PTR name, queue id, login: one fact about the client, bytes (facts beyond are cut). */
#define LIMIT_FACT 2048
/* HELO or PTR name that is put into a Received field, bytes (RFC 1035: 255). */
#define LIMIT_RECEIVED_NAME 255

/* A spamd reply, bytes: HEADERS returns the header block, so it is bounded by ours. */
#define LIMIT_SPAMD_REPLY (1024 * 1024)
/* One line of a spamd reply's own header, bytes, and their count. */
#define LIMIT_SPAMD_LINE  1024
#define LIMIT_SPAMD_LINES 64
/* An HTTP scorer's reply body, bytes, and its header block, bytes. */
#define LIMIT_HTTP_REPLY  (1024 * 1024)
#define LIMIT_HTTP_HEADER (64 * 1024)
/* Nesting of a JSON reply, levels. */
#define LIMIT_JSON_DEPTH 64

/* Rule names kept from one verdict, count, and one name, bytes. */
#define LIMIT_TESTS     512
#define LIMIT_TEST_NAME 128
/* What a rule says it found: kept from one rule, count, and one, bytes. For people only. */
#define LIMIT_TEST_OPTIONS 8
#define LIMIT_TEST_OPTION  128
/* Rule names shown in tests= of the header, count, and all of them in the log, bytes. */
#define LIMIT_TESTS_SHOWN  64
#define LIMIT_TESTS_LOGGED 1024
/* Fields that a scorer may ask to be added to a message, count. */
#define LIMIT_EXTRA_HEADERS 64
/* One header field that we add, bytes, folded; and one line of it (RFC 5322 2.1.1: 998). */
#define LIMIT_ADDED_HEADER 8192
#define LIMIT_ADDED_LINE   998

/* Original recipients of a redirected message that are named in it, count, and one, bytes. */
#define LIMIT_ORIGINAL_RECIPIENTS 100
#define LIMIT_ORIGINAL_RECIPIENT  320

/* Scores, thousandths: SpamAssassin's GTUBE is 1000; anything beyond a million is nonsense. */
#define LIMIT_SCORE_MILLI 1000000000

/* Scans that wait for a slot of one scorer, count. */
#define LIMIT_SCAN_QUEUE 4096
/*
 * Scans of one message for different users, count: each takes a slot; and a user's name, bytes: an
 * address of RFC 5321 4.5.3.1.
 */
#define LIMIT_SCORE_USERS 16
#define LIMIT_SCORE_USER  320
/* Servers of one scorer, scorers, and addresses kept for one host name, count. */
#define LIMIT_SERVERS        64
#define LIMIT_SCORERS        16
#define LIMIT_HOST_ADDRESSES 16

/* The configuration file, bytes. */
#define LIMIT_CONFIG_FILE (16 * 1024 * 1024)
/* SMTP reply text, bytes: smfi_setreply refuses more than 980. */
#define LIMIT_REPLY_TEXT 900

/* One request on the control socket, bytes. */
#define LIMIT_CONTROL_REQUEST 4096

#endif
