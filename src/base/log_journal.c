/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's own protocol where libsystemd is there, nothing where it is not. */
#include "base/log_journal.h"

#include "config.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-journal.h>

int log_journal_send(const char *program, int priority, const char *text)
{
	return sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority, "SYSLOG_FACILITY=%i", 2,
		       "SYSLOG_IDENTIFIER=%s", program, NULL) == 0 ?
		0 :
		-1;
}
#else
int log_journal_send(const char *program, int priority, const char *text)
{
	(void)program;
	(void)priority;
	(void)text;
	return -1;
}
#endif
