/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pipeline.h - making a pipeline and running it.
 *
 * Building is sticky: the first error (with file, line, transform and both types) is kept,
 * later calls do nothing, and beam_pipeline_run reports it.  So build code needs no checks.
 * Every call copies its arguments, but for const descriptors (types, functions), which must
 * live as long as the program.  A pipeline belongs to one thread at a time; any number of
 * pipelines may be built and run side by side.
 */
#ifndef BEAM_PIPELINE_H
#define BEAM_PIPELINE_H

#include <beam/fn.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct beam_pipeline beam_pipeline;

/* A PCollection: a value to pass around, owned by its pipeline, never freed. */
typedef struct beam_pcoll {
    beam_pipeline *pipeline;
    uint32_t id; /* 0: none (what a failed construction gives) */
} beam_pcoll;

/* A PCollection seen as a side input. */
typedef struct beam_view {
    beam_pcoll of;
    beam_side_kind kind;
} beam_view;

/* What a transform needs of the machine; zero means unsaid.  Nested hints merge as Beam's:
 * accelerator: the inner one wins; min_ram_bytes and cpu_count: the larger;
 * max_active_bundles_per_worker: the sum.  Local runners note them and carry them along. */
typedef struct beam_hints {
    const char *accelerator; /* "type:nvidia-tesla-t4;count:1;install-nvidia-driver" */
    const char *min_ram;     /* "16GB", "512MiB", or bytes */
    int64_t cpu_count;
    int64_t max_active_bundles_per_worker;
} beam_hints;

/* The functions a worker may be asked to run: every DoFn and CombineFn of the program. */
typedef struct beam_functions {
    size_t struct_size;
    const beam_dofn *const *dofns;
    size_t n_dofns;
    const beam_combinefn *const *combinefns;
    size_t n_combinefns;
} beam_functions;

typedef struct beam_pipeline_options {
    size_t struct_size;
    const char *name; /* of the job; NULL: "pipeline" */
    beam_hints hints; /* of all transforms */
    const beam_logger *logger;
} beam_pipeline_options;

/* NULL only when memory is out. options may be NULL. */
BEAM_API beam_pipeline *beam_pipeline_new(const beam_pipeline_options *options);
BEAM_API void beam_pipeline_free(beam_pipeline *pipeline);

/* The first error of building, or BEAM_OK. */
BEAM_API beam_status beam_pipeline_status(const beam_pipeline *pipeline, beam_error *err);
/* Fails the building from outside (a composite that finds its arguments wrong): the first
 * such error sticks. Returns the status. */
BEAM_API beam_status beam_pipeline_fail(beam_pipeline *pipeline, beam_status code,
                                        const char *format, ...) BEAM_PRINTF(3, 4);

/* The element type of a PCollection; NULL for none. */
BEAM_API const beam_type *beam_pcoll_type(beam_pcoll pcoll);
/* How it is windowed; the global window for none. */
BEAM_API beam_windowing beam_pcoll_windowing(beam_pcoll pcoll);

/* Composites: transforms applied between begin and end become parts of one named transform
 * (and take its hints); they nest. */
BEAM_API void beam_composite_begin(beam_pipeline *pipeline, const char *name,
                                   const beam_hints *hints);
/* The same for a composite that its users see as one call: errors of what is applied inside
 * it name this place, where it was called. */
BEAM_API void beam_composite_begin_at(beam_pipeline *pipeline, const char *name,
                                      const beam_hints *hints, const char *file, int line);
BEAM_API void beam_composite_end(beam_pipeline *pipeline);

/* `clean` is called with a copy of `size` bytes at `arg` once a run of the pipeline has ended,
 * however it ended: a transform's temporary files go then. */
BEAM_API void beam_pipeline_at_end(beam_pipeline *pipeline, void (*clean)(const void *arg),
                                   const void *arg, size_t size);

/* Says that workers open a file, or a folder with all in it, which the pipeline calls `name`
 * (weights that have one, a path): an engine whose workers may see another disk than this
 * process is sent it with the program, and a worker finds it again by kind and name.  `locate`
 * tells where it is here, in memory for beam_release; it is called only when the file is sent.  A
 * path with a scheme (gs://) is not sent: workers open it where it lies. */
BEAM_API void beam_pipeline_needs_file(beam_pipeline *pipeline, const char *kind, const char *name,
                                       beam_status (*locate)(const char *name, char **path,
                                                             beam_error *err));

