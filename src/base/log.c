/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include <beam/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const level_names[] = {"DEFAULT", "TRACE",   "DEBUG", "INFO",
                                          "NOTICE",  "WARNING", "ERROR", "CRITICAL"};
enum { LEVELS = sizeof level_names / sizeof *level_names };

const char *beam_log_level_name(beam_log_level level)
{
    return (unsigned)level < LEVELS ? level_names[level] : "UNRECOGNIZED";
}

beam_status beam_log_level_parse(const char *text, beam_log_level *level, beam_error *err)
{
    for (unsigned i = BEAM_LOG_TRACE; i < LEVELS; i++)
        if (strcasecmp(text, level_names[i]) == 0) {
            *level = (beam_log_level)i;
            return BEAM_OK;
        }
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "'%s' is no log level; use TRACE, DEBUG, INFO, NOTICE, WARNING, ERROR "
                          "or CRITICAL",
                          text);
}

/* One fprintf a record, so that lines of two threads do not mix. */
static void write_stderr(const beam_log_record *record)
{
    fprintf(stderr, "%s: %s%s%s\n", beam_log_level_name(record->level),
            record->transform ? record->transform : "", record->transform ? ": " : "",
            record->message);
}

void beam_log_write(const beam_logger *logger, beam_log_level level, const char *file, int line,
                    const char *transform, const char *format, ...)
{
    beam_log_level least = logger && logger->min_level ? logger->min_level : BEAM_LOG_WARNING;
    if (level < least)
        return;
    char message[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const char *slash = strrchr(file, '/');
    const beam_log_record record = {.level = level,
                                    .file = slash ? slash + 1 : file,
                                    .line = line,
                                    .transform = transform,
                                    .message = message};
    if (logger && logger->sink)
        logger->sink(logger->user, &record);
    else
        write_stderr(&record);
}
