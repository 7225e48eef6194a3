/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* status.h - how every libbeam call says whether it worked.
 *
 * A call that can fail returns a beam_status.  The codes are the canonical ones that
 * gRPC (grpc_status_code) and PJRT (PJRT_Error_Code) use too, with the same numbers, so
 * nothing is translated on the way from an engine or a device to the user.
 *
 * A call that can say more than a code takes a `beam_error *` last; it may be NULL.
 */
#ifndef BEAM_STATUS_H
#define BEAM_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What compilers are told: this is exported; this takes a format as printf does; this is mostly
 * true, or false; the result must be looked at. */
#if defined(__GNUC__)
#define BEAM_API __attribute__((visibility("default")))
#define BEAM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define BEAM_LIKELY(x) __builtin_expect(!!(x), 1)
#define BEAM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define BEAM_MUST_USE __attribute__((warn_unused_result))
#else
#define BEAM_API
#define BEAM_PRINTF(fmt, args)
#define BEAM_LIKELY(x) (x)
#define BEAM_UNLIKELY(x) (x)
#define BEAM_MUST_USE
#endif

/* How a call ended: the canonical codes, with the numbers that gRPC and PJRT give them. */
typedef enum beam_status {
    BEAM_OK = 0,
    BEAM_CANCELLED = 1,
    BEAM_UNKNOWN = 2,
    BEAM_INVALID_ARGUMENT = 3,
    BEAM_DEADLINE_EXCEEDED = 4,
    BEAM_NOT_FOUND = 5,
    BEAM_ALREADY_EXISTS = 6,
    BEAM_PERMISSION_DENIED = 7,
    BEAM_RESOURCE_EXHAUSTED = 8,
    BEAM_FAILED_PRECONDITION = 9,
    BEAM_ABORTED = 10,
    BEAM_OUT_OF_RANGE = 11,
    BEAM_UNIMPLEMENTED = 12,
    BEAM_INTERNAL = 13,
    BEAM_UNAVAILABLE = 14,
    BEAM_DATA_LOSS = 15,
    BEAM_UNAUTHENTICATED = 16
} beam_status;

/* The code's canonical name, "INVALID_ARGUMENT" for example; never NULL. */
BEAM_API const char *beam_status_name(beam_status status);

/* Leaves the calling function with the status of `expression` unless it is BEAM_OK. */
#define BEAM_TRY(expression)                     \
    do {                                         \
        beam_status beam_try_ = (expression);    \
        if (BEAM_UNLIKELY(beam_try_ != BEAM_OK)) \
            return beam_try_;                    \
    } while (0)

enum { BEAM_ERROR_MESSAGE_SIZE = 1024 };

/* Why a call failed.  A plain value: copy it, put it on the stack, start it as {0}. */
typedef struct beam_error {
    beam_status code;
    char message[BEAM_ERROR_MESSAGE_SIZE]; /* NUL-terminated, cut if longer */
} beam_error;

/* Fills *err (if err is not NULL) with code and words, and returns code, so that a caller
 * writes `return beam_error_set(err, BEAM_NOT_FOUND, "...", ...)`. */
BEAM_API beam_status beam_error_set(beam_error *err, beam_status code, const char *format, ...)
    BEAM_PRINTF(3, 4);

/* The same call as an expression whose value is plainly `code`: a compiler that cannot look into
 * the function would take it that a failure may come out as BEAM_OK, and warn wrongly. */
static inline beam_status beam_first_status_(beam_status code, beam_status same)
{
    (void)same;
    return code;
}
#define beam_error_set(err, code, ...) \
    beam_first_status_((code), beam_error_set((err), (code), __VA_ARGS__))

/* Puts "format: " before the message already in *err (context on the way up), and returns
 * the code in it; `code` is used when err is NULL. */
BEAM_API beam_status beam_error_wrap(beam_error *err, beam_status code, const char *format, ...)
    BEAM_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
