/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* options.h - command lines: tables of options, what was given of them, and what is made of the
 * tables for people: help, manual pages, completion in shells (help.c). */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <beam/app.h>

typedef struct beam_option_group {
    const char *title;
    const beam_option *options;
    size_t n_options;
} beam_option_group;

enum { BEAM_COMMAND_GROUPS = 5 };

/* A program, or one verb of a program. */
typedef struct beam_command {
    const char *name;     /* "wordcount", "beam copy" */
    const char *about;    /* a sentence or two; may be NULL */
    const char *operands; /* "FROM TO", "RESULT..." or "[NAME...]"; NULL: it takes none */
    beam_option_group groups[BEAM_COMMAND_GROUPS]; /* the last ones may be empty */
} beam_command;

/* The program's own options and those that every program has. */
beam_command beam_app_command(const beam_app *app);
/* Whether it is one that the direct runner has no use for: of engines, or of Dataflow, and not the
 * program's own. */
bool beam_app_option_is_of_engines(const beam_app *app, const char *name);

/* The option that every command has. */
#define BEAM_HELP_OPTION                                                                   \
    {                                                                                      \
        "help", "man|bash|zsh", NULL,                                                      \
            "print this and stop; =man: a manual page; =bash, =zsh: what the shell loads " \
            "to complete options",                                                         \
            false                                                                          \
    }

/* What --help was given for: --help, --help=man, --help=bash, --help=zsh. */
typedef enum beam_help {
    BEAM_NO_HELP,
    BEAM_HELP_TEXT,
    BEAM_HELP_MAN,
    BEAM_HELP_BASH,
    BEAM_HELP_ZSH
} beam_help;

/* Reads argv; command and values are borrowed.  BEAM_INVALID_ARGUMENT says what is wrong and,
 * for an unknown option, which known one is nearest; with *help there are no args. */
beam_status beam_args_parse(int argc, char **argv, const beam_command *command, beam_args **args,
                            beam_help *help, beam_error *err);
void beam_args_free(beam_args *args);
/* All values of an option that may be given more than once (--resource_hints). */
const char *beam_args_next(const beam_args *args, const char *name, size_t *at);
/* What is no option. */
size_t beam_args_operands(const beam_args *args);
const char *beam_args_operand(const beam_args *args, size_t index);

/* Everything that the command line gave, in its order; returns how many that is.  `values` is
 * NULL, or has room for them. */
size_t beam_args_all(const beam_args *args, beam_named_value *values);

/* Prints a command's help, manual page or completion; with `verbs` those of all of them too (a
 * completion then is for the command's name followed by a verb's). */
void beam_help_print(beam_help help, const beam_command *command, const beam_command *const *verbs,
                     size_t n_verbs);

/* What was printed must have got where it was to go, as on a full disk it does not. */
beam_status beam_flush_output(beam_error *err);

/* "500MB", "2GiB", "1000" to bytes. */
beam_status beam_parse_bytes(const char *text, uint64_t *bytes, beam_error *err);

#endif
