/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_preflight.c - questions to the services, each of which costs nothing, before a job that
 * costs something. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/gs.h"
#include "submit/dataflow.h"

/* ---- Dataflow -------------------------------------------------------------------------------- */

/* Whether we may use it, and no job has the name. */
static beam_status check_service(beam_dataflow_client *client, beam_error *err)
{
    const beam_dataflow_options *o = client->options;
    beam_dataflow_job job;
    BEAM_TRY(beam_dataflow_find(client, o->job_name, &job, err));
    if (!job.id[0] || o->update)
        return BEAM_OK;
    return beam_error_set(
        err, BEAM_ALREADY_EXISTS,
        "a job of the name %s runs in %s already (%s): give another --job_name, or "
        "cancel it: beam dataflow cancel %s --project=%s --region=%s",
        o->job_name, o->region, job.id, job.id, o->project, o->region);
}

/* ---- Buckets --------------------------------------------------------------------------------- */

/* Whether a bucket in `location` has a copy in the region: US has one somewhere in us-*. */
static bool has_copy(const char *location, const char *region)
{
    static const struct {
        const char *location, *regions;
    } areas[] = {{"US", "us-"}, {"EU", "europe-"}, {"ASIA", "asia-"}};
    static const struct {
        const char *location, *a, *b;
    } pairs[] = {{"NAM4", "us-central1", "us-east1"},
                 {"EUR4", "europe-north1", "europe-west4"},
                 {"ASIA1", "asia-northeast1", "asia-northeast2"}};
    for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
        if (strcasecmp(location, areas[i].location) == 0)
            return strncmp(region, areas[i].regions, strlen(areas[i].regions)) == 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (strcasecmp(location, pairs[i].location) == 0)
            return strcmp(region, pairs[i].a) == 0 || strcmp(region, pairs[i].b) == 0;
    return strcasecmp(location, region) == 0;
}

static beam_status check_bucket(const char *option, const char *path, const char *region,
                                const beam_logger *logger, beam_error *err)
{
    beam_gs_place place;
    beam_gs_bucket bucket;
    beam_error why = {0};
    BEAM_TRY(beam_gs_parse_path(beam_str_of(path), &place, err));
    beam_status status = beam_gs_find_bucket(&place, &bucket, &why);
    if (status == BEAM_NOT_FOUND)
        return beam_error_set(err, status,
                              "--%s=%s: there is no bucket %s; make it with gcloud storage buckets "
                              "create gs://%s --location=%s",
                              option, path, place.bucket, place.bucket, region);
    if (status == BEAM_PERMISSION_DENIED) {
        BEAM_LOG(logger, BEAM_LOG_INFO, "where bucket %s is may not be looked at: %s", place.bucket,
                 why.message);
        return BEAM_OK;
    }
    if (status != BEAM_OK)
        return beam_error_set(err, status, "--%s=%s: %s", option, path, why.message);
    if (has_copy(bucket.location, region) || strcasecmp(bucket.parts[0], region) == 0 ||
        strcasecmp(bucket.parts[1], region) == 0)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "--%s=%s: bucket %s is in %s, workers in %s; what they read and write "
                          "would be slow and charged for: take a bucket in %s, or another --region",
                          option, path, place.bucket, bucket.location, region, region);
}

static beam_status check_buckets(const beam_dataflow_options *o, const beam_logger *logger,
                                 beam_error *err)
{
    BEAM_TRY(check_bucket("temp_location", o->temp_location, o->region, logger, err));
    return strcmp(o->temp_location, o->staging_location) == 0
               ? BEAM_OK
               : check_bucket("staging_location", o->staging_location, o->region, logger, err);
}

/* ---- Quota ----------------------------------------------------------------------------------- */

/* Where workers run. */
static char *region_of(const beam_dataflow_options *o, beam_arena *arena)
{
    if (o->worker_zone) /* its region, and a letter behind it */
        return beam_arena_strndup(arena, o->worker_zone, strlen(o->worker_zone) - 2);
    return beam_arena_strdup(arena, o->worker_region ? o->worker_region : o->region);
}

