/* SPDX-License-Identifier: BSD-2-Clause */
/* What the checks of Postfix share: where its settings are, and those that most of them need. */
#ifndef SPAMBRIDGE_CTL_DOCTOR_MTA_H
#define SPAMBRIDGE_CTL_DOCTOR_MTA_H

#include <limits.h>

#include "base/buf.h"
#include "ctl/doctor.h"

struct mta {
	struct doctor *doctor;
	struct buf queue, milters, owner;   /* queue_directory, smtpd_milters, mail_owner */
	char with_directory[PATH_MAX + 32]; /* " -c 'DIR'" for postconf, or "" */
	char for_enable[PATH_MAX + 32];     /* " --config-dir 'DIR'", or "" */
};

/* One value of main.cf; "" when postconf fails. */
void mta_value(const struct mta *mta, const char *name, struct buf *out);

/* Times, protocol and what Postfix does when the filter is away. */
void doctor_check_mta_settings(struct mta *mta);

#endif
