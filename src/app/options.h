/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line: the program's options and the common ones, read and checked. */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <beam/app.h>

/* Reads argv; the values are borrowed from it.  BEAM_INVALID_ARGUMENT says what is wrong and,
 * for an unknown option, which known one is nearest.  *help: --help was given. */
beam_status beam_args_parse(int argc, char **argv, const beam_app *app, beam_args **args,
                            bool *help, beam_error *err);
void beam_args_free(beam_args *args);
/* All values of an option that may be given more than once (--resource_hints). */
const char *beam_args_next(const beam_args *args, const char *name, size_t *at);

/* Everything that the command line gave, in its order; returns how many that is.  `values` is
 * NULL, or has room for them. */
size_t beam_args_all(const beam_args *args, beam_named_value *values);

void beam_print_help(const beam_app *app);

/* "500MB", "2GiB", "1000" to bytes. */
beam_status beam_parse_bytes(const char *text, uint64_t *bytes, beam_error *err);

#endif
