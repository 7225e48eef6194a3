/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

/* ---- Parsing ------------------------------------------------------------------------------ */

typedef struct given {
    const beam_option *option;
    const char *value; /* flags: "true" or "false" */
} given;

struct beam_args {
    const beam_command *command;
    given *given; /* in their order; an operand has no option */
    size_t n, capacity;
};

static const beam_option *find_in(const beam_option *options, size_t n, const char *name,
                                  size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static const beam_option *find_option(const beam_command *command, const char *name, size_t len)
{
    const beam_option *found = NULL;
    for (size_t g = 0; !found && g < BEAM_COMMAND_GROUPS; g++)
        found = find_in(command->groups[g].options, command->groups[g].n_options, name, len);
    return found;
}

/* Insertions, deletions and substitutions from a to b (Levenshtein, 1965). */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    size_t row[64], b_len = strlen(b);
    if (a_len >= 64 || b_len >= 63)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 0; i < a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_len; j++) {
            size_t best = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (diagonal + 1 < best)
                best = diagonal + 1;
            row[j + 1] = best;
        }
    }
    return row[b_len];
}

static void nearest_in(const beam_option *options, size_t n, const char *name, size_t len,
                       const char **best, size_t *least)
{
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(name, len, options[i].name);
        if (d < *least) {
            *least = d;
            *best = options[i].name;
        }
    }
}

static beam_status unknown_option(const beam_command *command, const char *name, size_t len,
                                  beam_error *err)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t g = 0; g < BEAM_COMMAND_GROUPS; g++)
        nearest_in(command->groups[g].options, command->groups[g].n_options, name, len, &best,
                   &least);
    if (best && least <= 1 + len / 3)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "unknown option --%.*s; did you mean --%s?", (int)len, name, best);
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "unknown option --%.*s; --help lists those there are%s%s", (int)len, name,
                          best ? ", the nearest being --" : "", best ? best : "");
}

/* Whether `value` is what a choice such as pjrt:PATH stands for. */
static bool starts_as(const char *value, const char *choice)
{
    size_t key = strcspn(choice, ":|");
    return choice[key] == ':' && strncmp(value, choice, key + 1) == 0 && value[key + 1];
}

static bool one_of(const char *value, const char *choices)
{
    size_t len = strlen(value);
    for (const char *at = choices; at;) {
        const char *end = strchr(at, '|');
        size_t n = end ? (size_t)(end - at) : strlen(at);
        if ((n == len && strncmp(at, value, n) == 0) || starts_as(value, at))
            return true;
        at = end ? end + 1 : NULL;
    }
    return false;
}

/* Whether one of the choices is all capitals, as DIR in "cifar10|digits|DIR": it stands for
 * anything. */
static bool is_open(const char *choices)
{
    for (const char *at = choices; at; at = strchr(at, '|')) {
        at += *at == '|';
        size_t n = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (n && (at[n] == '|' || !at[n]))
            return true;
    }
    return false;
}

/* The values that whole numbers are declared by. */
typedef struct whole_number {
    const char *value;
    long long least;
    const char *words;
} whole_number;

static const whole_number *find_whole_number(const char *value)
{
    static const whole_number all[] = {
        {"N", 0, "not negative"}, {"N>0", 1, "above 0"}, {"N>=-1", -1, "not below -1"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].value, value) == 0)
            return &all[i];
    return NULL;
}

static beam_status check_value(const beam_option *option, const char *value, beam_error *err)
{
    char *end = NULL;
    errno = 0;
    bool positive = strcmp(option->value + strcspn(option->value, ">"), ">0") == 0;
    const whole_number *whole = find_whole_number(option->value);
    if (whole) {
        long long n = strtoll(value, &end, 10);
        if (end == value || *end || errno || n < whole->least)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "--%s=%s: expected a whole number that is %s", option->name,
                                  value, whole->words);
    } else if (strcmp(option->value, "X") == 0 || strcmp(option->value, "X>0") == 0) {
        double x = strtod(value, &end);
        if (end == value || *end || errno || !isfinite(x) || (positive && x <= 0))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "--%s=%s: expected a number%s",
                                  option->name, value, positive ? " above 0" : "");
    } else if (strchr(option->value, '|') && !is_open(option->value) &&
               !one_of(value, option->value)) {
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "--%s=%s: expected one of %s",
                              option->name, value, option->value);
    }
    return BEAM_OK;
}

static beam_status add(beam_args *args, const beam_option *option, const char *value,
                       beam_error *err)
{
    void *items = args->given;
    int grown = beam_grow(&items, &args->capacity, args->n + 1, sizeof *args->given);
    args->given = items;
    if (grown != 0)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    args->given[args->n++] = (given){option, value};
    return BEAM_OK;
}

static beam_status parse_one(beam_args *args, int argc, char **argv, int *i, beam_error *err)
{
    const char *arg = argv[*i];
    bool operand = strncmp(arg, "--", 2) != 0 || !arg[2];
    if (operand && args->command->operands && (arg[0] != '-' || !arg[1]))
        return add(args, NULL, arg, err);
    if (operand)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "unexpected argument '%s'; options begin with --", arg);
    const char *name = arg + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const beam_option *option = find_option(args->command, name, len);
    bool negated = false;
    if (!option && strncmp(name, "no-", 3) == 0) {
        option = find_option(args->command, name + 3, len - 3);
        negated = option && !option->value;
        option = negated ? option : NULL;
    }
    if (!option)
        return unknown_option(args->command, name, len, err);
    if (!option->value) {
        if (equals && strcasecmp(equals + 1, "true") != 0 && strcasecmp(equals + 1, "false") != 0)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "--%s is a flag and takes no value",
                                  option->name);
        bool on = !equals || strcasecmp(equals + 1, "true") == 0;
        return add(args, option, on != negated ? "true" : "false", err);
    }
    if (!equals && (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "--%s needs a value: --%s=%s",
                              option->name, option->name, option->value);
    const char *value = equals ? equals + 1 : argv[++*i];
    BEAM_TRY(check_value(option, value, err));
    return add(args, option, value, err);
}

