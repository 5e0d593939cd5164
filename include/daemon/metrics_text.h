/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters and gauges in the text format of Prometheus (exposition format 0.0.4). */
#ifndef SPAMBRIDGE_DAEMON_METRICS_TEXT_H
#define SPAMBRIDGE_DAEMON_METRICS_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

/* Append everything that the daemon counts. False when `out` has failed. */
bool metrics_print(struct buf *out);

#endif
