/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* report.h - what a run did: lines on stdout and a JSON object. */
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include <beam/app.h>
#include <jansson.h>

/* NULL when memory is out, which every function here and beam_report_* take. */
beam_report *beam_report_new(void);
void beam_report_free(beam_report *report);
/* "key: value" lines, aligned. */
void beam_report_print(const beam_report *report);
/* Its entries; borrowed, NULL for NULL. */
json_t *beam_report_object(const beam_report *report);
/* Its entries as one JSON object, and the epochs that `result` tells of as its "history".  Whole or
 * not at all.  Fails also when an entry did not fit into memory. */
beam_status beam_report_write_json(const beam_report *report, const beam_result *result,
                                   const char *path, beam_error *err);

/* A counter's sum over the whole run; 0 when nothing counted. */
int64_t beam_metric_sum(const beam_result *result, const char *metric);
/* device, device_requested and precision: what the names came to. */
beam_status beam_report_device(beam_report *report, const char *requested, const char *precision,
                               beam_error *err);

#endif
