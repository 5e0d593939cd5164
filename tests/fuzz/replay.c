/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A main for fuzz targets without a fuzzer: runs each file (or each file of a directory) named on
 * the command line, and simple mutations of each, so that `make check` replays the corpus. With
 * -N in front only every Nth byte is mutated, for targets that take their time.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "target.h"

/* As large as the largest reply that is read. */
#define FILE_MAX (2 * 1024 * 1024)

static unsigned long inputs;
static size_t stride = 1;

static void run(const char *bytes, size_t length)
{
	/* A copy of exactly this size, so that a read behind the end is noticed. */
	uint8_t *copy = malloc(length > 0 ? length : 1);

	if (copy == NULL)
		exit(2);
	if (length > 0)
		memcpy(copy, bytes, length);
	LLVMFuzzerTestOneInput(copy, length);
	free(copy);
	inputs++;
}

/*
 * Every prefix, and every byte replaced by some that mean something. Of a long file only every so
 * many: it is there for its length.
 */
static void run_mutations(struct buf *file)
{
	static const char odd[] = { 0, '\n', '\r', ' ', '"', '{', '[', ':', '%', '\x7f', '\xff' };
	size_t step = stride * (1 + file->length / 1024);

	for (size_t i = 0; i < file->length && i < 2048; i += step) {
		char saved = file->data[i];

		run(file->data, i);
		for (size_t k = 0; k < sizeof(odd); k++) {
			file->data[i] = odd[k];
			run(file->data, file->length);
		}
		file->data[i] = saved;
	}
}

static void run_file(const char *path)
{
	struct err err = ERR_INIT;
	struct buf file;

	buf_init(&file, FILE_MAX);
	if (io_read_file(path, FILE_MAX, &file, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	run(buf_text(&file), file.length);
	run_mutations(&file);
	buf_free(&file);
}

static void run_directory(const char *path, DIR *directory)
{
	struct dirent *entry;
	char name[4096];

	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		run_file(name);
	}
	closedir(directory);
}

int main(int argc, char **argv)
{
	int first = 1;

	if (argc > 1 && argv[1][0] == '-' && argv[1][1] >= '1' && argv[1][1] <= '9')
		stride = strtoul(argv[first++] + 1, NULL, 10);
	for (int i = first; i < argc; i++) {
		DIR *directory = opendir(argv[i]);

		if (directory != NULL)
			run_directory(argv[i], directory);
		else
			run_file(argv[i]);
	}
	printf("%lu inputs\n", inputs);
	return inputs > 0 ? 0 : 2;
}
