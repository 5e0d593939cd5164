/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's status answer for a person: how it is comes first. */
#ifndef SPAMBRIDGE_CTL_STATUS_REPORT_H
#define SPAMBRIDGE_CTL_STATUS_REPORT_H

#include <jansson.h>
#include <time.h>

/* The daemon's word: "healthy", "degraded", "down"; the last one also where it has none of these. */
const char *status_health(const json_t *status);

/* On standard output; `now` is the wall clock. Members that are missing or odd are shown as 0. */
void status_print(const json_t *status, time_t now);

#endif
