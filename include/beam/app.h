/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* app.h - a program that is a pipeline: one call from argv to exit status.
 *
 *     int main(int argc, char **argv)
 *     {
 *         return beam_main(argc, argv, &(beam_app){.struct_size = sizeof(beam_app),
 *                                                  .name = "wordcount", .build = build, ...});
 *     }
 *
 * beam_main reads the options (the program's own and Beam's common ones), builds the pipeline,
 * runs it on the runner that --runner names, shows progress on a terminal, prints a summary,
 * writes --result_json, and returns 0, 1 (the run failed) or 2 (the command line is wrong: the
 * nearest known option is named).  SIGINT and SIGTERM cancel the run, which then returns 128 plus
 * the signal's number, and nothing half written stays; a second one ends the process at once.
 * Started by an engine (with --id and the endpoints that engines give), the program is a worker.
 * Whoever embeds the library calls pipeline.h instead.
 */
#ifndef BEAM_APP_H
#define BEAM_APP_H

#include <beam/ml.h>
#include <beam/pipeline.h>
#include <beam/training.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct beam_args beam_args;

/* An option of the program: --name=VALUE, or --name VALUE where VALUE does not begin with --;
 * for a flag --name or --no-name. */
typedef struct beam_option {
    const char *name;
    const char *value;         /* "FILE", "N", "f32|bf16" (a closed choice); NULL: a flag */
    const char *default_value; /* NULL: none */
    const char *help;
    bool required;
} beam_option;

/* The value given, the default, or NULL; undeclared names are a programming error, logged. */
BEAM_API const char *beam_args_str(const beam_args *args, const char *name);
/* Values that are no numbers are refused before build is called when the option's value is
 * "N" (whole, not negative), "N>0", "N>=-1", "X" (any number) or "X>0".  0 where there is no value.
 */
BEAM_API int64_t beam_args_int(const beam_args *args, const char *name);
BEAM_API double beam_args_double(const beam_args *args, const char *name);
BEAM_API bool beam_args_flag(const beam_args *args, const char *name);
/* True when the command line named it. */
BEAM_API bool beam_args_given(const beam_args *args, const char *name);

/* A report of what a run did: printed as lines "key: value", written by --result_json. */
typedef struct beam_report beam_report;
BEAM_API void beam_report_str(beam_report *report, const char *key, const char *value);
BEAM_API void beam_report_int(beam_report *report, const char *key, int64_t value);
BEAM_API void beam_report_double(beam_report *report, const char *key, double value);

/* What a run that classified a data set was: dataset, model, device, device_requested, precision,
 * images, images_per_second (of the whole run), load_seconds, and accuracy where beam_tell_accuracy
 * was in the pipeline, or accuracy_withheld and why. */
BEAM_API beam_status beam_report_classification(beam_report *report, const beam_result *result,
                                                const beam_dataset_info *dataset,
                                                const beam_classifier *classifier, beam_error *err);

/* What a run that trained was: dataset, model, device, device_requested, precision, configs,
 * configs_failed; of this run alone epochs_run, images, images_per_second (of the whole run) and
 * seconds_per_epoch; of the models that beam_tell_training told of, on average, epochs and
 * accuracy.  --result_json has the lines of the metric training_history (training.h) besides, as
 * history. BEAM_ABORTED where beam_tell_training had no model to tell of. */
typedef struct beam_training_report {
    size_t struct_size;
    const beam_training_config *config; /* dataset, precision and, unless empty, the model */
    const char *device;                 /* NULL: auto */
} beam_training_report;
BEAM_API beam_status beam_report_training(beam_report *report, const beam_result *result,
                                          const beam_training_report *what, beam_error *err);

typedef struct beam_app {
    size_t struct_size;
    const char *name;
    const char *about; /* a sentence or two for --help */
    const beam_option *options;
    size_t n_options;
    /* Builds the pipeline; `state` is app->state.  Errors of the graph stick in the pipeline;
     * others go through beam_pipeline_fail. */
    beam_status (*build)(beam_pipeline *pipeline, const beam_args *args, void *state);
    /* After a run that succeeded: adds what it found to the report (may be NULL). */
    beam_status (*finish)(const beam_result *result, const beam_args *args, beam_report *report,
                          void *state, beam_error *err);
    void *state;
    beam_functions functions; /* the program's own; the library's are known */
} beam_app;

/* The lists of beam_app: its options, and what a worker must find by name. */
#define BEAM_OPTIONS(...)                          \
    .options = (const beam_option[]){__VA_ARGS__}, \
    .n_options = sizeof((const beam_option[]){__VA_ARGS__}) / sizeof(beam_option)
#define BEAM_DOFNS(...)                               \
    .dofns = (const beam_dofn *const[]){__VA_ARGS__}, \
    .n_dofns = sizeof((const beam_dofn *const[]){__VA_ARGS__}) / sizeof(const beam_dofn *)
#define BEAM_COMBINEFNS(...)                                    \
    .combinefns = (const beam_combinefn *const[]){__VA_ARGS__}, \
    .n_combinefns =                                             \
        sizeof((const beam_combinefn *const[]){__VA_ARGS__}) / sizeof(const beam_combinefn *)

/* The whole program, as told above; returns what main returns. */
BEAM_API int beam_main(int argc, char **argv, const beam_app *app);

#ifdef __cplusplus
}
#endif
#endif
