/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include <beam/status.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(BEAM_UNAUTHENTICATED == 16, "the numbers of grpc_status_code and PJRT_Error_Code");

const char *beam_status_name(beam_status status)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    size_t i = (size_t)status;
    return i < sizeof names / sizeof *names ? names[i] : "UNRECOGNIZED";
}

beam_status(beam_error_set)(beam_error *err, beam_status code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        err->code = code;
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return code;
}

beam_status beam_error_wrap(beam_error *err, beam_status code, const char *format, ...)
{
    if (!err)
        return code;
    char inner[sizeof err->message];
    memcpy(inner, err->message, sizeof inner);
    inner[sizeof inner - 1] = '\0';
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    size_t at = used < 0 ? 0 : (size_t)used;
    const char *const parts[] = {inner[0] ? ": " : "", inner};
    for (size_t i = 0; i < 2; i++)
        for (const char *from = parts[i]; *from && at < sizeof err->message - 1; from++)
            err->message[at++] = *from;
    err->message[at < sizeof err->message ? at : sizeof err->message - 1] = '\0';
    if (err->code == BEAM_OK)
        err->code = code;
    return err->code;
}
