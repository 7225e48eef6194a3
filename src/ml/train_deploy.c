/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_deploy.c - DeployBestModel's DoFn: a model and what it is, where a server looks for them.
 *
 * The element comes from behind a barrier, so a second try deploys the same model again.  The
 * manifest follows the model, and holds its size and checksum: whoever reads both can tell that
 * they belong together. */
#include <stdio.h>

#include "base/buffer.h"
#include "base/crc32c.h"
#include "io/filesystem.h"
#include "ml/train_json.h"
#include "ml/train_models.h"

#define MANIFEST(FIELD, S)                                              \
    FIELD(S, beam_str, model)              /* a file beside this one */ \
    FIELD(S, beam_int64, size)             /* its bytes */              \
    FIELD(S, beam_str, crc32c)             /* and their CRC-32C, hex */ \
    FIELD(S, beam_training_result, result) /* where it came from */
BEAM_STRUCT(manifest, MANIFEST);

static const char model_name[] = "model.safetensors", manifest_name[] = "manifest.json";

static char *place_of(beam_ctx *ctx, const char *name)
{
    beam_str folder = beam_config(ctx, beam_deploy_config)->serving_dir;
    beam_str path = beam_format(ctx, "%.*s/%s", (int)folder.len, folder.at, name);
    return path.at ? beam_cstr(ctx, path) : NULL;
}

static beam_status copy_model(const char *from, const char *to, manifest *about, char crc[9],
                              beam_error *err)
{
    beam_file_view view;
    BEAM_TRY(beam_fs_view(from, &view, err));
    uint32_t sum = beam_crc32c(0, view.data, view.size);
    beam_status status = beam_fs_write(to, view.data, view.size, err);
    about->model = beam_str_of(model_name);
    about->size = (int64_t)view.size;
    (void)snprintf(crc, 9, "%08x", sum);
    about->crc32c = beam_str_of(crc);
    beam_file_view_close(&view);
    return status;
}

static beam_status write_manifest(const char *path, const manifest *about, beam_error *err)
{
    beam_buffer text = {0};
    beam_status status = beam_row_to_json(&manifest_type, about, &text, err);
    if (status == BEAM_OK && beam_buffer_u8(&text, '\n') != BEAM_OK)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for %s", path);
    if (status == BEAM_OK)
        status = beam_fs_write(path, text.data, text.len, err);
    beam_buffer_free(&text);
    return status;
}

static beam_status process(beam_ctx *ctx, const void *element)
{
    manifest about = {.result = *(const beam_training_result *)element};
    beam_error *err = beam_ctx_error(ctx);
    char crc[9];
    if (!about.result.model_path.len) {
        beam_ctx_log(ctx, BEAM_LOG_ERROR, "there is no model to deploy: %.*s",
                     (int)about.result.error.len,
                     about.result.error.len ? about.result.error.at : "");
        return beam_emit_value(ctx, beam_training_result, &about.result);
    }
    char *folder = beam_cstr(ctx, beam_config(ctx, beam_deploy_config)->serving_dir);
    char *from = beam_cstr(ctx, about.result.model_path);
    char *to = place_of(ctx, model_name), *manifest_to = place_of(ctx, manifest_name);
    if (!folder || !from || !to || !manifest_to)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory to deploy a model");
    BEAM_TRY(beam_fs_make_folder(folder, err));
    BEAM_TRY(copy_model(from, to, &about, crc, err));
    BEAM_TRY(write_manifest(manifest_to, &about, err));
    about.result.model_path = beam_str_of(to);
    return beam_emit_value(ctx, beam_training_result, &about.result);
}

const beam_dofn beam_deploy_fn = {.struct_size = sizeof(beam_dofn),
                                  .name = "beam_deploy_fn",
                                  .in = &beam_training_result_type,
                                  BEAM_TYPES(&beam_training_result_type),
                                  .config = &beam_deploy_config_type,
                                  .process = process};
