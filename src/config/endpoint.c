/* SPDX-License-Identifier: BSD-2-Clause */
/* The address texts of `listen` and `servers`. */
#include "config/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "config/values.h"

#define HOST_MAX 253 /* RFC 1035 2.3.4, as text */

int socket_path_check(const char *path, struct err *err)
{
	if (path[0] != '/')
		return err_set(err, "'%s' is no absolute path; begin it with '/'", path);
	if (strlen(path) > SOCKET_PATH_MAX)
		return err_set(err,
			"a socket's path has at most %d bytes, this one has %zu; choose "
			"a shorter one",
			SOCKET_PATH_MAX, strlen(path));
	if (path[strlen(path) - 1] == '/')
		return err_set(err, "'%s' names a directory; name the socket in it", path);
	return 0;
}

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '.' || c == '-' || c == '_';
}

/* Does this name consist of what host names and IPv4 addresses consist of? */
static bool is_host(const char *host)
{
	struct in_addr ipv4;
	size_t length = strlen(host);

	if (length == 0 || length > HOST_MAX || host[0] == '.' || host[0] == '-' ||
		strstr(host, "..") != NULL)
		return false;
	for (const char *c = host; *c != '\0'; c++)
		if (!is_host_byte(*c))
			return false;
	/* Digits and dots only are meant as an address, and then they must be one. */
	return strspn(host, "0123456789.") != length || inet_pton(AF_INET, host, &ipv4) == 1;
}

static bool is_ipv6(const char *text)
{
	struct in6_addr ipv6;

	return inet_pton(AF_INET6, text, &ipv6) == 1;
}

/* A port number over the whole of the text. */
static bool parse_port(const char *text, uint16_t *ret_port)
{
	struct cursor cursor = cursor_over(text, strlen(text));
	uint64_t port;

	if (!cursor_number(&cursor, 65535, &port) || !cursor_at_end(&cursor) || port == 0)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

/* Remove the brackets around an IPv6 address in place; the start of what is left. */
static char *strip_brackets(char *host)
{
	size_t length = strlen(host);

	if (length < 2 || host[0] != '[' || host[length - 1] != ']')
		return host;
	host[length - 1] = '\0';
	return host + 1;
}

static int listen_unix(
	const char *path, struct strlist *pool, struct listen_setting *listen, struct err *err)
{
	if (socket_path_check(path, err) < 0)
		return -1;
	listen->family = LISTEN_UNIX;
	listen->path = pool_text(pool, path);
	listen->host = pool_text(pool, "");
	if (listen->path == NULL || listen->host == NULL)
		return err_set(err, "out of memory");
	return 0;
}

/* `port@host` behind `inet:` or `inet6:`. */
static int listen_inet(
	const char *text, struct strlist *pool, struct listen_setting *listen, struct err *err)
{
	AUTO(string_free) char *port = strdup(text);
	char *host;

	if (port == NULL)
		return err_set(err, "out of memory");
	host = strchr(port, '@');
	if (host == NULL || host[1] == '\0')
		return err_set(err, "no host in '%s'; write port@host, such as inet:8891@127.0.0.1",
			listen->text);
	*host++ = '\0';
	if (!parse_port(port, &listen->port))
		return err_set(err, "'%s' is no port; write 1 to 65535", port);
	if (listen->family == LISTEN_INET6)
		host = strip_brackets(host);
	if (!is_host(host) && !(listen->family == LISTEN_INET6 && is_ipv6(host)))
		return err_set(err,
			"'%s' is no host name or address for '%s'; an IPv6 address needs "
			"inet6:port@address",
			host, listen->text);
	listen->host = pool_text(pool, host);
	listen->path = pool_text(pool, "");
	if (listen->host == NULL || listen->path == NULL)
		return err_set(err, "out of memory");
	return 0;
}

int listen_parse(
	const char *text, struct strlist *pool, struct listen_setting *ret_listen, struct err *err)
{
	struct listen_setting listen = { .text = pool_text(pool, text) };
	struct cursor cursor = cursor_over(text, strlen(text));
	int result;

	if (listen.text == NULL)
		return err_set(err, "out of memory");
	if (cursor_literal(&cursor, "unix:") || cursor_literal(&cursor, "local:")) {
		result = listen_unix(cursor.at, pool, &listen, err);
	} else if (cursor_literal(&cursor, "inet:")) {
		listen.family = LISTEN_INET;
		result = listen_inet(cursor.at, pool, &listen, err);
	} else if (cursor_literal(&cursor, "inet6:")) {
		listen.family = LISTEN_INET6;
		result = listen_inet(cursor.at, pool, &listen, err);
	} else {
		return err_set(err,
			"'%s' is no socket; write unix:/path, inet:port@host or "
			"inet6:port@host",
			text);
	}
	if (result == 0)
		*ret_listen = listen;
	return result;
}

int http_address_parse(const char *text, struct sockaddr_storage *ret_address,
	socklen_t *ret_length, struct err *err)
{
	AUTO(string_free) char *host = strdup(text);
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)ret_address;
	char *colon = host == NULL ? NULL : strrchr(host, ':');
	uint16_t port;

	memset(ret_address, 0, sizeof(*ret_address));
	if (colon == NULL || !parse_port(colon + 1, &port))
		return err_set(err, "'%s' has no port; write one such as 127.0.0.1:9885", text);
	*colon = '\0';
	if (inet_pton(AF_INET, host, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		*ret_length = sizeof(*ipv4);
	} else if (host[0] == '[' &&
		inet_pton(AF_INET6, strip_brackets(host), &ipv6->sin6_addr) == 1) {
		ipv6->sin6_family = AF_INET6;
		ipv6->sin6_port = htons(port);
		*ret_length = sizeof(*ipv6);
	} else {
		return err_set(err,
			"'%s' holds no address; write one such as 127.0.0.1:9885 or [::1]:9885",
			text);
	}
	return 0;
}

/* `host[:port]`, brackets around IPv6; cuts `text` in place. Port 0: none given. */
static bool split_host_port(char *text, char **ret_host, uint16_t *ret_port)
{
	char *behind = text;
	bool bracketed = text[0] == '[';

	if (bracketed) {
		behind = strchr(text, ']');
		if (behind == NULL)
			return false;
		*behind++ = '\0';
		text++;
	} else {
		behind += strcspn(behind, ":");
	}
	*ret_port = 0;
	if (*behind == ':') {
		*behind = '\0';
		if (!parse_port(behind + 1, ret_port))
			return false;
	} else if (*behind != '\0') {
		return false;
	}
	*ret_host = text;
	return bracketed ? is_ipv6(text) : is_host(text);
}

static bool is_url_path(const char *path)
{
	for (; *path != '\0'; path++)
		if (*path <= 0x20 || *path > 0x7e || *path == '?' || *path == '#')
			return false;
	return true;
}

/* What stands behind `scheme://`. */
static int server_inet(const char *rest, bool takes_path, struct strlist *pool,
	struct server_setting *server, struct err *err)
{
	AUTO(string_free) char *copy = strdup(rest);
	char *slash, *host;

	if (copy == NULL)
		return err_set(err, "out of memory");
	slash = strchr(copy, '/');
	if (slash != NULL && (!takes_path || !is_url_path(slash)))
		return err_set(
			err, "'%s': nothing can follow the port; remove '%s'", server->text, slash);
	server->path = pool_text(pool, slash == NULL || slash[1] == '\0' ? "" : slash);
	if (slash != NULL)
		*slash = '\0';
	if (!split_host_port(copy, &host, &server->port))
		return err_set(err,
			"'%s' has no good host and port; write host:port, IPv6 addresses "
			"in brackets",
			server->text);
	server->host = pool_text(pool, host);
	if (server->host == NULL || server->path == NULL)
		return err_set(err, "out of memory");
	return 0;
}

static int server_unix(
	const char *path, struct strlist *pool, struct server_setting *server, struct err *err)
{
	if (socket_path_check(path, err) < 0)
		return -1;
	server->transport = TRANSPORT_UNIX;
	server->host = pool_text(pool, path);
	server->path = pool_text(pool, "");
	if (server->host == NULL || server->path == NULL)
		return err_set(err, "out of memory");
	return 0;
}

static const struct scheme {
	const char *prefix;
	enum server_transport transport;
	bool http;
} schemes[] = {
	{ "tcp://", TRANSPORT_TCP, false },
	{ "tls://", TRANSPORT_TLS, false },
	{ "http://", TRANSPORT_TCP, true },
	{ "https://", TRANSPORT_TLS, true },
};

static const struct scheme *scheme_of(const char *text)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
			return &schemes[i];
	return NULL;
}

