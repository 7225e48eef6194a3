/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "io/pattern.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"

/* ---- Braces ---------------------------------------------------------------------------------- */

typedef struct expansion {
    const char *whole; /* the pattern that was given */
    bool escapes;
    beam_status (*visit)(void *user, const char *pattern, beam_error *err);
    void *user;
} expansion;

/* Behind the character at `at`, with the backslash before it. */
static const char *next(const char *at, bool escapes)
{
    return at + (escapes && at[0] == '\\' && at[1] ? 2 : 1);
}

/* The end of the alternative, or of all of them, at `at` within braces. */
static const char *alternative_end(const char *at, bool escapes)
{
    for (int depth = 0; *at; at = next(at, escapes)) {
        if (depth == 0 && (*at == ',' || *at == '}'))
            return at;
        depth += *at == '{' ? 1 : *at == '}' ? -1 : 0;
    }
    return NULL;
}

/* The first pair of braces; "{}" is text, as in a shell.  NULL: there is none. */
static const char *find_braces(const char *pattern, bool escapes, const char **close)
{
    const char *open = pattern;
    while (*open && (*open != '{' || open[1] == '}'))
        open = next(open, escapes);
    *close = *open ? open : NULL;
    do
        *close = *close ? alternative_end(*close + 1, escapes) : NULL;
    while (*close && **close == ',');
    return *close ? open : NULL;
}

static beam_status expand(const expansion *e, const char *pattern, int depth, beam_error *err)
{
    enum { MOST_BRACES = 16 };
    const char *close, *open = find_braces(pattern, e->escapes, &close);
    if (!open)
        return e->visit(e->user, pattern, err);
    if (depth == MOST_BRACES)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the pattern '%s' has more than %d pairs of braces", e->whole,
                              MOST_BRACES);
    beam_status status = BEAM_OK;
    for (const char *at = open + 1; status == BEAM_OK && at <= close;) {
        const char *end = alternative_end(at, e->escapes);
        char *one = beam_asprintf("%.*s%.*s%s", (int)(open - pattern), pattern, (int)(end - at), at,
                                  close + 1);
        status = one ? expand(e, one, depth + 1, err)
                     : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a pattern");
        beam_free(one);
        at = end + 1;
    }
    return status;
}

beam_status beam_pattern_each(const char *pattern, bool escapes,
                              beam_status (*visit)(void *user, const char *pattern,
                                                   beam_error *err),
                              void *user, beam_error *err)
{
    const expansion e = {pattern, escapes, visit, user};
    return expand(&e, pattern, 0, err);
}

/* ---- Matching -------------------------------------------------------------------------------- */

size_t beam_pattern_literal(const char *pattern, bool escapes)
{
    const char *at = pattern;
    while (*at && !strchr("*?[", *at))
        at = next(at, escapes);
    return (size_t)(at - pattern);
}

bool beam_pattern_is_deep(const char *pattern, bool escapes)
{
    for (const char *at = pattern; *at; at = next(at, escapes))
        if (at[0] == '*' && at[1] == '*')
            return true;
    return false;
}

/* Behind [abc] or [[:alpha:]_]; NULL: it has no end, and is text. */
static const char *set_end(const char *at)
{
    at++;
    at += *at == '!' || *at == '^';
    at += *at == ']';
    while (*at && *at != ']') {
        const char *class_end = at[0] == '[' && at[1] == ':' ? strstr(at + 2, ":]") : NULL;
        at = class_end ? class_end + 2 : at + 1;
    }
    return *at ? at + 1 : NULL;
}

/* One that says what it is not, in a pattern also with a !, is no slash either; which stands where
 * it is no end of a range. */
static beam_status add_set(beam_buffer *to, const char *at, const char *end)
{
    const bool negated = at[1] == '!' || at[1] == '^';
    at += 1 + negated;
    const bool slash_last = negated && *at == '-';
    BEAM_TRY(beam_buffer_append(to, "[^", negated ? 2 : 1));
    if (*at == ']')
        BEAM_TRY(beam_buffer_append(to, at++, 1));
    if (negated && !slash_last)
        BEAM_TRY(beam_buffer_append(to, "/", 1));
    BEAM_TRY(beam_buffer_append(to, at, (size_t)(end - 1 - at)));
    return slash_last ? beam_buffer_append(to, "/]", 2) : beam_buffer_append(to, "]", 1);
}

/* What one item of the pattern is as an extended regular expression; `*at` goes behind it. */
static beam_status add_item(beam_buffer *to, const char **at, const char *pattern, bool escapes)
{
    const char *c = *at, *end;
    const char *words = NULL;
    const bool begins = c == pattern || c[-1] == '/';
    if (c[0] == '*' && c[1] == '*') {
        words = ".*";
        while ((*at)[1] == '*')
            ++*at;
    } else if (*c == '*') {
        words = begins ? "([^/.][^/]*)?" : "[^/]*";
    } else if (*c == '?') {
        words = begins ? "[^/.]" : "[^/]";
    }
    if (words) {
        ++*at;
        return beam_buffer_append(to, words, strlen(words));
    }
    if (*c == '[' && (end = set_end(c)) != NULL) {
        *at = end;
        return add_set(to, c, end);
    }
    *at = next(c, escapes);
    if (*at - c == 2)
        c++;
    if (strchr("\\^$.[]|()+{}*?", *c))
        BEAM_TRY(beam_buffer_append(to, "\\", 1));
    return beam_buffer_append(to, c, 1);
}

beam_status beam_pattern_compile(const char *pattern, bool escapes, regex_t *regex, beam_error *err)
{
    beam_buffer text = {0};
    beam_status status = beam_buffer_append(&text, "^", 1);
    for (const char *at = pattern; status == BEAM_OK && *at;)
        status = add_item(&text, &at, pattern, escapes);
    if (status == BEAM_OK)
        status = beam_buffer_append(&text, "$", 2);
    int rc = status == BEAM_OK ? regcomp(regex, (const char *)text.data, REG_EXTENDED | REG_NOSUB)
                               : REG_ESPACE;
    beam_buffer_free(&text);
    if (rc == 0)
        return BEAM_OK;
    return rc == REG_ESPACE
               ? beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a pattern")
               : beam_error_set(err, BEAM_INVALID_ARGUMENT, "'%s' is no pattern", pattern);
}
