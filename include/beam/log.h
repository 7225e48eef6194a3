/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* log.h - the only way the library says anything besides returning it.
 *
 * A logger is a value its owner passes down: to a pipeline run, a device, a loader.  NULL
 * stands for the default one, which writes warnings and errors to stderr.  A sink may be
 * called from any thread, one call at a time for a given logger is NOT promised.
 */
#ifndef BEAM_LOG_H
#define BEAM_LOG_H

#include <beam/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum beam_log_level {
    BEAM_LOG_DEFAULT = 0, /* the level an empty logger has: BEAM_LOG_WARNING */
    BEAM_LOG_TRACE,
    BEAM_LOG_DEBUG,
    BEAM_LOG_INFO,
    BEAM_LOG_NOTICE,
    BEAM_LOG_WARNING,
    BEAM_LOG_ERROR,
    BEAM_LOG_CRITICAL
} beam_log_level;

/* One record; the pointers live until the sink returns. */
typedef struct beam_log_record {
    beam_log_level level;
    const char *file; /* source file and line that logged */
    int line;
    const char *transform; /* unique name of the transform, or NULL */
    const char *message;
} beam_log_record;

typedef void beam_log_sink(void *user, const beam_log_record *record);

typedef struct beam_logger {
    beam_log_sink *sink; /* NULL: one line a record on stderr */
    void *user;
    beam_log_level min_level;
} beam_logger;

/* "DEBUG", "INFO", ...; a constant. */
BEAM_API const char *beam_log_level_name(beam_log_level level);

/* Parses "DEBUG", "info", ...; BEAM_INVALID_ARGUMENT names the levels there are. */
BEAM_API beam_status beam_log_level_parse(const char *text, beam_log_level *level, beam_error *err);

/* Logs through `logger` (NULL: the default) when level is at or above its minimum. */
BEAM_API void beam_log_write(const beam_logger *logger, beam_log_level level, const char *file,
                             int line, const char *transform, const char *format, ...)
    BEAM_PRINTF(6, 7);

/* A line in the log, with the place in the source that wrote it. */
#define BEAM_LOG(logger, level, ...) \
    beam_log_write((logger), (level), __FILE__, __LINE__, NULL, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
