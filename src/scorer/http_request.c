/* SPDX-License-Identifier: BSD-2-Clause */
/* The head of an HTTP request: where it goes, and its header lines. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "scorer/http_exchange.h"

/* Longest URL, bytes: a host name and two paths. */
#define URL_MAX 4096

bool http_add_line(struct http_exchange *http, const char *line)
{
	struct curl_slist *longer = curl_slist_append(http->headers, line);

	if (longer != NULL)
		http->headers = longer;
	return longer != NULL;
}

bool http_add_header(struct http_exchange *http, const char *name, const char *value)
{
	struct buf line;
	bool good;

	buf_init(&line, LIMIT_HTTP_HEADER);
	good = buf_printf(&line, "%s: %s", name, value) && http_add_line(http, line.data);
	buf_free(&line);
	return good;
}

bool http_add_default(struct http_exchange *http, const char *name, const char *value)
{
	size_t length = strlen(name);

	for (const struct curl_slist *line = http->headers; line != NULL; line = line->next)
		if (strncasecmp(line->data, name, length) == 0 && line->data[length] == ':')
			return true;
	return http_add_header(http, name, value);
}

bool http_add_headers(struct http_exchange *http, const struct header_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!http_add_header(http, headers_name(list, i), headers_value(list, i)))
			return false;
	return true;
}

bool http_set_url(struct http_exchange *http, const struct server_setting *server, const char *path)
{
	CURL *easy = http->driver->easy;
	const char *host = server->transport == TRANSPORT_UNIX ? "localhost" : server->host;
	bool literal6 = strchr(host, ':') != NULL;
	size_t prefix = strlen(server->path);
	char url[URL_MAX], port[8] = "";
	int length;

	if (server->transport != TRANSPORT_UNIX)
		snprintf(port, sizeof(port), ":%u", (unsigned)server->port);
	if (prefix > 0 && server->path[prefix - 1] == '/' && path[0] == '/')
		prefix--;
	length = snprintf(url, sizeof(url), "%s://%s%s%s%s%.*s%s",
		server->transport == TRANSPORT_TLS ? "https" : "http", literal6 ? "[" : "", host,
		literal6 ? "]" : "", port, (int)prefix, server->path, path);
	return length > 0 && (size_t)length < sizeof(url) &&
		curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
}
