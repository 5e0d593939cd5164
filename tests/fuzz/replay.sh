#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs every fuzz target over its corpus and simple mutations of it, in the build directory.
set -eu
corpus=$(cd "$(dirname "$0")" && pwd)/corpus
for directory in "$corpus"/*/; do
	name=$(basename "$directory")
	printf '%s: ' "$name"
	case $name in
	callbacks | http_reply) "tests/fuzz/fuzz_$name" -31 "$directory" ;;
	*) "tests/fuzz/fuzz_$name" "$directory" ;;
	esac
done
