/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - text that is UTF-8, and text that should be. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True for well-formed UTF-8 (no overlong forms, surrogates, or beyond U+10FFFF). */
bool beam_utf8_valid(const void *text, size_t len);
/* Makes it so, with a '?' for each byte that is in the way: protobuf's readers refuse a message
 * whose strings are no UTF-8, and words may quote anything or be cut within a character. */
void beam_utf8_mend(char *text);

#endif
