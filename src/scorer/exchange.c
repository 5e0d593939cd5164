/* SPDX-License-Identifier: BSD-2-Clause */
/* One request to one server on its way: what all protocols have in common. */
#include "scorer/exchange.h"

#include <stdlib.h>

#include "base/deadline.h"

static const struct exchange_ops *ops_of(enum scorer_protocol protocol)
{
	switch (protocol) {
	case SCORER_SPAMD:
		return &spamd_exchange_ops;
	case SCORER_RSPAMD:
		return &rspamd_exchange_ops;
	case SCORER_JSON:
		break;
	}
	return &json_exchange_ops;
}

/* For an exchange that cannot even begin: it is done, and has nothing to poll or to step. */
static void unstarted_free(struct exchange *exchange)
{
	free(exchange);
}

static const struct exchange_ops unstarted_ops = { .free = unstarted_free };

static struct exchange *unstarted(void)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (exchange != NULL) {
		exchange->ops = &unstarted_ops;
		verdict_init(&exchange->verdict);
	}
	return exchange;
}

struct exchange *exchange_start(const struct exchange_target *target, struct scan_request *request)
{
	const struct exchange_ops *ops = ops_of(target->scorer->protocol);
	struct err err = ERR_INIT;
	struct exchange *exchange = NULL;

	if (request != NULL && scan_request_purpose(request) != SCAN_FOR_SCORE && !ops->learns)
		err_set(&err, "scorer \"%s\" cannot learn over this protocol",
			target->scorer->name);
	else
		exchange = ops->start(target, request, &err);
	if (exchange == NULL) {
		exchange = unstarted();
		if (exchange == NULL)
			return NULL;
		exchange_finish(exchange, VERDICT_ERROR, &err);
	}
	exchange->request = request == NULL ? NULL : scan_request_ref(request);
	exchange->started_us = clock_now_us();
	if (!exchange->done)
		exchange_step(exchange);
	return exchange;
}

size_t exchange_poll_set(struct exchange *exchange, struct pollfd *set, int *ret_timeout_ms)
{
	*ret_timeout_ms = exchange->done ? 0 : -1;
	return exchange->done ? 0 : exchange->ops->poll_set(exchange, set, ret_timeout_ms);
}

void exchange_step(struct exchange *exchange)
{
	if (!exchange->done)
		exchange->ops->step(exchange);
}

void exchange_finish(struct exchange *exchange, enum verdict_status status, const struct err *err)
{
	if (exchange->done)
		return;
	exchange->done = true;
	exchange->verdict.status = status;
	if (err != NULL)
		exchange->verdict.err = *err;
}

void exchange_free(struct exchange **exchange)
{
	struct exchange *gone = *exchange;

	*exchange = NULL;
	if (gone == NULL)
		return;
	scan_request_free(&gone->request);
	verdict_free(&gone->verdict);
	gone->ops->free(gone);
}
