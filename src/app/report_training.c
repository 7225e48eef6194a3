/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* report_training.c - what a run that trained was, from its metrics; and what such reports share
 * with others. */
#include <beam/app.h>

#include <stdio.h>
#include <string.h>

#include "app/report.h"

int64_t beam_metric_sum(const beam_result *result, const char *metric)
{
    beam_metric_cell cell;
    return beam_result_metric(result, NULL, metric, &cell) == BEAM_OK ? cell.sum : 0;
}

beam_status beam_report_device(beam_report *report, const char *requested, const char *precision,
                               beam_error *err)
{
    static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL}; /* the run said it already */
    const beam_device_options options = {.struct_size = sizeof options, .logger = &quiet};
    beam_device *device;
    beam_device_info info;
    beam_report_str(report, "device_requested", requested);
    beam_status status = beam_device_open(requested, &options, &device, err);
    if (status != BEAM_OK && status != BEAM_INVALID_ARGUMENT &&
        status != BEAM_RESOURCE_EXHAUSTED) { /* the workers had it, this machine has not */
        beam_report_str(report, "device", requested);
        beam_report_str(report, "precision", precision);
        return BEAM_OK;
    }
    BEAM_TRY(status);
    beam_device_get_info(device, &info);
    beam_report_str(report, "device", info.kind);
    beam_report_int(report, "device_fell_back", info.fell_back);
    bool kept = strcmp(precision, "f16") == 0    ? info.native_f16
                : strcmp(precision, "bf16") == 0 ? info.native_bf16
                                                 : true; /* in int8, or not at all */
    beam_report_str(report, "precision", kept ? precision : "f32");
    beam_device_close(device);
    return BEAM_OK;
}

/* `text` as a string that the report copies; what does not fit is cut. */
static void report_text(beam_report *report, const char *key, beam_str text)
{
    char copy[1024];
    (void)snprintf(copy, sizeof copy, "%.*s", (int)(text.len < sizeof copy ? text.len : 0),
                   text.len ? text.at : "");
    beam_report_str(report, key, copy);
}

static void report_work(beam_report *report, const beam_result *result)
{
    int64_t images = beam_metric_sum(result, "images_trained");
    int64_t epochs = beam_metric_sum(result, "epochs_done");
    int64_t failed = beam_metric_sum(result, "configs_failed");
    double training = (double)beam_metric_sum(result, "training_milliseconds") / 1e3;
    double seconds = beam_result_seconds(result);
    beam_report_int(report, "configs", beam_metric_sum(result, "configs_done") + failed);
    beam_report_int(report, "configs_failed", failed);
    beam_report_int(report, "epochs_run", epochs);
    beam_report_int(report, "images", images);
    beam_report_double(report, "images_per_second", seconds > 0 ? (double)images / seconds : 0.0);
    if (epochs > 0 && training > 0)
        beam_report_double(report, "seconds_per_epoch", training / (double)epochs);
}

beam_status beam_report_training(beam_report *report, const beam_result *result,
                                 const beam_training_report *what, beam_error *err)
{
    beam_str precision = what->config->precision;
    bool half = beam_str_equal(precision, beam_str_of("bf16")) ||
                beam_str_equal(precision, beam_str_of("f16"));
    report_text(report, "dataset", what->config->dataset);
    if (what->config->model_name.len)
        report_text(report, "model", what->config->model_name);
    BEAM_TRY(beam_report_device(report, what->device ? what->device : "auto",
                                !half                ? "f32"
                                : precision.len == 3 ? "f16"
                                                     : "bf16",
                                err));
    report_work(report, result);
    int64_t told = beam_metric_sum(result, "models_told");
    if (told == 0)
        return beam_error_set(err, BEAM_ABORTED,
                              "no model was trained: the log and the results say why");
    beam_report_int(report, "epochs", beam_metric_sum(result, "epochs_told") / told);
    beam_report_double(report, "accuracy",
                       (double)beam_metric_sum(result, "accuracy_billionths") / 1e9 / (double)told);
    beam_report_double(report, "plain_accuracy",
                       (double)beam_metric_sum(result, "plain_accuracy_billionths") / 1e9 /
                           (double)told);
    return BEAM_OK;
}