/* Of one quota, of which a worker takes `each`. */
static beam_status compare(const beam_dataflow_options *o, const char *region, const char *metric,
                           int64_t each, const beam_buffer *answer, beam_error *err)
{
    double limit, usage;
    int64_t workers = o->num_workers ? o->num_workers : 1;
    if (beam_dataflow_parse_quota(answer->data, answer->len, metric, &limit, &usage) != BEAM_OK ||
        limit - usage >= (double)(workers * each))
        return BEAM_OK;
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                          "project %s may have %.0f %s in %s and uses %.0f; %lld worker(s) want "
                          "%lld: ask for more (https://console.cloud.google.com/iam-admin/quotas"
                          "?project=%s), or take another --region or fewer --num_workers",
                          o->project, limit, metric, region, usage, (long long)workers,
                          (long long)(workers * each), o->project);
}

static beam_status compare_all(const beam_dataflow_options *o, const char *region,
                               const beam_buffer *answer, beam_error *err)
{
    const char *accelerators =
        o->has_accelerator ? beam_dataflow_accelerator_quota(&o->accelerator) : NULL;
    const char *cpus;
    int64_t vcpus = o->prime ? 0 : beam_dataflow_machine_vcpus(o->machine_type, &cpus);
    if (accelerators)
        BEAM_TRY(compare(o, region, accelerators, o->accelerator.is_tpu ? 1 : o->accelerator.count,
                         answer, err));
    return vcpus ? compare(o, region, cpus, vcpus, answer, err) : BEAM_OK;
}

/* Compute Engine's, whose address gcloud's variable changes. */
static char *quota_url(const beam_dataflow_client *client, const char *region, beam_arena *arena)
{
    const char *other = getenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE");
    const char *base = other && *other ? other : "https://compute.googleapis.com/compute/v1/";
    bool safe = strncmp(base, "https://", 8) == 0 || beam_http_is_loopback(base);
    const char *project = beam_dataflow_escape(arena, client->options->project);
    return safe && project
               ? beam_arena_printf(arena, "%s%sprojects/%s/regions/%s?fields=quotas", base,
                                   base[strlen(base) - 1] == '/' ? "" : "/", project, region)
               : NULL;
}

static beam_status check_quota(beam_dataflow_client *client, const beam_logger *logger,
                               beam_arena *arena, beam_error *err)
{
    const beam_dataflow_options *o = client->options;
    const char *region = region_of(o, arena);
    beam_buffer answer = {0};
    long code = 0;
    const beam_dataflow_call call = {.method = "GET",
                                     .url = region ? quota_url(client, region, arena) : NULL,
                                     .doing = "ask for the project's quotas",
                                     .any_code = true,
                                     .code = &code};
    beam_status status = beam_dataflow_perform(client, &call, &answer, err);
    if (status == BEAM_OK && code == 404)
        status = beam_error_set(err, BEAM_NOT_FOUND,
                                "project %s has no region %s (or is no project of this account)",
                                o->project, region);
    else if (status == BEAM_OK && code == 200)
        status = compare_all(o, region, &answer, err);
    else if (status == BEAM_OK)
        BEAM_LOG(logger, BEAM_LOG_INFO, "quotas may not be looked at (Compute Engine answers %ld)",
                 code);
    beam_buffer_free(&answer);
    return status;
}

/* ---- The image ------------------------------------------------------------------------------- */

static beam_status check_image(beam_dataflow_client *client,
                               const beam_dataflow_accelerator *wanted, const beam_logger *logger,
                               beam_arena *arena, beam_error *err)
{
    const beam_dataflow_options *o = client->options;
    beam_dataflow_image image;
    bool known;
    BEAM_TRY(beam_dataflow_find_image(client, arena, &image, &known, err));
    if (!known) {
        BEAM_LOG(logger, BEAM_LOG_WARNING,
                 "the registry of %s does not tell of it here; whether the image is there, and for "
                 "which accelerator, is found by workers",
                 o->image);
        return BEAM_OK;
    }
    return beam_dataflow_image_suits(o->image, &image, wanted->type[0] ? wanted : NULL, logger,
                                     err);
}

beam_status beam_dataflow_preflight(beam_dataflow_client *client,
                                    const beam_dataflow_accelerator *wanted,
                                    const beam_logger *logger, beam_error *err)
{
    beam_arena arena = {0};
    beam_status status = check_service(client, err);
    if (status == BEAM_OK)
        status = check_buckets(client->options, logger, err);
    if (status == BEAM_OK)
        status = check_image(client, wanted, logger, &arena, err);
    if (status == BEAM_OK)
        status = check_quota(client, logger, &arena, err);
    beam_arena_free(&arena);
    return status;
}
