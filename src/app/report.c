/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/page.h"
#include "base/alloc.h"
#include "io/filesystem.h"

struct beam_report {
    json_t *object; /* keeps the order of its keys */
    bool incomplete;
};

beam_report *beam_report_new(void)
{
    beam_report *report = beam_calloc(1, sizeof *report);
    if (report && !(report->object = json_object())) {
        beam_free(report);
        return NULL;
    }
    return report;
}

void beam_report_free(beam_report *report)
{
    if (!report)
        return;
    json_decref(report->object);
    beam_free(report);
}

json_t *beam_report_object(const beam_report *report)
{
    return report ? report->object : NULL;
}

static void set(beam_report *report, const char *key, json_t *value)
{
    if (!report)
        json_decref(value);
    else if (json_object_set_new(report->object, key, value) != 0)
        report->incomplete = true;
}

void beam_report_str(beam_report *report, const char *key, const char *value)
{
    set(report, key, value ? json_string(value) : json_null());
}

void beam_report_int(beam_report *report, const char *key, int64_t value)
{
    set(report, key, json_integer(value));
}

void beam_report_double(beam_report *report, const char *key, double value)
{
    set(report, key, isfinite(value) ? json_real(value) : json_null());
}

void beam_report_print(const beam_report *report)
{
    if (!report)
        return;
    const char *key;
    json_t *value;
    json_object_foreach(report->object, key, value)
    {
        printf("%-20s ", key);
        if (json_is_string(value))
            printf("%s\n", json_string_value(value));
        else if (json_is_integer(value))
            printf("%lld\n", (long long)json_integer_value(value));
        else if (json_is_null(value))
            printf("-\n");
        else
            printf("%.6g\n", json_real_value(value));
    }
}

/* The report's object with the history, which neither the terminal nor the page's table wants. */
static char *text_of(const beam_report *report, const beam_result *result)
{
    json_t *object = json_copy(report->object),
           *history = beam_page_rows(result, "training_history");
    int failed = !history;
    if (json_array_size(history) > 0)
        failed |= json_object_set(object, "history", history);
    json_decref(history);
    object = beam_page_whole(object, failed);
    char *text = object ? json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(object);
    return text;
}

beam_status beam_report_write_json(const beam_report *report, const beam_result *result,
                                   const char *path, beam_error *err)
{
    char *text = report && !report->incomplete ? text_of(report, result) : NULL;
    if (!text)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory writing %s", path);
    beam_writer *file;
    beam_status status = beam_fs_create(path, false, &file, err);
    if (status == BEAM_OK)
        status = beam_writer_write(file, text, strlen(text), err);
    if (status == BEAM_OK)
        status = beam_writer_write(file, "\n", 1, err);
    if (status == BEAM_OK)
        status = beam_writer_commit(file, err);
    else
        beam_writer_abandon(file);
    free(text);
    return status;
}
