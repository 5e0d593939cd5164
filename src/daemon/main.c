/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's command line, start, life and end. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "config.h"
#include "config/settings.h"
#include "daemon/control.h"
#include "daemon/gate.h"
#include "daemon/http.h"
#include "daemon/memory.h"
#include "daemon/milter.h"
#include "daemon/process.h"
#include "daemon/runtime.h"
#include "daemon/socket.h"
#include "daemon/threads.h"
#include "daemon/upkeep.h"

#define DEFAULT_CONFIG SYSCONFDIR "/spambridge.conf"

/* How long a stop waits beyond the deadline of a message that is under way, milliseconds. */
#define STOP_GRACE_MS 500

/* Exit codes (spambridge(8)). */
#define EXIT_REFUSED 1
#define EXIT_USAGE   2

struct options {
	const char *config;
	bool test_only;
};

static const char usage[] = "usage: spambridge [-c FILE] [-t] [-V]\n"
			    "  -c FILE  read this configuration (default: " DEFAULT_CONFIG ")\n"
			    "  -t       check the configuration and exit\n"
			    "  -V       print the version and exit\n";

/* Set by the signal handler, read by the main thread, which it wakes. */
static volatile sig_atomic_t stop_wanted, reload_wanted;
static int signal_fd = -1;

static void on_signal(int number)
{
	const uint64_t one = 1;
	int errnum = errno;

	if (number == SIGTERM || number == SIGINT)
		stop_wanted = 1;
	else
		reload_wanted = 1;
	(void)!write(signal_fd, &one, sizeof(one));
	errno = errnum;
}

/*
 * The main thread takes all signals. libmilter blocks SIGTERM, SIGINT and SIGHUP in the thread
 * that runs its main loop and waits for them in one of its own, where each would end the
 * callbacks that are running; the kernel prefers the main thread, which does not block them.
 */
static int catch_signals(struct err *err)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signal_fd < 0)
		return err_set_errno(err, errno, "cannot make an eventfd");
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
	return 0;
}

/* Returns -1 to go on, or an exit code. */
static int read_options(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt(argc, argv, "c:tV")) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 't':
			options->test_only = true;
			break;
		case 'V':
			puts("spambridge " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "spambridge: unexpected argument \"%s\"\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	return -1;
}

static struct settings *load(const char *path)
{
	struct strlist errors = { 0 };
	struct settings *settings = settings_load(path, &errors);

	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.items[i]);
	if (settings == NULL && errors.count == 0)
		fprintf(stderr, "spambridge: %s: out of memory\n", path);
	strlist_free(&errors);
	return settings;
}

static int open_socket(const struct settings *settings, struct err *err)
{
	struct socket_making making;
	int result;

	if (socket_prepare(settings, &making, err) != 0)
		return -1;
	result = milter_open(settings, err);
	if (result == 0)
		return socket_finish(settings, &making, err);
	(void)socket_finish(settings, &making, NULL);
	return -1;
}

static int start(struct settings *settings, struct err *err)
{
	memory_start();
	log_setup("spambridge", settings->log, settings->log_level);
	if (process_raise_descriptors(settings, err) != 0 || http_open(settings, err) != 0 ||
		open_socket(settings, err) != 0)
		return -1;
	if (process_drop_privileges(settings, err) != 0 || catch_signals(err) != 0)
		return -1;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, "libcurl does not start");
	if (log_start(err) != 0 || runtime_start(settings, err) != 0)
		return -1;
	if (upkeep_start(err) != 0 || control_start(settings, err) != 0 || http_start(err) != 0)
		return -1;
	if (threads_start(err) != 0)
		return -1;
	if (milter_start(err) != 0 || gate_start(&settings->listen, err) != 0)
		return -1;
	log_info(NULL, "version " PACKAGE_VERSION " listens on %s", settings->listen.text);
	process_notify_ready();
	return 0;
}

static void reload(void)
{
	struct strlist errors = { 0 };

	(void)control_reload(&errors);
	strlist_free(&errors);
}

/* Wait for signals until it is time to stop. */
static void live(void)
{
	struct pollfd set = { .fd = signal_fd, .events = POLLIN };
	long watchdog_ms = process_watchdog_ms();
	uint64_t counter;

	while (!stop_wanted && !milter_ended()) {
		(void)poll(
			&set, 1, watchdog_ms > 0 && watchdog_ms < 1000 ? (int)watchdog_ms : 1000);
		(void)!read(signal_fd, &counter, sizeof(counter));
		if (watchdog_ms > 0)
			process_notify_watchdog();
		milter_say_repeated(false);
		memory_tidy();
		if (reload_wanted) {
			reload_wanted = 0;
			reload();
		}
	}
}

/* What was counted and not said yet. */
static void say_last_counts(void)
{
	struct pool *pool = runtime_pool();

	(void)pool_say_repeated(pool, true);
	milter_say_repeated(true);
	pool_free(&pool);
}

/* Answer what is under way, then end. Returns the exit code. */
static int stop(const struct settings *settings)
{
	struct deadline until = deadline_after_ms(settings->deadline_ms + STOP_GRACE_MS);
	bool asked = stop_wanted;

	process_notify_stopping();
	/* Clients go on with what they began; the last answer leaves time for its own way out. */
	runtime_stop_begin(deadline_after_ms(settings->deadline_ms));
	log_info(NULL, "stopping, %u messages are under way", runtime_messages());
	if (!runtime_wait_idle(until))
		log_warn(NULL, "%u messages were not complete: their senders will try again",
			runtime_messages());
	milter_stop(STOP_GRACE_MS);
	socket_remove(settings);
	control_stop(settings);
	say_last_counts();
	log_info(NULL, "stopped");
	log_stop(STOP_GRACE_MS);
	return asked ? EXIT_SUCCESS : EXIT_REFUSED;
}

int main(int argc, char **argv)
{
	struct options options = { .config = DEFAULT_CONFIG };
	struct err err = ERR_INIT;
	static struct settings *settings; /* threads look at it until the process is gone */
	int code = read_options(argc, argv, &options);

	if (code >= 0)
		return code;
	settings = load(options.config);
	if (settings == NULL)
		return EXIT_REFUSED;
	if (options.test_only) {
		printf("%s: good\n", options.config);
		settings_free(&settings);
		return EXIT_SUCCESS;
	}
	if (start(settings, &err) == 0) {
		live();
		code = stop(settings);
	} else {
		log_err(NULL, "%s", err.text);
		log_stop(STOP_GRACE_MS);
		code = EXIT_REFUSED;
	}
	/* Threads, also of a start that failed, may still look at what exit() would tear down. */
	fflush(NULL);
	_exit(code);
}
