/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_request.c - the job, as jobs.create wants it.  jansson's functions take what a failed
 * one gave, so whether memory was out is looked at once, at the end. */
#include <stdlib.h>
#include <string.h>

#include "model/message.h"
#include "submit/dataflow.h"

static const char *const usual_experiments[] = {
    "beam_fn_api", "use_runner_v2", "use_unified_worker", "use_portable_job_submission"};
static const char *const streaming_experiments[] = {"enable_streaming_engine",
                                                    "enable_windmill_service"};

/* ---- Small things ---------------------------------------------------------------------------- */

typedef struct maker {
    const beam_dataflow_options *o;
    bool failed;
} maker;

static void set(maker *m, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        m->failed = true;
}

static void set_text(maker *m, json_t *object, const char *key, const char *text)
{
    if (text)
        set(m, object, key, json_string(text));
}

static void set_number(maker *m, json_t *object, const char *key, int64_t number)
{
    if (number)
        set(m, object, key, json_integer(number));
}

static void add(maker *m, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        m->failed = true;
}

static json_t *list(maker *m, const beam_dataflow_list *items)
{
    json_t *array = json_array();
    for (size_t i = 0; i < items->n; i++)
        add(m, array, json_string(items->items[i]));
    return array;
}

/* KEY=VALUE each. */
static json_t *pairs(maker *m, const beam_dataflow_list *items)
{
    json_t *object = json_object();
    for (size_t i = 0; i < items->n; i++) {
        const char *item = items->items[i], *equals = strchr(item, '=');
        size_t len = equals ? (size_t)(equals - item) : strlen(item);
        if (json_object_setn_new(object, item, len, json_string(equals ? equals + 1 : "")) != 0)
            m->failed = true;
    }
    return object;
}

/* ---- Experiments ----------------------------------------------------------------------------- */

static void add_experiment(maker *m, json_t *array, const char *name)
{
    if (!beam_dataflow_has(&m->o->experiments, name))
        add(m, array, json_string(name));
}

static json_t *experiments(maker *m)
{
    json_t *array = list(m, &m->o->experiments);
    for (size_t i = 0; i < sizeof usual_experiments / sizeof *usual_experiments; i++)
        add_experiment(m, array, usual_experiments[i]);
    for (size_t i = 0; m->o->streaming && i < 2; i++)
        add_experiment(m, array, streaming_experiments[i]);
    if (m->o->has_accelerator && m->o->accelerator.is_tpu) /* a TPU belongs to one process */
        add_experiment(m, array, "no_use_multiple_sdk_containers");
    return array;
}

/* ---- Workers --------------------------------------------------------------------------------- */

static bool is_used(const BeamPb__Components *c, const char *environment)
{
    for (size_t i = 0; i < c->n_transforms; i++)
        if (c->transforms[i]->value &&
            strcmp(c->transforms[i]->value->environment_id, environment) == 0)
            return true;
    return false;
}

static json_t *images(maker *m, const BeamPb__Components *c)
{
    json_t *array = json_array();
    for (size_t i = 0; i < c->n_environments; i++) {
        const BeamPb__Environment *environment = c->environments[i]->value;
        if (!is_used(c, c->environments[i]->key))
            continue;
        json_t *image = json_object(), *capabilities = json_array();
        set_text(m, image, "containerImage", m->o->image);
        set_text(m, image, "environmentId", c->environments[i]->key);
        for (size_t k = 0; k < environment->n_capabilities; k++)
            add(m, capabilities, json_string(environment->capabilities[k]));
        set(m, image, "capabilities", capabilities);
        /* Its capabilities say that one process serves all of a machine's cores. */
        set(m, image, "useSingleCorePerContainer", json_false());
        add(m, array, image);
    }
    return array;
}

static json_t *autoscaling(maker *m)
{
    json_t *settings = json_object();
    const char *algorithm = m->o->autoscaling;
    set_number(m, settings, "maxNumWorkers", m->o->max_num_workers);
    if (algorithm)
        set_text(m, settings, "algorithm",
                 strcmp(algorithm, "NONE") == 0 ? "AUTOSCALING_ALGORITHM_NONE"
                                                : "AUTOSCALING_ALGORITHM_BASIC");
    return settings;
}

