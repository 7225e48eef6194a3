/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_vm.c - stands in for a machine of Dataflow's: given where a pipeline is staged, it fetches
 * pipeline and artifacts as the pipeline's environments name them, runs them on Prism with workers
 * that COMMAND starts (as a container's entry point would be), and prints the metrics as Dataflow
 * tells them.
 *
 *     test_vm COMMAND gs://.../pipeline.pb SHA256
 *
 * Without arguments there is nothing to test. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/engine.h"
#include "io/filesystem.h"
#include "model/message.h"
#include "model/urn.h"
#include "net/digest.h"
#include "submit/prism.h"
#include "submit/submit.h"

typedef struct vm {
    const char *folder;
    beam_arena arena;
    beam_artifacts artifacts;
    BeamPb__Pipeline *pipeline;
    beam_file_view bytes;
} vm;

/* One artifact: from Cloud Storage into a file here, its checksum looked at. */
static beam_status fetch(vm *v, const BeamPb__ArtifactInformation *info, beam_error *err)
{
    BeamPb__ArtifactUrlPayload *url = NULL;
    beam_artifact artifact;
    beam_file_view view;
    char path[512];
    if (strcmp(info->type_urn, BEAM_URN_ARTIFACT_URL) != 0 ||
        !beam_artifact_from_proto(info, &v->arena, &artifact))
        return beam_error_set(err, BEAM_DATA_LOSS, "an artifact of type %s", info->type_urn);
    BEAM_TRY(beam_message_unpack(&beam_pb__artifact_url_payload__descriptor,
                                 info->type_payload.data, info->type_payload.len, &url, err));
    (void)snprintf(path, sizeof path, "%s/%s", v->folder, artifact.sha256);
    beam_status status = beam_fs_view(url->url, &view, err);
    if (status == BEAM_OK) {
        status = beam_digest_check("sha256", view.data, view.size, url->sha256, url->url, err);
        if (status == BEAM_OK)
            status = beam_fs_write(path, view.data, view.size, err);
        beam_file_view_close(&view);
    }
    beam_message_free(url);
    return status == BEAM_OK ? beam_artifacts_add(&v->artifacts, path, artifact.name, err) : status;
}

/* Every environment is a container, all of the same files. */
static beam_status fetch_all(vm *v, beam_error *err)
{
    const BeamPb__Components *c = v->pipeline->components;
    for (size_t i = 0; i < c->n_environments; i++)
        if (strcmp(c->environments[i]->value->urn, BEAM_URN_ENV_DOCKER) != 0)
            return beam_error_set(err, BEAM_DATA_LOSS, "an environment of type %s",
                                  c->environments[i]->value->urn);
    const BeamPb__Environment *first = c->environments[0]->value;
    for (size_t i = 0; i < first->n_dependencies; i++)
        BEAM_TRY(fetch(v, first->dependencies[i], err));
    return BEAM_OK;
}

static json_t *to_json(const beam_metric_total *m)
{
    json_t *name = json_pack("{s:s,s:s,s:{s:s,s:s}}", "origin", "user", "name", m->name, "context",
                             "namespace", m->function, "step", m->transform);
    if (m->kind == BEAM_DISTRIBUTION)
        return json_pack("{s:o,s:{s:I,s:I,s:I,s:I}}", "name", name, "distribution", "count",
                         (json_int_t)m->cell.count, "sum", (json_int_t)m->cell.sum, "min",
                         (json_int_t)m->cell.min, "max", (json_int_t)m->cell.max);
    return json_pack("{s:o,s:I}", "name", name, "scalar", (json_int_t)m->cell.sum);
}

static beam_status run(vm *v, const char *command, beam_error *err)
{
    const beam_logger logger = {.min_level = BEAM_LOG_WARNING};
    beam_environment environment;
    beam_prism prism = {0};
    beam_job_metrics metrics;
    json_t *told = json_array();
    BEAM_TRY(beam_environment_make("PROCESS", command, &v->arena, &environment, err));
    BEAM_TRY(beam_prism_start(&logger, &prism, err));
    beam_submission submission = {.endpoint = prism.endpoint,
                                  .job = {.pipeline = v->bytes.data,
                                          .pipeline_size = v->bytes.size,
                                          .name = "vm",
                                          .environment = &environment,
                                          .artifacts = &v->artifacts},
                                  .logger = &logger};
    submission.job.capabilities = beam_engine_capabilities(&submission.job.n_capabilities);
    beam_status status = beam_submit(&submission, &v->arena, &metrics, err);
    beam_prism_stop(&prism);
    for (size_t i = 0; i < metrics.n; i++)
        (void)json_array_append_new(told, to_json(&metrics.totals[i]));
    if (status == BEAM_OK)
        (void)json_dumpf(told, stdout, 0);
    json_decref(told);
    return status;
}

static beam_status work(vm *v, const char *command, const char *url, const char *sha256,
                        beam_error *err)
{
    BEAM_TRY(beam_fs_view(url, &v->bytes, err));
    BEAM_TRY(beam_digest_check("sha256", v->bytes.data, v->bytes.size, sha256, url, err));
    BEAM_TRY(beam_message_unpack(&beam_pb__pipeline__descriptor, v->bytes.data, v->bytes.size,
                                 &v->pipeline, err));
    BEAM_TRY(fetch_all(v, err));
    return run(v, command, err);
}

int main(int argc, char **argv)
{
    beam_error err = {0};
    char folder[] = "/tmp/libbeam-vm.XXXXXX";
    if (argc != 4)
        return argc > 1;
    vm v = {.folder = mkdtemp(folder)};
    if (!v.folder)
        return 1;
    beam_status status = work(&v, argv[1], argv[2], argv[3], &err);
    if (status != BEAM_OK)
        fprintf(stderr, "%s\n", err.message);
    beam_message_free(v.pipeline);
    beam_file_view_close(&v.bytes);
    beam_artifacts_free(&v.artifacts);
    beam_arena_free(&v.arena);
    (void)beam_fs_remove_folder(folder, NULL);
    return status == BEAM_OK ? 0 : 1;
}
