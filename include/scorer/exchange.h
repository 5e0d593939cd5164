/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request to one server on its way: a value that can be driven by any thread until it is done
 * or until a deadline, and handed on unfinished to another thread.
 *
 * Life: exchange_start() -> { exchange_poll_set(), poll(), exchange_step() }* until done ->
 * exchange_free(). It never blocks and knows no deadline; its driver does.
 */
#ifndef SPAMBRIDGE_SCORER_EXCHANGE_H
#define SPAMBRIDGE_SCORER_EXCHANGE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "mail/verdict.h"
#include "scorer/request.h"
#include "scorer/target.h"

/* Most descriptors that one exchange asks to have polled. */
#define EXCHANGE_POLL_MAX 4

struct exchange {
	const struct exchange_ops *ops;
	struct scan_request *request; /* NULL: a probe */
	int64_t started_us;
	bool connected; /* the server took the connection */
	bool sent;      /* the whole request is with the server */
	bool done;      /* `verdict` holds the outcome */
	struct verdict
		verdict; /* status SCORED, or why not; of a probe: NONE when it was answered */
};

/* One protocol. A new scorer is one file that fills this in, and a line in exchange.c. */
struct exchange_ops {
	bool learns; /* it can be asked to learn (scan_request_purpose) */
	struct exchange *(*start)(const struct exchange_target *target,
		struct scan_request *request, struct err *err);
	size_t (*poll_set)(struct exchange *exchange, struct pollfd *set, int *ret_timeout_ms);
	void (*step)(struct exchange *exchange);
	void (*free)(struct exchange *exchange);
};

extern const struct exchange_ops spamd_exchange_ops;
extern const struct exchange_ops rspamd_exchange_ops;
extern const struct exchange_ops json_exchange_ops;

/*
 * Begin to ask a server about `request` (which gains an owner), or to probe it when NULL. Always
 * returns an exchange unless out of memory: one that failed at once is done.
 */
struct exchange *exchange_start(const struct exchange_target *target, struct scan_request *request);

/* Descriptors to poll (their number is returned) and the longest time to do so (-1: any). */
size_t exchange_poll_set(struct exchange *exchange, struct pollfd *set, int *ret_timeout_ms);

/* Do what can be done now. */
void exchange_step(struct exchange *exchange);

/* For protocols: note the outcome. The first one stays. */
void exchange_finish(struct exchange *exchange, enum verdict_status status, const struct err *err);

void exchange_free(struct exchange **exchange);

#endif
