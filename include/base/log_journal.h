/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending one record to systemd's journal (sd_journal_send(3)). */
#ifndef SPAMBRIDGE_BASE_LOG_JOURNAL_H
#define SPAMBRIDGE_BASE_LOG_JOURNAL_H

/* Send `text` with a syslog `priority`, facility mail. Returns -1 when there is no journal. */
int log_journal_send(const char *program, int priority, const char *text);

#endif
