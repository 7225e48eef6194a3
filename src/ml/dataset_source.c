/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset_source.c - a data set as a splittable DoFn over the numbers of its images. */
#include <string.h>

#include <beam/image.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "ml/dataset_cache.h"
#include "ml/dataset_file.h"
#include "ml/library.h"
#include "ml/staging.h"

/* Ranges before anything runs are a few batches long, so that batches are full and threads end
 * together; the runner splits further. */
enum { PARTS = 16, BATCH = 256, SMALL_BATCH = 64, LARGEST_PART = 1024 };

typedef struct source_state {
    beam_shared_dataset shared;
    uint8_t *planes; /* of a picture file's image, channel after channel */
    size_t capacity;
} source_state;

/* NULL for an empty text. */
static beam_status text_of(beam_ctx *ctx, beam_str text, const char **result)
{
    *result = text.len ? beam_cstr(ctx, text) : NULL;
    return text.len && !*result ? BEAM_RESOURCE_EXHAUSTED : BEAM_OK;
}

/* Opened by the first callback that needs it: not every instance does. */
static beam_status dataset_of(beam_ctx *ctx, const beam_dataset **dataset)
{
    const beam_read_dataset_config *config = beam_config(ctx, beam_read_dataset_config);
    beam_shared_dataset *shared = &beam_self(ctx, source_state)->shared;
    if (!shared->dataset) {
        const char *name, *split, *data_dir;
        BEAM_TRY(text_of(ctx, config->dataset, &name));
        BEAM_TRY(text_of(ctx, config->split, &split));
        BEAM_TRY(text_of(ctx, config->data_dir, &data_dir));
        BEAM_TRY(beam_dataset_share(name, split, data_dir, beam_ctx_logger(ctx), shared,
                                    beam_ctx_error(ctx)));
    }
    *dataset = shared->dataset;
    return BEAM_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* From pixel after pixel to channel after channel. */
static beam_status separate(beam_ctx *ctx, const beam_image *image, beam_tensor *tensor)
{
    source_state *state = beam_self(ctx, source_state);
    size_t count = (size_t)image->width * image->height, channels = image->channels;
    void *planes = state->planes;
    int grown = beam_grow(&planes, &state->capacity, count * channels, 1);
    state->planes = planes;
    if (grown != 0)
        return beam_fail(ctx, BEAM_RESOURCE_EXHAUSTED, "no memory for an image of %ux%u",
                         image->width, image->height);
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < count; i++)
            state->planes[c * count + i] = image->pixels[i * channels + c];
    *tensor = (beam_tensor){.dtype = BEAM_U8,
                            .rank = 3,
                            .shape = {(int64_t)channels, image->height, image->width},
                            .data = state->planes};
    return BEAM_OK;
}

static beam_status read_file(beam_ctx *ctx, const char *path, beam_tensor *tensor)
{
    beam_error *err = beam_ctx_error(ctx);
    beam_file_view view;
    beam_image image = {0};
    BEAM_TRY(beam_fs_view(path, &view, err));
    beam_status status = beam_image_decode(view.data, view.size, NULL, &image, err);
    if (status != BEAM_OK)
        status = beam_error_wrap(err, status, "%s", path);
    beam_file_view_close(&view);
    if (status == BEAM_OK)
        status = separate(ctx, &image, tensor);
    beam_image_free(&image);
    return status;
}

static beam_status emit_image(beam_ctx *ctx, const beam_dataset *dataset, int64_t index)
{
    const beam_dataset_info *info = beam_dataset_get_info(dataset);
    beam_dataset_record record;
    beam_labeled_image out = {.id = index};
    beam_status status = beam_dataset_read(dataset, (uint64_t)index, &record);
    if (status != BEAM_OK)
        return beam_fail(ctx, status, "%s has no image %lld", info->name, (long long)index);
    out.label = record.label;
    if (record.path)
        BEAM_TRY(read_file(ctx, record.path, &out.image));
    else
        out.image = (beam_tensor){.dtype = BEAM_U8,
                                  .rank = 3,
                                  .shape = {info->channels, info->height, info->width},
                                  .data = record.pixels};
    return beam_emit_value(ctx, beam_labeled_image, &out);
}

static beam_status process(beam_ctx *ctx, const void *element, beam_tracker *tracker)
{
    (void)element;
    const beam_dataset *dataset;
    const beam_offset_range *range = tracker->restriction;
    BEAM_TRY(dataset_of(ctx, &dataset));
    for (int64_t i = range->start; beam_try_claim_offset(ctx, tracker, i); i++) {
        BEAM_TRY(emit_image(ctx, dataset, i));
        if (beam_cancelled(ctx))
            return BEAM_CANCELLED;
    }
    return BEAM_OK;
}