static beam_status parse_help(const char *arg, beam_help *help, beam_error *err)
{
    static const char *const formats[] = {
        [BEAM_HELP_MAN] = "man", [BEAM_HELP_BASH] = "bash", [BEAM_HELP_ZSH] = "zsh"};
    *help = BEAM_NO_HELP;
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
        *help = BEAM_HELP_TEXT;
    if (strncmp(arg, "--help=", 7) != 0)
        return BEAM_OK;
    for (beam_help i = BEAM_HELP_MAN; i <= BEAM_HELP_ZSH; i++)
        if (strcmp(arg + 7, formats[i]) == 0)
            *help = i;
    return *help ? BEAM_OK
                 : beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s: expected man, bash or zsh", arg);
}

static beam_status check_required(const beam_args *args, beam_error *err)
{
    for (size_t g = 0; g < BEAM_COMMAND_GROUPS; g++)
        for (size_t i = 0; i < args->command->groups[g].n_options; i++) {
            const beam_option *option = &args->command->groups[g].options[i];
            if (option->required && !beam_args_given(args, option->name))
                return beam_error_set(err, BEAM_INVALID_ARGUMENT, "--%s=%s must be given: %s",
                                      option->name, option->value, option->help);
        }
    return BEAM_OK;
}

beam_status beam_args_parse(int argc, char **argv, const beam_command *command, beam_args **out,
                            beam_help *help, beam_error *err)
{
    *out = NULL;
    *help = BEAM_NO_HELP;
    beam_args *args = beam_calloc(1, sizeof *args);
    if (!args)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    args->command = command;
    beam_status status = BEAM_OK;
    for (int i = 1; i < argc && status == BEAM_OK && !*help; i++) {
        status = parse_help(argv[i], help, err);
        if (status == BEAM_OK && !*help)
            status = parse_one(args, argc, argv, &i, err);
    }
    if (status == BEAM_OK && !*help)
        status = check_required(args, err);
    if (status != BEAM_OK || *help) {
        beam_args_free(args);
        return status;
    }
    *out = args;
    return BEAM_OK;
}

void beam_args_free(beam_args *args)
{
    if (args)
        beam_free(args->given);
    beam_free(args);
}

/* ---- Access -------------------------------------------------------------------------------- */

const char *beam_args_next(const beam_args *args, const char *name, size_t *at)
{
    while (*at < args->n) {
        const given *g = &args->given[(*at)++];
        if (g->option && strcmp(g->option->name, name) == 0)
            return g->value;
    }
    return NULL;
}

/* The last one given counts. */
static const char *last_given(const beam_args *args, const char *name)
{
    const char *value = NULL, *next;
    for (size_t at = 0; (next = beam_args_next(args, name, &at));)
        value = next;
    return value;
}

const char *beam_args_operand(const beam_args *args, size_t index)
{
    for (size_t i = 0; i < args->n; i++)
        if (!args->given[i].option && index-- == 0)
            return args->given[i].value;
    return NULL;
}

size_t beam_args_operands(const beam_args *args)
{
    size_t n = 0;
    for (size_t i = 0; i < args->n; i++)
        n += !args->given[i].option;
    return n;
}

size_t beam_args_all(const beam_args *args, beam_named_value *values)
{
    size_t n = 0;
    for (size_t i = 0; i < args->n; i++) {
        if (values && args->given[i].option)
            values[n] = (beam_named_value){args->given[i].option->name, args->given[i].value};
        n += args->given[i].option != NULL;
    }
    return n;
}

bool beam_args_given(const beam_args *args, const char *name)
{
    return last_given(args, name) != NULL;
}

const char *beam_args_str(const beam_args *args, const char *name)
{
    const char *value = last_given(args, name);
    if (value)
        return value;
    const beam_option *option = find_option(args->command, name, strlen(name));
    if (!option)
        BEAM_LOG(NULL, BEAM_LOG_ERROR, "the program asks for an option '%s' it did not declare",
                 name);
    return option ? option->default_value : NULL;
}

int64_t beam_args_int(const beam_args *args, const char *name)
{
    const char *value = beam_args_str(args, name);
    return value ? strtoll(value, NULL, 10) : 0;
}

double beam_args_double(const beam_args *args, const char *name)
{
    const char *value = beam_args_str(args, name);
    return value ? strtod(value, NULL) : 0;
}

bool beam_args_flag(const beam_args *args, const char *name)
{
    const char *value = beam_args_str(args, name);
    return value && strcmp(value, "true") == 0;
}

beam_status beam_parse_bytes(const char *text, uint64_t *bytes, beam_error *err)
{
    static const struct {
        const char *unit;
        uint64_t size;
    } units[] = {{"", 1},           {"B", 1},           {"KB", 1000},
                 {"MB", 1000000},   {"GB", 1000000000}, {"KiB", 1u << 10},
                 {"MiB", 1u << 20}, {"GiB", 1u << 30},  {"TB", UINT64_C(1000000000000)}};
    char *end;
    errno = 0;
    double n = strtod(text, &end);
    if (end != text && errno == 0 && n >= 0)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (strcasecmp(end, units[i].unit) == 0 && n * (double)units[i].size < 1e18) {
                *bytes = (uint64_t)(n * (double)units[i].size);
                return BEAM_OK;
            }
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "'%s' is no amount of memory; write 500MB, 2GiB or a number of bytes",
                          text);
}
