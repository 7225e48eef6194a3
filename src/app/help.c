/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* help.c - what is made of a command's table of options: help, a manual page, completion. */
#include <stdio.h>
#include <string.h>

#include "app/options.h"

/* ---- Help ------------------------------------------------------------------------------- */

enum { LEFT = 30, RIGHT = 96 };

/* Goes on in `column` with a text, broken at spaces to lines that begin in column `left`; returns
 * where it ends. */
static size_t print_wrapped(const char *text, size_t left, size_t column)
{
    for (const char *at = text; *at;) {
        size_t word = strcspn(at, " ");
        if (column > left && column + 1 + word > RIGHT) {
            printf("\n%*s", (int)left, "");
            column = left;
        } else if (column > left) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, at);
        column += word;
        at += word + (at[word] == ' ');
    }
    return column;
}

static void print_option(const beam_option *option)
{
    char head[128];
    int n = snprintf(head, sizeof head, "  --%s%s%s", option->name, option->value ? "=" : "",
                     option->value ? option->value : "");
    printf("%s", head);
    if (n >= LEFT - 1)
        printf("\n%*s", LEFT, "");
    else
        printf("%*s", LEFT - n, "");
    size_t column = print_wrapped(option->help, LEFT, LEFT);
    char usual[128] = "(required)";
    if (!option->required)
        usual[0] = '\0';
    if (!option->required && option->default_value)
        snprintf(usual, sizeof usual, "[%s]", option->default_value);
    print_wrapped(usual, LEFT, column);
    putchar('\n');
}

static const char *operands_of(const beam_command *command)
{
    return command->operands ? command->operands : "";
}

static void print_usage(const beam_command *command)
{
    printf("usage: %s [--option=value ...]%s%s\n", command->name, command->operands ? " " : "",
           operands_of(command));
    if (command->about) {
        putchar('\n');
        print_wrapped(command->about, 0, 0);
        putchar('\n');
    }
    for (size_t g = 0; g < BEAM_COMMAND_GROUPS; g++) {
        const beam_option_group *group = &command->groups[g];
        if (group->n_options)
            printf("\n%s:\n", group->title);
        for (size_t i = 0; i < group->n_options; i++)
            print_option(&group->options[i]);
    }
}

static void print_verbs(const beam_command *command, const beam_command *const *verbs, size_t n)
{
    printf("\nVerbs:\n");
    for (size_t i = 0; i < n; i++) {
        printf("  %-*s", LEFT - 2, verbs[i]->name + strlen(command->name) + 1);
        print_wrapped(verbs[i]->about, LEFT, LEFT);
        putchar('\n');
    }
    printf("\n%s VERB --help tells more.\n", command->name);
}

/* ---- Manual page ------------------------------------------------------------------------ */

/* Text for troff: nothing in it is a request, an escape or a hyphen that is no minus. */
static void print_troff(const char *text)
{
    bool line_start = true;
    for (const char *at = text; *at; at++) {
        if (line_start && (*at == '.' || *at == '\''))
            printf("\\&");
        line_start = *at == '\n';
        if (*at == '\\')
            printf("\\e");
        else if (*at == '-')
            printf("\\-");
        else
            putchar(*at);
    }
}

static void print_man_options(const beam_command *command, const char *section)
{
    for (size_t g = 0; g < BEAM_COMMAND_GROUPS; g++) {
        const beam_option_group *group = &command->groups[g];
        if (group->n_options)
            printf(".%s \"%s\"\n", section, group->title);
        for (size_t i = 0; i < group->n_options; i++) {
            const beam_option *option = &group->options[i];
            printf(".TP\n\\fB\\-\\-");
            print_troff(option->name);
            printf("\\fR");
            if (option->value) {
                printf("=\\fI");
                print_troff(option->value);
                printf("\\fR");
            }
            putchar('\n');
            print_troff(option->help);
            if (option->required)
                printf(" (required)");
            if (option->default_value && !option->required) {
                printf(" [");
                print_troff(option->default_value);
                putchar(']');
            }
            putchar('\n');
        }
    }
}

static void print_synopsis(const beam_command *command)
{
    printf("\\fB");
    print_troff(command->name);
    printf("\\fR [\\-\\-option=value ...]%s", command->operands ? " " : "");
    print_troff(operands_of(command));
    putchar('\n');
}

static void print_man(const beam_command *command, const beam_command *const *verbs, size_t n)
{
    printf(".TH \"%s\" 1 \"\" \"libbeam\" \"libbeam\"\n.SH NAME\n", command->name);
    print_troff(command->name);
    printf(" \\- ");
    print_troff(command->about ? command->about : "a pipeline of libbeam");
    printf("\n.SH SYNOPSIS\n");
    print_synopsis(command);
    for (size_t i = 0; i < n; i++) {
        printf(".br\n");
        print_synopsis(verbs[i]);
    }
    printf(".SH OPTIONS\n");
    print_man_options(command, "SS");
    for (size_t i = 0; i < n; i++) {
        printf(".SH \"");
        print_troff(verbs[i]->name);
        printf("\"\n");
        print_troff(verbs[i]->about);
        putchar('\n');
        print_man_options(verbs[i], "SS");
    }
    printf(".SH EXIT STATUS\n0: done; 1: it failed; 2: the command line is wrong; 128 and a "
           "signal's number: it was stopped by that.\n");
}