static void teardown(beam_ctx *ctx)
{
    source_state *state = beam_self(ctx, source_state);
    beam_dataset_unshare(&state->shared);
    beam_free(state->planes);
}

/* ---- Ranges ---------------------------------------------------------------------------------- */

static beam_status initial_restriction(beam_ctx *ctx, const void *element, void *restriction)
{
    (void)element;
    const beam_read_dataset_config *config = beam_config(ctx, beam_read_dataset_config);
    const beam_dataset *dataset;
    BEAM_TRY(dataset_of(ctx, &dataset));
    int64_t count = (int64_t)beam_dataset_get_info(dataset)->count;
    if (config->num_images > 0 && config->num_images < count)
        count = config->num_images;
    *(beam_offset_range *)restriction = (beam_offset_range){0, count};
    return BEAM_OK;
}

static int64_t round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static beam_status split_restriction(beam_ctx *ctx, const void *element, const void *restriction)
{
    (void)element;
    beam_offset_range rest = *(const beam_offset_range *)restriction;
    int64_t part = (rest.stop - rest.start + PARTS - 1) / PARTS;
    part = round_up(part, part > SMALL_BATCH * 2 ? BATCH : SMALL_BATCH);
    if (part > LARGEST_PART)
        part = LARGEST_PART;
    while (rest.stop - rest.start > part) {
        const beam_offset_range first = {rest.start, rest.start + part};
        BEAM_TRY(beam_emit_restriction(ctx, &first));
        rest.start = first.stop;
    }
    return beam_emit_restriction(ctx, &rest);
}

static beam_status restriction_size(beam_ctx *ctx, const void *element, const void *restriction,
                                    double *size)
{
    (void)ctx;
    (void)element;
    const beam_offset_range *range = restriction;
    *size = (double)(range->stop - range->start);
    return BEAM_OK;
}

static const beam_splittable splittable = {.struct_size = sizeof(beam_splittable),
                                           .restriction = &beam_offset_range_type,
                                           .tracker = &beam_offset_range_tracker,
                                           .initial_restriction = initial_restriction,
                                           .split_restriction = split_restriction,
                                           .restriction_size = restriction_size,
                                           .process = process};

const beam_dofn beam_read_dataset_fn = {.struct_size = sizeof(beam_dofn),
                                        .name = "beam_read_dataset_fn",
                                        .in = &beam_bytes_type,
                                        BEAM_TYPES(&beam_labeled_image_type),
                                        .config = &beam_read_dataset_config_type,
                                        .state_size = sizeof(source_state),
                                        .teardown = teardown,
                                        .splittable = &splittable};

/* Where the data set with a known name lies, or the folder that is its own name. */
static beam_status locate(const char *name, char **path, beam_error *err)
{
    beam_dataset *dataset = NULL;
    *path = NULL;
    if (strcmp(name, "cifar10") == 0 || strcmp(name, "digits") == 0)
        BEAM_TRY(beam_dataset_open(name, NULL, &dataset, err));
    *path = beam_strdup(dataset ? beam_dataset_get_info(dataset)->location : name);
    beam_dataset_close(dataset);
    return *path ? BEAM_OK : beam_dataset_no_memory(err);
}

void beam_pipeline_needs_dataset(beam_pipeline *pipeline, const char *dataset, const char *data_dir)
{
    bool in_folder = strcmp(dataset, "cifar10") == 0 && data_dir;
    beam_pipeline_needs_file(pipeline, BEAM_STAGED_DATASET, in_folder ? data_dir : dataset, locate);
}

beam_pcoll beam_read_dataset_(beam_pipeline *pipeline, const beam_read_dataset_args *args)
{
    const char *none = "";
    if (!args->dataset || !*args->dataset || args->num_images < 0) {
        (void)beam_pipeline_fail(pipeline, BEAM_INVALID_ARGUMENT,
                                 "%s:%d: ReadDataset needs a data set's name, and a number of "
                                 "images that is not negative",
                                 args->file, args->line);
        return (beam_pcoll){pipeline, 0};
    }
    const beam_read_dataset_config config = {
        beam_str_of(args->dataset), beam_str_of(args->split ? args->split : none),
        beam_str_of(args->data_dir ? args->data_dir : none), args->num_images};
    beam_pipeline_needs_dataset(pipeline, args->dataset, args->data_dir);
    beam_composite_begin_at(pipeline, args->name ? args->name : "ReadDataset", NULL, args->file,
                            args->line);
    beam_pcoll images = beam_pardo(beam_impulse(pipeline), &beam_read_dataset_fn, .name = "Read",
                                   .config = &config);
    beam_composite_end(pipeline);
    return images;
}
