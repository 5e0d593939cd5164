/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's status answer for a person: how it is comes first. */
#ifndef SPAMBRIDGE_CTL_STATUS_REPORT_H
#define SPAMBRIDGE_CTL_STATUS_REPORT_H

#include <jansson.h>
#include <time.h>

enum health {
	HEALTH_GOOD,     /* every server answers */
	HEALTH_DEGRADED, /* some do */
	HEALTH_DOWN,     /* none does */
};

/* "healthy", "degraded", "down" */
const char *health_word(enum health health);

/* The worst that the daemon's reply to "status" tells of. */
enum health status_health(const json_t *status);

/* On standard output; `now` is the wall clock. Members that are missing or odd are shown as 0. */
void status_print(const json_t *status, time_t now);

#endif
