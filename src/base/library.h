/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* library.h - shared libraries that are opened when they are first used: a program that does not
 * use one neither waits for it to load nor holds its memory.
 *
 * A library's header lists the functions that are called, and lets calls read as if the library
 * were linked; its .c file says which library it is:
 *
 *     #define BEAM_FOO_FUNCTIONS(X) X(foo_open) X(foo_close)
 *     BEAM_LIBRARY_DECLARE(beam_foo, BEAM_FOO_FUNCTIONS);
 *     #define foo_open beam_foo_functions.foo_open
 *     #define foo_close beam_foo_functions.foo_close
 *
 *     BEAM_LIBRARY_DEFINE(beam_foo, BEAM_FOO_FUNCTIONS, "libfoo.so.1", "foo 1, Debian's libfoo1");
 *
 * A function that is called but not listed does not link.  None may be called before
 * beam_library_open(&beam_foo_library, err) has succeeded. */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <beam/status.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct beam_library {
    const char *file; /* its soname */
    const char *what; /* its name, and where to get it */
    const char *const *names;
    void *functions; /* as many pointers, in the order of the names */
    size_t count;
    bool opened;
} beam_library;

/* The first success fills in the functions for as long as the program runs; a failure is tried
 * again.  Any thread may call it.  UNAVAILABLE says which library is missing, or which function
 * in it. */
beam_status beam_library_open(beam_library *library, beam_error *err);

#define BEAM_LIBRARY_MEMBER(function) __typeof__(function) *function;
#define BEAM_LIBRARY_NAME(function) #function,

#define BEAM_LIBRARY_DECLARE(name, FUNCTIONS) \
    extern struct name##_functions {          \
        FUNCTIONS(BEAM_LIBRARY_MEMBER)        \
    } name##_functions;                       \
    extern beam_library name##_library

#define BEAM_LIBRARY_DEFINE(name, FUNCTIONS, soname, about)                   \
    struct name##_functions name##_functions;                                 \
    static const char *const name##_names[] = {FUNCTIONS(BEAM_LIBRARY_NAME)}; \
    beam_library name##_library = {.file = soname,                            \
                                   .what = about,                             \
                                   .names = name##_names,                     \
                                   .functions = &name##_functions,            \
                                   .count = sizeof name##_names / sizeof *name##_names}

#endif
