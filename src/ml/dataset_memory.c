/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset_memory.c - a data set of images that are in memory already. */
#include <string.h>

#include "base/alloc.h"
#include "ml/dataset_file.h"

static beam_status check(const beam_dataset_info *info, const uint8_t *records, beam_error *err)
{
    if (!info->count || !info->num_classes || !info->class_names || !info->height || !info->width ||
        (info->channels != 1 && info->channels != 3))
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "images in memory need a number, classes, 1 or 3 channels and a size");
    if (info->height > UINT16_MAX || info->width > UINT16_MAX)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "images of %ux%u are too large",
                              info->height, info->width);
    size_t size = 1 + (size_t)info->channels * info->height * info->width;
    if (info->count > SIZE_MAX / size)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "more images than memory can hold");
    for (uint64_t i = 0; i < info->count; i++)
        if (records[i * size] >= info->num_classes)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "image %llu has label %u, and there are %u classes",
                                  (unsigned long long)i, records[i * size], info->num_classes);
    return BEAM_OK;
}

static bool copy_info(beam_dataset *d, const beam_dataset_info *info)
{
    const char **names = beam_arena_alloc(&d->arena, info->num_classes * sizeof *names);
    d->info = *info;
    d->info.name = beam_arena_strdup(&d->arena, info->name ? info->name : "memory");
    d->info.split = beam_arena_strdup(&d->arena, info->split ? info->split : "all");
    d->info.location = beam_arena_strdup(&d->arena, info->location ? info->location : "memory");
    d->info.message = info->message ? beam_arena_strdup(&d->arena, info->message) : NULL;
    d->info.class_names = names;
    for (uint32_t i = 0; names && i < info->num_classes; i++)
        if (!(names[i] = beam_arena_strdup(&d->arena, info->class_names[i])))
            return false;
    return names && d->info.name && d->info.split && d->info.location &&
           (!info->message || d->info.message);
}

beam_status beam_dataset_open_memory(const beam_dataset_info *info, const uint8_t *records,
                                     beam_dataset **dataset, beam_error *err)
{
    *dataset = NULL;
    BEAM_TRY(check(info, records, err));
    beam_dataset *d = beam_calloc(1, sizeof *d);
    if (!d)
        return beam_dataset_no_memory(err);
    if (!copy_info(d, info)) {
        beam_dataset_close(d);
        return beam_dataset_no_memory(err);
    }
    /* num_files stays 0: there is nothing to close. */
    d->files[0].data = records;
    d->records[0] = info->count;
    d->record_size = 1 + (size_t)info->channels * info->height * info->width;
    *dataset = d;
    return BEAM_OK;
}