static json_t *pool(maker *m, const BeamPb__Components *c)
{
    const beam_dataflow_options *o = m->o;
    json_t *pool = json_object();
    set_text(m, pool, "kind", "harness");
    set_number(m, pool, "numWorkers", o->num_workers);
    set(m, pool, "autoscalingSettings", autoscaling(m));
    set_text(m, pool, "machineType", o->machine_type);
    set_number(m, pool, "diskSizeGb", o->disk_size_gb);
    set_text(m, pool, "diskType", o->disk_type);
    set_text(m, pool, "network", o->network);
    set_text(m, pool, "subnetwork", o->subnetwork);
    set_text(m, pool, "ipConfiguration", o->public_ips);
    set_number(m, pool, "numThreadsPerWorker", o->threads);
    set_text(m, pool, "workerHarnessContainerImage", o->image);
    set(m, pool, "sdkHarnessContainerImages", images(m, c));
    return pool;
}

/* ---- The environment ------------------------------------------------------------------------- */

static json_t *option_value(const char *text)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    return *text && !*end && strspn(text, "-0123456789") == strlen(text) ? json_integer(number)
                                                                         : json_string(text);
}

/* As they were given, an option that came more than once as a list, and what Dataflow reads. */
static json_t *sdk_options(maker *m, const beam_dataflow_staged *staged)
{
    const beam_dataflow_options *o = m->o;
    json_t *options = json_object(), *whole = json_object();
    for (size_t i = 0; i < o->n_all; i++) {
        json_t *had = json_object_get(options, o->all[i].name);
        if (json_is_array(had))
            add(m, had, option_value(o->all[i].value));
        else if (had)
            set(m, options, o->all[i].name,
                json_pack("[o,o]", json_incref(had), option_value(o->all[i].value)));
        else
            set(m, options, o->all[i].name, option_value(o->all[i].value));
    }
    set(m, options, "experiments", experiments(m));
    set_text(m, options, "job_name", o->job_name);
    set_text(m, options, "tempLocation", o->temp_location);
    set_text(m, options, "pipelineUrl", staged->url);
    set_text(m, options, "pipelineProtoHash", staged->sha256);
    set(m, whole, "options", options);
    return whole;
}

static json_t *environment(maker *m, const beam_dataflow_staged *staged,
                           const BeamPb__Components *c)
{
    const beam_dataflow_options *o = m->o;
    json_t *made = json_object(), *pools = json_array();
    set(m, made, "version",
        json_pack("{s:s,s:s}", "job_type", o->streaming ? "FNAPI_STREAMING" : "FNAPI_BATCH",
                  "major", "8"));
    set(m, made, "userAgent",
        json_pack("{s:s,s:s}", "name", "libbeam (Apache Beam for C)", "version", BEAM_VERSION));
    set_text(m, made, "clusterManagerApiService", "compute.googleapis.com");
    set_text(m, made, "dataset", "bigquery.googleapis.com/cloud_dataflow");
    set(m, made, "tempStoragePrefix",
        json_sprintf("storage.googleapis.com/%s", o->temp_location + strlen("gs://")));
    set(m, made, "experiments", experiments(m));
    if (o->service_options.n)
        set(m, made, "serviceOptions", list(m, &o->service_options));
    set_text(m, made, "serviceAccountEmail", o->service_account);
    set_text(m, made, "serviceKmsKeyName", o->kms_key);
    set_text(m, made, "workerZone", o->worker_zone);
    set_text(m, made, "workerRegion", o->worker_region);
    if (o->flexrs_goal)
        set(m, made, "flexResourceSchedulingGoal", json_sprintf("FLEXRS_%s", o->flexrs_goal));
    set(m, made, "sdkPipelineOptions", sdk_options(m, staged));
    add(m, pools, pool(m, c));
    set(m, made, "workerPools", pools);
    return made;
}

json_t *beam_dataflow_request(const beam_dataflow_options *options,
                              const beam_dataflow_staged *staged, const BeamPb__Pipeline *pipeline,
                              const char *request_id, const char *replaces)
{
    maker m = {.o = options};
    json_t *job = json_object();
    set_text(&m, job, "name", options->job_name);
    set_text(&m, job, "projectId", options->project);
    set_text(&m, job, "location", options->region);
    set_text(&m, job, "type", options->streaming ? "JOB_TYPE_STREAMING" : "JOB_TYPE_BATCH");
    set_text(&m, job, "clientRequestId", request_id);
    set_text(&m, job, "replaceJobId", replaces);
    if (options->labels.n)
        set(&m, job, "labels", pairs(&m, &options->labels));
    if (options->name_mapping)
        set(&m, job, "transformNameMapping", json_loads(options->name_mapping, 0, NULL));
    set(&m, job, "environment", environment(&m, staged, pipeline->components));
    set(&m, job, "steps", json_array());
    if (m.failed) {
        json_decref(job);
        return NULL;
    }
    return job;
}
