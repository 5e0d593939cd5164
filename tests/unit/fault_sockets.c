/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of sockets and of libcurl that fail when a test says so; faults.h has the rest. */
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "faults.h"

/* libcurl's names are macros that check types. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define WRAP(result, name, ...)            \
	result __real_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__)

WRAP(int, socket, int family, int type, int protocol)
{
	return fault_fails(FAULT_SOCKET) ? -1 : __real_socket(family, type, protocol);
}

/* What is interrupted goes on by itself (connect(2)). */
WRAP(int, connect, int fd, const struct sockaddr *address, socklen_t length)
{
	int error = fault_fails(FAULT_CONNECT);

	if (error == 0)
		return __real_connect(fd, address, length);
	if (error == EINTR)
		(void)__real_connect(fd, address, length);
	errno = error;
	return -1;
}

WRAP(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags)
{
	struct iovec piece = { message->msg_iov->iov_base, 1 };
	const struct msghdr first = { .msg_iov = &piece, .msg_iovlen = 1 };
	int error = fault_fails(FAULT_SENDMSG);

	if (error == FAULT_SHORT)
		return __real_sendmsg(fd, &first, flags);
	return error != 0 ? -1 : __real_sendmsg(fd, message, flags);
}

WRAP(ssize_t, recv, int fd, void *bytes, size_t size, int flags)
{
	int error = fault_fails(FAULT_RECV);

	if (error == FAULT_ENDS)
		return 0;
	return error > 0 ? -1 : __real_recv(fd, bytes, error == FAULT_SHORT ? 1 : size, flags);
}

WRAP(int, poll, struct pollfd *set, nfds_t count, int timeout_ms)
{
	int error = fault_fails(FAULT_POLL);

	for (nfds_t i = 0; error != 0 && i < count; i++)
		set[i].revents = 0;
	if (error == FAULT_ENDS)
		return 0;
	return error != 0 ? -1 : __real_poll(set, count, timeout_ms);
}

WRAP(int, getsockopt, int fd, int level, int option, void *value, socklen_t *length)
{
	return fault_fails(FAULT_GETSOCKOPT) ? -1 :
					       __real_getsockopt(fd, level, option, value, length);
}

WRAP(int, eventfd, unsigned count, int flags)
{
	return fault_fails(FAULT_EVENTFD) ? -1 : __real_eventfd(count, flags);
}

WRAP(CURLM *, curl_multi_init, void)
{
	return fault_fails(FAULT_CURL) ? NULL : __real_curl_multi_init();
}

WRAP(CURL *, curl_easy_init, void)
{
	return fault_fails(FAULT_CURL) ? NULL : __real_curl_easy_init();
}

WRAP(struct curl_slist *, curl_slist_append, struct curl_slist *list, const char *line)
{
	return fault_fails(FAULT_CURL) ? NULL : __real_curl_slist_append(list, line);
}

/* Does libcurl keep a copy of this option's value, or is it asked whether it took it? */
static bool takes_memory(CURLoption option)
{
	return option == CURLOPT_PROXY || option == CURLOPT_PROTOCOLS_STR ||
		option == CURLOPT_UNIX_SOCKET_PATH || option == CURLOPT_CAINFO ||
		option == CURLOPT_SSLCERT || option == CURLOPT_SSLKEY || option == CURLOPT_URL ||
		option == CURLOPT_CONNECT_TO || option == CURLOPT_HTTPHEADER;
}

WRAP(CURLcode, curl_easy_setopt, CURL *easy, CURLoption option, ...)
{
	va_list arguments;
	void *value;

	va_start(arguments, option);
	value = va_arg(arguments, void *);
	va_end(arguments);
	if (takes_memory(option) && fault_fails(FAULT_CURL))
		return CURLE_OUT_OF_MEMORY;
	return __real_curl_easy_setopt(easy, option, value);
}

WRAP(CURLcode, curl_easy_getinfo, CURL *easy, CURLINFO info, ...)
{
	va_list arguments;
	void *value;

	va_start(arguments, info);
	value = va_arg(arguments, void *);
	va_end(arguments);
	return fault_fails(FAULT_CURL) ? CURLE_OUT_OF_MEMORY :
					 __real_curl_easy_getinfo(easy, info, value);
}

WRAP(CURLMcode, curl_multi_add_handle, CURLM *multi, CURL *easy)
{
	return fault_fails(FAULT_CURL) ? CURLM_OUT_OF_MEMORY :
					 __real_curl_multi_add_handle(multi, easy);
}

WRAP(CURLMcode, curl_multi_socket_action, CURLM *multi, curl_socket_t fd, int flags, int *running)
{
	return fault_fails(FAULT_CURL) ? CURLM_OUT_OF_MEMORY :
					 __real_curl_multi_socket_action(multi, fd, flags, running);
}