/* Says that the composite that is open, a sink, writes files of these names, in which ? stands for
 * a digit that only the run knows.  Where another one of the pipeline may write a file of the same
 * name, one of which would replace the other, the building fails. */
BEAM_API void beam_pipeline_writes_files(beam_pipeline *pipeline, const char *names);

/* The pipeline as a serialized org.apache.beam.model.pipeline.v1.Pipeline; the caller frees
 * *bytes with beam_release. */
BEAM_API beam_status beam_pipeline_to_proto(beam_pipeline *pipeline, void **bytes, size_t *size,
                                            beam_error *err);
/* The graph in Graphviz' dot language, NUL-terminated; the caller frees it. */
BEAM_API beam_status beam_pipeline_to_dot(beam_pipeline *pipeline, char **dot, beam_error *err);
BEAM_API void beam_release(void *memory);

/* ---- Running -------------------------------------------------------------------------- */

typedef struct beam_result beam_result;

typedef struct beam_progress {
    double seconds;        /* since the run began */
    const char *transform; /* the busiest now */
    uint64_t elements;     /* read by all roots so far */
    double fraction;       /* of the run's work, 0..1; negative when unknown */
    /* What was done so far, bundles at work included, for the time of the call: where options have
     * `profile` and the runner is the direct one; else NULL. */
    const beam_result *result;
} beam_progress;

/* A name and a text, such as an option that only an engine knows. */
typedef struct beam_named_value {
    const char *name, *value;
} beam_named_value;

typedef struct beam_run_options {
    size_t struct_size;
    /* "direct" (NULL too) runs the pipeline in this process; "prism", "flink", "spark" and
     * "portable" hand it to an engine's job service: docs/engines.md; "dataflow" to Google's
     * service, which takes all else from pipeline_options: docs/howto/dataflow.md. */
    const char *runner;
    uint32_t direct_num_workers; /* threads; 0: one a core */
    /* Bytes that shuffles may hold before they spill, 1 MiB a thread at least; 0: no limit.  Side
     * inputs count, but stay in memory however large they are. */
    uint64_t memory_budget;
    const char *temp_dir; /* for what is spilled; NULL: $TMPDIR or /tmp */
    const beam_logger *logger;
    const beam_functions *functions; /* NULL: those the graph was built with */
    const int *cancel;               /* the run stops soon after *cancel becomes non-zero */
    void (*on_progress)(void *user, const beam_progress *progress); /* about twice a second */
    void *progress_user;
    bool profile; /* direct: see what runs, 200 times a second, to tell how long transforms took */
    /* For engines; all may be NULL. */
    const char *job_name;
    const char *job_endpoint;       /* host:port of the job service */
    const char *artifact_endpoint;  /* of the artifact service, when not what the former says */
    const char *environment_type;   /* LOOPBACK (NULL too), EXTERNAL, PROCESS, DOCKER */
    const char *environment_config; /* as Beam's --environment_config */
    const beam_named_value *pipeline_options; /* what the engine is told, by Beam's names */
    size_t n_pipeline_options;
} beam_run_options;

/* Runs the pipeline to its end (options may be NULL).  *result (result may be NULL) is set
 * when the run took place at all, also when it failed; free it with beam_result_free. */
BEAM_API beam_status beam_pipeline_run(beam_pipeline *pipeline, const beam_run_options *options,
                                       beam_result **result, beam_error *err);

/* A committed metric of a function, summed over all instances of the transforms whose unique
 * name is `transform` or lies below it ("Classify" covers "Classify/BatchElements");
 * NULL: over all transforms.  The cell has neither buckets nor strings, which are those of one
 * transform.  BEAM_NOT_FOUND when nothing of that name was reported. */
BEAM_API beam_status beam_result_metric(const beam_result *result, const char *transform,
                                        const char *name, beam_metric_cell *cell);
/* Calls `visit` for each committed metric; namespace_ is the function's name. */
BEAM_API void beam_result_metrics(const beam_result *result,
                                  void (*visit)(void *user, const char *transform,
                                                const char *namespace_, const char *name,
                                                beam_metric_kind kind,
                                                const beam_metric_cell *cell),
                                  void *user);
/* Wall clock seconds of the run. */
BEAM_API double beam_result_seconds(const beam_result *result);
BEAM_API void beam_result_free(beam_result *result);

#ifdef __cplusplus
}
#endif
#endif
