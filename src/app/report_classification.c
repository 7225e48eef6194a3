/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* report_classification.c - what a run that classified images was, from its metrics. */
#include <beam/app.h>

#include "app/report.h"
#include "base/alloc.h"

/* An empty text stands for `otherwise`. */
static char *text_of(beam_str text, const char *otherwise)
{
    return text.len ? beam_strndup(text.at, text.len) : beam_strdup(otherwise);
}

static beam_status report_model(beam_report *report, const beam_model_spec *model, beam_error *err)
{
    char *requested = text_of(model->device, "auto"), *precision = text_of(model->precision, "f32");
    char *network = text_of(model->network, "");
    beam_status status = BEAM_RESOURCE_EXHAUSTED;
    if (requested && precision && network) {
        beam_report_str(report, "model", network);
        status = beam_report_device(report, requested, precision, err);
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
    int64_t images = beam_metric_sum(result, "num_inferences"),
            scored = beam_metric_sum(result, "scored");
    double seconds = beam_result_seconds(result);
    beam_report_str(report, "dataset", dataset->name);
    BEAM_TRY(report_model(report, &classifier->model, err));
    beam_report_int(report, "images", images);
    beam_report_double(report, "images_per_second", seconds > 0 ? (double)images / seconds : 0.0);
    beam_report_double(report, "load_seconds",
                       (double)beam_metric_sum(result, "load_model_latency_milli_secs") / 1000.0);
    if (!classifier->can_be_scored)
        beam_report_str(report, "accuracy_withheld", classifier->reason);
    else if (scored > 0)
        beam_report_double(report, "accuracy",
                           (double)beam_metric_sum(result, "correct") / (double)scored);
    return BEAM_OK;
}