int server_parse(
	const char *text, struct strlist *pool, struct server_setting *ret_server, struct err *err)
{
	struct server_setting server = { .text = pool_text(pool, text) };
	const struct scheme *scheme = scheme_of(text);
	int result;

	if (server.text == NULL)
		return err_set(err, "out of memory");
	if (strncmp(text, "unix:", 5) == 0) {
		result = server_unix(text + 5, pool, &server, err);
	} else if (scheme != NULL) {
		server.transport = scheme->transport;
		result = server_inet(
			text + strlen(scheme->prefix), scheme->http, pool, &server, err);
	} else {
		return err_set(err,
			"'%s' is no server; write unix:/path, tcp://host:port or "
			"tls://host:port, or http://host:port or https://host:port",
			text);
	}
	if (result == 0)
		*ret_server = server;
	return result;
}

int server_resolve(struct server_setting *server, enum scorer_protocol protocol, struct err *err)
{
	const struct scheme *scheme = scheme_of(server->text);
	bool http = protocol != SCORER_SPAMD;

	if (scheme == NULL)
		return 0;
	if (scheme->http != http)
		return err_set(err, "'%s' does not fit the protocol; write %s", server->text,
			http ? "http://host:port, https://host:port or unix:/path" :
			       "unix:/path, tcp://host:port or tls://host:port");
	if (server->port != 0)
		return 0;
	if (protocol == SCORER_SPAMD)
		server->port = 783;
	else if (server->transport == TRANSPORT_TLS)
		server->port = 443;
	else
		server->port = protocol == SCORER_RSPAMD ? 11333 : 80;
	return 0;
}

int server_list_add(
	struct server_list *list, const char *text, struct strlist *pool, struct err *err)
{
	struct server_setting server, *items;

	if (server_parse(text, pool, &server, err) < 0)
		return -1;
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].text, text) == 0)
			return err_set(err, "'%s' stands there twice; remove one", text);
	if (list->count >= LIMIT_SERVERS)
		return err_set(
			err, "more than %d servers; make several scorers of them", LIMIT_SERVERS);
	items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (items == NULL)
		return err_set(err, "out of memory");
	list->items = items;
	items[list->count++] = server;
	return 0;
}
