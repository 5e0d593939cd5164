/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail filter on libmilter that does nothing: what the library costs by itself. It adds the
 * three fields that every filter of this kind adds, and so takes what that costs for granted.
 *
 *   empty_filter -l ADDRESS [-n] [-d SPAMD -s BYTES]
 *
 * -n negotiates that no step but the last is answered (SMFIP_NR_*), as spambridge does; -d has the
 * bare dialogue with spamd at the end of each message, blocking: the least that a filter for
 * spamd can do on this library. ADDRESS is one of libmilter's, SPAMD one of net.h.
 */
#include <libmilter/mfapi.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"
#include "net.h"

#define SILENCE                                                                         \
	(SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR | \
		SMFIP_NR_BODY)

static bool silent;
static const char *spamd;
static struct buf request;

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long steps,
	unsigned long unused2, unsigned long unused3, unsigned long *ret_actions,
	unsigned long *ret_steps, unsigned long *ret_unused2, unsigned long *ret_unused3)
{
	(void)context;
	(void)unused2;
	(void)unused3;
	*ret_actions = actions & SMFIF_ADDHDRS;
	*ret_steps = steps & (SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_NOEOH);
	if (silent)
		*ret_steps |= steps & SILENCE;
	*ret_unused2 = *ret_unused3 = 0;
	return SMFIS_CONTINUE;
}

static sfsistat go_on(void)
{
	return silent ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
	(void)context;
	(void)host;
	(void)address;
	return go_on();
}

static sfsistat on_helo(SMFICTX *context, char *name)
{
	(void)context;
	(void)name;
	return go_on();
}

static sfsistat on_envelope(SMFICTX *context, char **argv)
{
	(void)context;
	(void)argv;
	return go_on();
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
	(void)context;
	(void)name;
	(void)value;
	return go_on();
}

static sfsistat on_body(SMFICTX *context, unsigned char *bytes, size_t length)
{
	(void)context;
	(void)bytes;
	(void)length;
	return go_on();
}

/* Wait for the socket without a limit: the stand-in answers always. */
static void await(int fd, short events)
{
	struct pollfd set = { .fd = fd, .events = events };

	(void)poll(&set, 1, -1);
}

static void ask_spamd(void)
{
	char reply[16384];
	size_t sent = 0;
	ssize_t got = 1;
	int fd = net_connect(spamd);

	while (fd >= 0 && sent < request.length) {
		ssize_t now = send(fd, request.data + sent, request.length - sent, MSG_NOSIGNAL);

		if (now > 0)
			sent += (size_t)now;
		else
			await(fd, POLLOUT);
	}
	(void)shutdown(fd, SHUT_WR);
	while (fd >= 0 && got != 0) {
		await(fd, POLLIN);
		got = recv(fd, reply, sizeof(reply), 0);
	}
	close(fd);
}

static sfsistat on_end(SMFICTX *context)
{
	static const char *const fields[][2] = {
		{ "X-Spam-Status", " No, score=1.3 required=5.0 tests=NONE" },
		{ "X-Spam-Level", " *" },
		{ "X-Spam-Checker-Version", " none" },
	};

	if (spamd != NULL)
		ask_spamd();
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		(void)smfi_insheader(context, 1, (char *)fields[i][0], (char *)fields[i][1]);
	return SMFIS_CONTINUE;
}

static void register_filter(const char *address)
{
	struct smfiDesc description = {
		.xxfi_name = (char *)"empty",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_envelope,
		.xxfi_envrcpt = on_envelope,
		.xxfi_header = on_header,
		.xxfi_body = on_body,
		.xxfi_eom = on_end,
		.xxfi_negotiate = on_negotiate,
	};

	if (smfi_register(description) != MI_SUCCESS ||
		smfi_setconn((char *)address) != MI_SUCCESS || smfi_opensocket(0) != MI_SUCCESS)
		die("libmilter does not listen");
}

int main(int argc, char **argv)
{
	const char *address = NULL;
	int option;

	while ((option = getopt(argc, argv, "l:nd:s:")) != -1)
		switch (option) {
		case 'l':
			address = optarg;
			break;
		case 'n':
			silent = true;
			break;
		case 'd':
			spamd = optarg;
			break;
		case 's':
			buf_init(&request, SIZE_MAX / 2);
			message_put_request(&request, (size_t)option_number(optarg, 1));
			break;
		default:
			exit(2);
		}
	if (address == NULL)
		die("usage: empty_filter -l ADDRESS [-n] [-d SPAMD -s BYTES]");
	register_filter(address);
	printf("ready\n");
	fflush(stdout);
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
