/* SPDX-License-Identifier: BSD-2-Clause */
/* For unit tests: a configuration in a temporary directory, loaded from text. */
#ifndef SPAMBRIDGE_TESTS_CONFIG_FILE_H
#define SPAMBRIDGE_TESTS_CONFIG_FILE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "config/settings.h"

/* A scorer, without which no configuration is good; one line. */
#define SCORER_LINE "scorer \"sa\" { servers = { \"tcp://127.0.0.1:783\" } }\n"

struct config_file {
	char directory[64];
	char path[128];  /* of the configuration */
	char table[128]; /* of a domain table */
};

/* Make an empty directory; the files in it do not exist yet. */
static inline void config_file_begin(struct config_file *file)
{
	const char *base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";

	snprintf(file->directory, sizeof(file->directory), "%.40s/sb-test-XXXXXX", base);
	if (mkdtemp(file->directory) == NULL)
		abort();
	snprintf(file->path, sizeof(file->path), "%s/spambridge.conf", file->directory);
	snprintf(file->table, sizeof(file->table), "%s/domains", file->directory);
}

static inline void config_file_end(struct config_file *file)
{
	unlink(file->path);
	unlink(file->table);
	rmdir(file->directory);
}

static inline void write_file(const char *path, const char *text, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || io_write_all(fd, text, length) != 0 || close(fd) != 0)
		abort();
}

/* Write the text and load it. */
static inline struct settings *load_text(
	const struct config_file *file, const char *text, struct strlist *errors)
{
	write_file(file->path, text, strlen(text));
	return settings_load(file->path, errors);
}

/* The errors as one text, the directory left out: "spambridge.conf:3: ...\n". */
static inline void errors_text(
	const struct config_file *file, const struct strlist *errors, struct buf *out)
{
	size_t skip = strlen(file->directory) + 1;

	for (size_t i = 0; i < errors->count; i++)
		buf_printf(out, "%s\n", errors->items[i] + skip);
}

#endif
