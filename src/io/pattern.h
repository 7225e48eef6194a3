/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - patterns of paths, alike for all file systems: * and ? match neither a slash nor a
 * dot that begins a name, [a-z] a character, ** anything, {a,b} either. */
#ifndef IO_PATTERN_H
#define IO_PATTERN_H

#include <regex.h>
#include <stdbool.h>

#include <beam/status.h>

/* Of a pattern's {a,b} the patterns without braces that it stands for, one after another.  With
 * `escapes` a backslash takes the next character's meaning away. */
beam_status beam_pattern_each(const char *pattern, bool escapes,
                              beam_status (*visit)(void *user, const char *pattern,
                                                   beam_error *err),
                              void *user, beam_error *err);

/* How much of a pattern without braces is text: up to its first special character. */
size_t beam_pattern_literal(const char *pattern, bool escapes);
/* Whether it has a **, which matches in folders below, too. */
bool beam_pattern_is_deep(const char *pattern, bool escapes);

/* The whole paths that a pattern without braces matches, for regexec; regfree it. */
beam_status beam_pattern_compile(const char *pattern, bool escapes, regex_t *regex,
                                 beam_error *err);

#endif
