/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A text to count the words of. */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include <stdint.h>

/* The path of a text of exactly so many bytes in the cache folder, written if it is not there yet.
 * The same text on every machine: 100,000 words, the n-th as frequent as 1/(n+2), lines of some 60
 * to 80 bytes, one space between words, a newline at the end.  The caller frees the path. */
char *bench_text_file(uint64_t bytes);

#endif
