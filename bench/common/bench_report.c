/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Rows, the table, and JSON by way of jansson. */
#include "common/bench_report.h"

#include "common/bench_run.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct row {
    char *name, *unit, *peer;
    double value, ratio;
} row;

struct bench_report {
    char *title;
    row *rows;
    size_t count, room;
};

bench_report *bench_report_new(const char *title)
{
    bench_report *report = bench_alloc(sizeof *report);
    *report = (bench_report){.title = bench_strdup(title)};
    return report;
}

void bench_report_free(bench_report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->count; i++) {
        free(report->rows[i].name);
        free(report->rows[i].unit);
        free(report->rows[i].peer);
    }
    free(report->rows);
    free(report->title);
    free(report);
}

void bench_report_add(bench_report *report, const char *name, double value, const char *unit,
                      const char *peer, double ratio)
{
    if (report->count == report->room) {
        report->room = report->room ? report->room * 2 : 16;
        row *rows = bench_alloc(report->room * sizeof *rows);
        if (report->count)
            memcpy(rows, report->rows, report->count * sizeof *rows);
        free(report->rows);
        report->rows = rows;
    }
    report->rows[report->count++] = (row){.name = bench_strdup(name),
                                          .unit = bench_strdup(unit),
                                          .peer = peer ? bench_strdup(peer) : NULL,
                                          .value = value,
                                          .ratio = ratio};
}

/* Four significant digits, without an exponent where a person would not want one. */
static void format_value(char *text, size_t size, double value)
{
    double magnitude = fabs(value);
    int digits = magnitude >= 1000 ? 0 : magnitude >= 100 ? 1 : magnitude >= 10 ? 2 : 3;
    if (magnitude > 0 && magnitude < 0.001)
        snprintf(text, size, "%.3g", value);
    else
        snprintf(text, size, "%.*f", digits, value);
}

void bench_report_print(const bench_report *report, FILE *file)
{
    size_t name_width = 4, unit_width = 4, peer_width = 4;
    for (size_t i = 0; i < report->count; i++) {
        const row *r = &report->rows[i];
        size_t name = strlen(r->name), unit = strlen(r->unit), peer = r->peer ? strlen(r->peer) : 1;
        name_width = name > name_width ? name : name_width;
        unit_width = unit > unit_width ? unit : unit_width;
        peer_width = peer > peer_width ? peer : peer_width;
    }
    fprintf(file, "%s\n\n", report->title);
    fprintf(file, "%-*s  %12s  %-*s  %-*s  %s\n", (int)name_width, "name", "value", (int)unit_width,
            "unit", (int)peer_width, "peer", "ratio");
    for (size_t i = 0; i < report->count; i++) {
        const row *r = &report->rows[i];
        char value[32], ratio[32] = "-";
        format_value(value, sizeof value, r->value);
        if (!isnan(r->ratio))
            snprintf(ratio, sizeof ratio, "%.2f", r->ratio);
        fprintf(file, "%-*s  %12s  %-*s  %-*s  %s\n", (int)name_width, r->name, value,
                (int)unit_width, r->unit, (int)peer_width, r->peer ? r->peer : "-", ratio);
    }
}

/* A JSON number, or null for what JSON cannot say. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *to_json(const bench_report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->count; i++) {
        const row *r = &report->rows[i];
        json_t *object =
            json_pack("{s:s, s:o, s:s, s:s?, s:o}", "name", r->name, "value", number(r->value),
                      "unit", r->unit, "peer", r->peer, "ratio", number(r->ratio));
        if (!object || json_array_append_new(list, object))
            bench_fatal("out of memory for the report");
    }
    return list;
}

bool bench_report_write_json(const bench_report *report, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    json_t *list = to_json(report);
    bool failed = json_dumpf(list, file, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0 ||
                  fputc('\n', file) == EOF;
    json_decref(list);
    int error = errno;
    if (fclose(file)) {
        failed = true;
        error = errno;
    }
    if (failed) {
        (void)unlink(path);
        errno = error;
    }
    return !failed;
}

int bench_report_finish(const bench_report *report, const char *path)
{
    bench_report_print(report, stdout);
    if (fflush(stdout)) {
        fprintf(stderr, "cannot print the table: %s\n", strerror(errno));
        return 1;
    }
    if (path && !bench_report_write_json(report, path)) {
        fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
        return 1;
    }
    return 0;
}
