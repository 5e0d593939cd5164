/* SPDX-License-Identifier: BSD-2-Clause */
/* http_listen where there is no libmicrohttpd: the configuration has refused it. */
#include "daemon/http.h"

int http_open(const struct settings *settings, struct err *err)
{
	(void)settings;
	(void)err;
	return 0;
}

int http_start(struct err *err)
{
	(void)err;
	return 0;
}
