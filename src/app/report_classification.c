/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* report_classification.c - what a run that classified images was, from its metrics. */
#include <beam/app.h>

#include "base/alloc.h"

static int64_t sum_of(const beam_result *result, const char *metric)
{
    beam_metric_cell cell;
    return beam_result_metric(result, NULL, metric, &cell) == BEAM_OK ? cell.sum : 0;
}

/* An empty text stands for `otherwise`. */
static char *text_of(beam_str text, const char *otherwise)
{
    return text.len ? beam_strndup(text.at, text.len) : beam_strdup(otherwise);
}

static beam_status report_device(beam_report *report, const char *requested, const char *precision,
                                 beam_error *err)
{
    static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL}; /* the run said it already */
    const beam_device_options options = {.struct_size = sizeof options, .logger = &quiet};
    beam_device *device;
    beam_device_info info;
    BEAM_TRY(beam_device_open(requested, &options, &device, err));
    beam_device_get_info(device, &info);
    beam_report_str(report, "device", info.kind);
    beam_report_str(report, "device_requested", requested);
    beam_report_str(report, "precision", info.native_bf16 ? precision : "f32");
    beam_device_close(device);
    return BEAM_OK;
}

static beam_status report_model(beam_report *report, const beam_model_spec *model, beam_error *err)
{
    char *requested = text_of(model->device, "auto"), *precision = text_of(model->precision, "f32");
    char *network = text_of(model->network, "");
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    if (requested && precision && network) {
        beam_report_str(report, "model", network);
        status = report_device(report, requested, precision, err);
    } else {
        beam_error_set(err, status, "no memory for the report");
    }
    beam_free(requested);
    beam_free(precision);
    beam_free(network);
    return status;
}

beam_status beam_report_classification(beam_report *report, const beam_result *result,
                                       const beam_dataset_info *dataset,
                                       const beam_classifier *classifier, beam_error *err)
{
    int64_t images = sum_of(result, "num_inferences"), scored = sum_of(result, "scored");
    double seconds = beam_result_seconds(result);
    beam_report_str(report, "dataset", dataset->name);
    BEAM_TRY(report_model(report, &classifier->model, err));
    beam_report_int(report, "images", images);
    beam_report_double(report, "images_per_second", seconds > 0 ? (double)images / seconds : 0.0);
    beam_report_double(report, "load_seconds",
                       (double)sum_of(result, "load_model_latency_milli_secs") / 1000.0);
    if (!classifier->can_be_scored)
        beam_report_str(report, "accuracy_withheld", classifier->reason);
    else if (scored > 0)
        beam_report_double(report, "accuracy", (double)sum_of(result, "correct") / (double)scored);
    return BEAM_OK;
}
