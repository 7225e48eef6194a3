/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A table of words and how often each was seen. */
#ifndef BENCH_HANDWRITTEN_WORDS_H
#define BENCH_HANDWRITTEN_WORDS_H

#include "handwritten.h"

#include <stdio.h>

/* Bytes before and behind a word that must be readable. */
enum { HW_WORD_MARGIN = 64 };

typedef struct hw_words hw_words;

hw_words *hw_words_new(void);

/* Counts every word of [text, text + length), where space and newline separate words. */
void hw_words_scan(hw_words *words, const char *text, size_t length);

void hw_words_merge(hw_words *into, const hw_words *from);

/* Writes a line "word: count" for each and returns how many words there are. */
hw_checksum hw_words_print(const hw_words *words, FILE *file);

#endif
