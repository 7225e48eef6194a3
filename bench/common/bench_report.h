/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The figures of one benchmark: a table for people, a JSON list for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct bench_report bench_report;

/* What ratio is when there is nothing to compare with. */
#define BENCH_NO_RATIO ((double)NAN)

/* The strings are copied here and in bench_report_add.  Ends the program when memory runs out. */
bench_report *bench_report_new(const char *title);
void bench_report_free(bench_report *report);

/* Adds a row.  A row of libbeam's own has the peer NULL, or the peer it is compared with and
 * the ratio libbeam's value / the peer's value.  A peer's own figure names the peer and has
 * BENCH_NO_RATIO.  A peer that could not be measured is left out. */
void bench_report_add(bench_report *report, const char *name, double value, const char *unit,
                      const char *peer, double ratio);

void bench_report_print(const bench_report *report, FILE *file);

/* Writes a JSON list of {name, value, unit, peer, ratio}; peer and ratio are null where there is
 * none.  Returns false with errno set when the file cannot be written; then none is left. */
bool bench_report_write_json(const bench_report *report, const char *path);

/* The end of every benchmark: prints the table, writes path if it is not NULL, says on stderr what
 * went wrong; returns the program's exit status. */
int bench_report_finish(const bench_report *report, const char *path);

#endif
