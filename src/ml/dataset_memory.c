/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset_memory.c - a data set of images that are in memory already. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <beam/ml.h>

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
    for (uint32_t c = 0; c < info->channels; c++)
        if (!isnormal(info->scale) || !isfinite(info->mean[c]) || !isnormal(info->deviation[c]))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "(pixel * %g - %g) / %g is no number to feed a network: give "
                                  "images in memory a scale, means and deviations",
                                  (double)info->scale, (double)info->mean[c],
                                  (double)info->deviation[c]);
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

/* ---- Images of a pipeline ----------------------------------------------------------------- */

/* Copies of images: an id and a record each. */
typedef struct held_image {
    int64_t id;
    uint8_t *record;
} held_image;

typedef struct held_images {
    held_image *at; /* grows by beam_grow */
    size_t n, capacity;
    size_t record_size;
    beam_arena records;
} held_images;

static int by_id(const void *a, const void *b)
{
    const held_image *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static beam_status hold(held_images *held, const beam_labeled_image *image,
                        const beam_dataset_info *info, beam_error *err)
{
    const beam_tensor *t = &image->image;
    if (t->dtype != BEAM_U8 || t->rank != 3 || t->shape[0] != info->channels ||
        t->shape[1] != info->height || t->shape[2] != info->width)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "image %lld is not of %u channels and %ux%u pixels",
                              (long long)image->id, info->channels, info->width, info->height);
    if (image->label < 0 || image->label >= info->num_classes || image->label > UINT8_MAX)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "image %lld has label %lld, and there are %u classes",
                              (long long)image->id, (long long)image->label, info->num_classes);
    uint8_t *record = beam_arena_alloc(&held->records, held->record_size);
    if (!record ||
        beam_grow((void **)&held->at, &held->capacity, held->n + 1, sizeof *held->at) != 0)
        return beam_dataset_no_memory(err);
    record[0] = (uint8_t)image->label;
    memcpy(record + 1, t->data, held->record_size - 1);
    held->at[held->n++] = (held_image){image->id, record};
    return BEAM_OK;
}

/* Every nth of them, or all others, as a data set with memory of its own. */
static beam_status make_part(const held_images *held, const beam_dataset_info *info, uint32_t nth,
                             bool test, beam_dataset **dataset, beam_error *err)
{
    beam_arena own = {0};
    beam_dataset_info about = *info;
    uint8_t *records = beam_arena_alloc(&own, held->n * held->record_size);
    if (!records)
        return beam_dataset_no_memory(err);
    about.count = 0;
    about.split = test ? "test" : "train";
    for (size_t i = 0; i < held->n; i++)
        if ((i % nth == 0) == test)
            memcpy(records + about.count++ * held->record_size, held->at[i].record,
                   held->record_size);
    beam_status status = beam_dataset_open_memory(&about, records, dataset, err);
    if (status == BEAM_OK)
        (*dataset)->records_memory = own;
    else
        beam_arena_free(&own);
    return status;
}

/* Of a folder's pictures nobody knows a size before there is one. */
static void take_size(const beam_labeled_image *image, beam_dataset_info *info)
{
    const beam_tensor *t = &image->image;
    if (info->height || info->width || t->rank != 3)
        return;
    info->height = (uint32_t)t->shape[1];
    info->width = (uint32_t)t->shape[2];
}

beam_status beam_dataset_of_images(const beam_iterable *images, const beam_dataset_info *info,
                                   uint32_t nth, beam_dataset **train, beam_dataset **test,
                                   beam_error *err)
{
    held_images held = {0};
    beam_dataset_info about = *info;
    beam_iter it = beam_iterate(images, beam_labeled_image);
    const beam_labeled_image *image;
    beam_status status = BEAM_OK;
    *train = *test = NULL;
    if (nth < 2)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "every image would be a test image");
    while (status == BEAM_OK && (image = beam_next(&it, beam_labeled_image))) {
        take_size(image, &about);
        held.record_size = 1 + (size_t)about.channels * about.height * about.width;
        status = hold(&held, image, &about, err);
    }
    if (status == BEAM_OK)
        status = it.status;
    if (status == BEAM_OK && held.n < 2)
        status = beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                "%zu images are too few to train and to test with", held.n);
    if (held.n)
        qsort(held.at, held.n, sizeof *held.at, by_id);
    if (status == BEAM_OK)
        status = make_part(&held, &about, nth, false, train, err);
    if (status == BEAM_OK)
        status = make_part(&held, &about, nth, true, test, err);
    if (status != BEAM_OK) {
        beam_dataset_close(*train);
        *train = NULL;
    }
    beam_arena_free(&held.records);
    beam_free(held.at);
    return status;
}
