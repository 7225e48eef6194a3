/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* common_options.c - the options that every program has, by Beam's names. */
#include "app/options.h"

#include <string.h>

static const beam_option running[] = {
    {"runner", "direct|prism|flink|spark|portable|dataflow", "direct",
     "what executes the pipeline: direct runs it in this process, the others are engines "
     "(docs/engines.md, docs/howto/dataflow.md)",
     false},
    {"direct_num_workers", "N", "0", "threads of the direct runner; 0: one a core", false},
    {"memory_budget", "BYTES", NULL,
     "memory for grouping, as 500MB or 2GiB, before it spills to files; 1 MiB a thread at least; "
     "default: no limit",
     false},
    {"temp_location", "DIR", NULL,
     "folder for what is spilled, default: $TMPDIR or /tmp; on Dataflow gs://BUCKET/FOLDER", false},
    {"resource_hints", "HINT=VALUE", NULL,
     "accelerator=..., min_ram=16GB, cpu_count=4 or max_active_bundles_per_worker=1 for the "
     "whole pipeline; may be repeated",
     false},
    {"compilation_cache_dir", "DIR", NULL,
     "keep programs compiled for accelerators there from run to run; default: "
     "$BEAM_COMPILATION_CACHE_DIR, or they are not kept",
     false},
    {"job_name", "NAME", NULL, "name of the run; default: the program's", false},
};
static const beam_option engines[] = {
    {"job_endpoint", "HOST:PORT", NULL,
     "job service of the engine; prism starts one where none is given", false},
    {"artifact_endpoint", "HOST:PORT", NULL,
     "where files for workers go; default: where the job service says", false},
    {"environment_type", "TYPE", "LOOPBACK",
     "where functions run: LOOPBACK (in this process), EXTERNAL (in worker pools), PROCESS (in "
     "processes that the engine starts), DOCKER",
     false},
    {"environment_config", "CONFIG", NULL,
     "EXTERNAL: host:port of a pool; PROCESS: the command, or {\"command\": ...}, default: this "
     "program; DOCKER: the image",
     false},
    {"parallelism", "N", NULL, "in how many parts the engine does each step", false},
    {"sdk_worker_parallelism", "N", NULL, "workers on each of the engine's machines", false},
    {"experiments", "NAME", NULL, "told to the engine; may be repeated", false},
};
static const beam_option dataflow[] = {
    {"project", "ID", NULL, "Google Cloud project that pays", false},
    {"region", "REGION", NULL, "where the job and its workers run, as us-central1", false},
    {"staging_location", "gs://...", NULL,
     "where the pipeline and its files go; default: --temp_location", false},
    {"sdk_container_image", "IMAGE", NULL,
     "the workers' image, as tools/build-container makes them (docs/containers.md)", false},
    {"worker_accelerator", "ACCELERATOR", NULL,
     "of all workers: 'type:nvidia-tesla-t4;count:1;install-nvidia-driver:5xx' or "
     "'type:tpu-v5-lite-podslice;topology:1x1'",
     false},
    {"machine_type", "TYPE", NULL, "of workers, as n1-standard-4", false},
    {"worker_machine_type", "TYPE", NULL, "the same", false},
    {"num_workers", "N", NULL, "to begin with", false},
    {"max_num_workers", "N", NULL, "at most", false},
    {"autoscaling_algorithm", "NONE|THROUGHPUT_BASED", NULL, "how their number changes", false},
    {"number_of_worker_harness_threads", "N", NULL, "bundles at once on each worker", false},
    {"disk_size_gb", "N", NULL, "of each worker", false},
    {"disk_type", "TYPE", NULL, "of workers' disks", false},
    {"worker_disk_type", "TYPE", NULL, "the same", false},
    {"worker_zone", "ZONE", NULL, "where workers run, as us-central1-a", false},
    {"worker_region", "REGION", NULL, "where workers run, when not in --region", false},
    {"network", "NAME", NULL, "of workers", false},
    {"subnetwork", "NAME", NULL, "of workers: regions/REGION/subnetworks/NAME", false},
    {"use_public_ips", NULL, NULL, "workers have addresses of their own", false},
    {"no_use_public_ips", NULL, NULL, "workers have none", false},
    {"service_account_email", "EMAIL", NULL, "whom workers act as", false},
    {"dataflow_kms_key", "NAME", NULL, "key that the job's state is encrypted with", false},
    {"dataflow_service_options", "OPTION", NULL, "told to the service; may be repeated", false},
    {"labels", "KEY=VALUE", NULL, "of the job; may be repeated", false},
    {"flexrs_goal", "COST_OPTIMIZED|SPEED_OPTIMIZED", NULL,
     "a cheaper job that starts within six hours", false},
    {"streaming", NULL, NULL, "run as a streaming job", false},
    {"update", NULL, NULL, "replace the streaming job of the same --job_name", false},
    {"transform_name_mapping", "JSON", NULL, "new names of transforms, for --update", false},
    {"dataflow_endpoint", "URL", NULL, "another address of the service", false},
    {"no_auth", NULL, NULL, "send no credentials (to a --dataflow_endpoint here)", false},
    {"price", "DEVICE:USD", NULL,
     "what a device costs an hour, as v5e:1.20, for the estimate; may be repeated", false},
    {"dry_run", NULL, NULL, "print the request and the files that would be sent, and stop", false},
};
static const beam_option output[] = {
    {"result_json", "FILE", NULL, "write what was run and measured as one JSON object", false},
    {"report", "FILE", NULL,
     "write what was run as one HTML page: graph, times, metrics (docs/report.md)", false},
    {"ui_port", "N", NULL,
     "show that page while it runs, on http://127.0.0.1:N; 0: any free port, which is printed",
     false},
    {"dot", NULL, NULL, "print the pipeline in Graphviz' language and stop", false},
    {"log_level", "TRACE|DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL", "NOTICE",
     "least level that is logged", false},
    {"progress", NULL, NULL, "show progress; default: when stderr is a terminal", false},
    BEAM_HELP_OPTION,
};
#define GROUP(title, table)                           \
    {                                                 \
        title, table, sizeof(table) / sizeof *(table) \
    }

beam_command beam_app_command(const beam_app *app)
{
    return (beam_command){.name = app->name,
                          .about = app->about,
                          .groups = {{"Options", app->options, app->n_options},
                                     GROUP("Running", running),
                                     GROUP("Engines", engines),
                                     GROUP("Dataflow", dataflow),
                                     GROUP("Output", output)}};
}

static bool holds(const beam_option *options, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(options[i].name, name) == 0)
            return true;
    return false;
}

bool beam_app_option_is_of_engines(const beam_app *app, const char *name)
{
    return !holds(app->options, app->n_options, name) &&
           (holds(engines, sizeof engines / sizeof *engines, name) ||
            holds(dataflow, sizeof dataflow / sizeof *dataflow, name));
}
