/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Rows of numbers to what a server's model makes of them.
 *
 *     read lines -> ask the server, many at once -> a line a row; what failed goes elsewhere
 *
 * The server speaks the open inference protocol, version 2: docs/howto/remote-model.md. */
#include <beam/beam.h>

#include <stdio.h>
#include <stdlib.h>

/* A line of numbers, with commas or blanks between them, to a row of the model's only input. */
static beam_status pack(beam_ctx *c, const beam_str *line, const beam_model *model,
                        float *const *rows)
{
    beam_tensor row = beam_model_input(model, 0, 1);
    size_t wanted = beam_tensor_bytes(&row) / sizeof(float), n = 0;
    char *at = beam_cstr(c, *line), *end;
    if (!at)
        return BEAM_RESOURCE_EXHAUSTED;
    for (; *at; at = end) {
        float value = strtof(at, &end);
        if (end == at || n == wanted)
            break;
        rows[0][n++] = value;
        end += *end == ',';
    }
    if (n == wanted && !*at)
        return BEAM_OK;
    return beam_fail(c, BEAM_INVALID_ARGUMENT, "\"%.*s\" are not %zu numbers",
                     (int)(line->len < 80 ? line->len : 80), line->at, wanted);
}

/* The line, and what the model made of it. */
static beam_status unpack(beam_ctx *c, const beam_str *line, const beam_tensor *outputs,
                          size_t n_outputs, beam_str *result)
{
    const float *values = outputs[0].data;
    size_t n = beam_tensor_bytes(&outputs[0]) / sizeof *values;
    (void)n_outputs;
    *result = beam_format(c, "%.*s ->", (int)line->len, line->at);
    for (size_t i = 0; result->at && i < n; i++)
        *result = beam_format(c, "%.*s %.9g", (int)result->len, result->at, (double)values[i]);
    return result->at ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_MODEL_HANDLER(ask, beam_str, beam_str, pack, unpack);

static beam_status explain(beam_ctx *c, const ask_failure *failure)
{
    beam_str line = beam_format(c, "%.*s: %.*s", (int)failure->element.len, failure->element.at,
                                (int)failure->message.len, failure->message.at);
    return line.at ? beam_emit_value(c, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(explain_fn, ask_failure, explain, BEAM_TYPES(&beam_str_type));

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    (void)state;
    beam_pcoll lines = beam_read_text(p, beam_args_str(args, "input"));
    beam_pcoll made = beam_run_inference(
        lines, &ask, .max_batch_size = beam_args_int(args, "max_batch_size"),
        .model = {.network = beam_str_of(beam_args_str(args, "model")),
                  .remote = {.num_retries = beam_args_int(args, "num_retries"),
                             .credentials = beam_str_of(beam_args_str(args, "credentials"))}},
        .with_exception_handling = true);
    const beam_pcoll all[] = {beam_output(made, BEAM_FAILED_PREPROCESSING),
                              beam_output(made, BEAM_FAILED_INFERENCES),
                              beam_output(made, BEAM_FAILED_POSTPROCESSING)};
    beam_pcoll failed = beam_flatten(all, 3, .name = "Failed");
    beam_write_text(made, beam_args_str(args, "output"));
    beam_write_text(beam_pardo(failed, &explain_fn), beam_args_str(args, "failed"));
    return BEAM_OK;
}

static beam_status finish(const beam_result *result, const beam_args *args, beam_report *report,
                          void *state, beam_error *err)
{
    static const char *const counts[] = {"num_inferences", "failed_preprocessing",
                                         "failed_inferences", "remote_retries",
                                         "cumulativeThrottlingSeconds"};
    (void)args;
    (void)state;
    (void)err;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        beam_metric_cell cell = {0}; /* stays 0 where nothing was counted */
        (void)beam_result_metric(result, NULL, counts[i], &cell);
        beam_report_int(report, counts[i], cell.sum);
    }
    return BEAM_OK;
}

int main(int argc, char **argv)
{
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "remote_inference",
        .about = "Asks a model on a server for each line of numbers.",
        BEAM_OPTIONS(
            {"model", "URL", NULL, "http://HOST:PORT/v2/models/NAME, or https://", true},
            {"input", "GLOB", NULL, "text: numbers, with commas between them, a row a line", true},
            {"output", "PREFIX", NULL, "the rows and what the model makes of them", true},
            {"failed", "PREFIX", NULL, "the rows that failed, and why", true},
            {"max_batch_size", "N", "0", "most rows in a request; 0: 64", 0},
            {"num_retries", "N", "0", "times to ask again; 0: 5", 0},
            {"credentials", "WHERE", "", "env:NAME or file:PATH, with a token or a header", 0}),
        .build = build,
        .finish = finish,
        .functions = {.struct_size = sizeof app.functions, BEAM_DOFNS(&ask_fn, &explain_fn)}};
    return beam_main(argc, argv, &app);
}