/* ---- Completion ------------------------------------------------------------------------- */

static bool is_choice(const char *value)
{
    return value && strchr(value, '|');
}

/* The words that a choice such as "auto|cpu|DIR" names, up to a colon: not those in capitals, which
 * stand for something unless the default is one of them. */
static void print_choices(const beam_option *option)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *usual = option->default_value;
    bool all = usual && usual[strspn(usual, capitals)] == '\0';
    for (const char *at = option->value; at; at = strchr(at, '|')) {
        at += *at == '|';
        size_t n = strcspn(at, "|:");
        if (n && (all || strspn(at, capitals) < n))
            printf(" %.*s", (int)n, at);
    }
}

static void print_words(const beam_command *command)
{
    for (size_t g = 0; g < BEAM_COMMAND_GROUPS; g++)
        for (size_t i = 0; i < command->groups[g].n_options; i++)
            printf(" --%s%s", command->groups[g].options[i].name,
                   command->groups[g].options[i].value ? "=" : "");
}

static void print_bash_case(const beam_command *command, const char *verb)
{
    printf("    %s)\n        case $option in\n", verb);
    for (size_t g = 0; g < BEAM_COMMAND_GROUPS; g++)
        for (size_t i = 0; i < command->groups[g].n_options; i++) {
            const beam_option *option = &command->groups[g].options[i];
            if (!is_choice(option->value))
                continue;
            printf("        --%s) words=\"", option->name);
            print_choices(option);
            printf("\" ;;\n");
        }
    printf("        '') words=\"");
    print_words(command);
    printf("\" ;;\n        esac ;;\n");
}

/* Of a program "a-b" the shell's function is _beam_a_b. */
static void print_function(const beam_command *command)
{
    printf("_beam_");
    for (const char *at = command->name; *at; at++)
        putchar(strchr("-. ", *at) ? '_' : *at);
}

static void print_bash(const beam_command *command, const beam_command *const *verbs, size_t n)
{
    size_t skip = strlen(command->name) + 1;
    printf("# Completes the options of %s in bash; made by %s --help=bash.\n", command->name,
           command->name);
    print_function(command);
    printf("() {\n"
           "    local line=${COMP_LINE:0:COMP_POINT} words= option= current verb=\n"
           "    current=${line##*[[:space:]]}\n"
           "    local start=$current\n");
    if (n)
        printf("    [ \"$COMP_CWORD\" -gt 1 ] && verb=${COMP_WORDS[1]}\n");
    printf("    if [[ $current == --*=* ]]; then\n"
           "        option=${current%%%%=*}\n"
           "        start=${current#*=}\n"
           "    elif [[ $current != -* && -n $current ]]; then\n"
           "        option=operand\n"
           "    fi\n"
           "    case $verb in\n");
    for (size_t i = 0; i < n; i++)
        print_bash_case(verbs[i], verbs[i]->name + skip);
    if (n) {
        printf("    '')\n        option=\n        words=\"");
        for (size_t i = 0; i < n; i++)
            printf(" %s", verbs[i]->name + skip);
        print_words(command);
        printf("\" ;;\n");
    } else {
        print_bash_case(command, "''");
    }
    printf("    esac\n"
           "    if [ -n \"$words\" ]; then\n"
           "        COMPREPLY=($(compgen -W \"$words\" -- \"$start\"))\n"
           "    else\n"
           "        COMPREPLY=($(compgen -f -- \"$start\"))\n"
           "    fi\n"
           "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null\n"
           "    return 0\n"
           "}\n"
           "complete -o filenames -F ");
    print_function(command);
    printf(" %s\n", command->name);
}

/* zsh runs bash's completion by itself. */
static void print_zsh(const beam_command *command, const beam_command *const *verbs, size_t n)
{
    printf("#compdef %s\nautoload -U +X bashcompinit && bashcompinit\n", command->name);
    print_bash(command, verbs, n);
}

void beam_help_print(beam_help help, const beam_command *command, const beam_command *const *verbs,
                     size_t n_verbs)
{
    switch (help) {
    case BEAM_HELP_MAN:
        print_man(command, verbs, n_verbs);
        break;
    case BEAM_HELP_BASH:
        print_bash(command, verbs, n_verbs);
        break;
    case BEAM_HELP_ZSH:
        print_zsh(command, verbs, n_verbs);
        break;
    case BEAM_HELP_TEXT:
    case BEAM_NO_HELP:
        print_usage(command);
        if (n_verbs)
            print_verbs(command, verbs, n_verbs);
        break;
    }
}

beam_status beam_flush_output(beam_error *err)
{
    return fflush(stdout) == 0 && !ferror(stdout)
               ? BEAM_OK
               : beam_error_set(err, BEAM_UNKNOWN, "cannot write to standard output");
}
