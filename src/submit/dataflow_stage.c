/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_stage.c - what a job is made of, in Cloud Storage.  Everything is named by its checksum:
 * the next job of the same program sends its pipeline and nothing else. */
#include <string.h>

#include "io/filesystem.h"
#include "model/message.h"
#include "net/digest.h"
#include "submit/dataflow.h"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to stage the job");
}

/* The location without slashes at its end. */
static char *folder_of(const char *location, const char *below, beam_arena *arena)
{
    size_t len = strlen(location);
    while (len && location[len - 1] == '/')
        len--;
    return beam_arena_printf(arena, "%.*s/%s", (int)len, location, below);
}

static beam_status name_pipeline(const beam_dataflow_options *options, beam_arena *arena,
                                 beam_dataflow_staged *staged, beam_error *err)
{
    beam_digest *digest = NULL;
    char text[BEAM_DIGEST_TEXT];
    beam_status status = beam_digest_new("sha256", &digest, err);
    if (status == BEAM_OK)
        status = beam_digest_add(digest, staged->pipeline.data, staged->pipeline.len);
    if (status == BEAM_OK)
        status = beam_digest_text(digest, text);
    beam_digest_free(digest);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "cannot work out the pipeline's checksum");
    staged->sha256 = beam_arena_strdup(arena, text);
    staged->url = beam_arena_printf(arena, "%s/pipeline-%s.pb",
                                    folder_of(options->staging_location, "libbeam", arena), text);
    return staged->sha256 && staged->url ? BEAM_OK : no_memory(err);
}

beam_status beam_dataflow_plan_staging(const beam_dataflow_options *options,
                                       const beam_job_description *job, beam_arena *arena,
                                       beam_dataflow_staged *staged, beam_error *err)
{
    BeamPb__Pipeline *parsed = NULL, *pipeline = NULL;
    beam_job_description placed = *job;
    *staged = (beam_dataflow_staged){0};
    staged->folder = folder_of(options->staging_location, "libbeam", arena);
    if (!staged->folder)
        return no_memory(err);
    placed.artifact_folder = staged->folder;
    BEAM_TRY(beam_message_unpack(&beam_pb__pipeline__descriptor, job->pipeline, job->pipeline_size,
                                 &parsed, err));
    beam_status status = beam_pipeline_complete(&placed, parsed, arena, &pipeline, err);
    if (status == BEAM_OK && beam_message_pack(pipeline, &staged->pipeline) != BEAM_OK)
        status = no_memory(err);
    beam_message_free(parsed);
    return status == BEAM_OK ? name_pipeline(options, arena, staged, err) : status;
}

static beam_status send_artifact(const beam_artifact *artifact, const char *folder,
                                 const beam_logger *logger, beam_error *err)
{
    bool exists;
    beam_arena arena = {0};
    char *to = beam_arena_printf(&arena, "%s/%s", folder, artifact->sha256);
    beam_status status = to ? beam_fs_exists(to, &exists, err) : no_memory(err);
    if (status == BEAM_OK && !exists) {
        BEAM_LOG(logger, BEAM_LOG_INFO, "sending %s to %s", artifact->path, to);
        status = beam_fs_copy_local(artifact->path, to, err);
    }
    beam_arena_free(&arena);
    return status;
}

static beam_status send_all(const beam_dataflow_staged *staged, const beam_artifacts *artifacts,
                            const beam_logger *logger, const int *cancel, beam_error *err)
{
    for (size_t i = 0; i < artifacts->n; i++) {
        if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED))
            return beam_error_set(err, BEAM_CANCELLED, "cancelled while files were sent");
        BEAM_TRY(send_artifact(&artifacts->items[i], staged->folder, logger, err));
    }
    return beam_fs_write(staged->url, staged->pipeline.data, staged->pipeline.len, err);
}

beam_status beam_dataflow_stage(const beam_dataflow_staged *staged, const beam_artifacts *artifacts,
                                const beam_logger *logger, const int *cancel, beam_error *err)
{
    const int *before = beam_fs_stop(cancel);
    beam_status status = send_all(staged, artifacts, logger, cancel, err);
    (void)beam_fs_stop(before);
    return status;
}
