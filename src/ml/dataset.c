/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset.c - opening a data set by name, and reading its records. */
#include <beam/dataset.h>

#include <stdlib.h>
#include <string.h>

#include <beam/image.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "ml/dataset_file.h"
#include "ml/staging.h"

beam_status beam_dataset_no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a data set");
}

static beam_dataset *new_dataset(const char *name)
{
    beam_dataset *d = beam_calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->info.name = beam_arena_strdup(&d->arena, name);
    if (d->info.name)
        return d;
    beam_dataset_close(d);
    return NULL;
}

/* Replaces *d by the digits, which say why. */
static beam_status fall_back(beam_dataset **d, const char *split, const beam_error *why,
                             beam_error *err)
{
    beam_dataset_close(*d);
    *d = new_dataset("digits");
    if (!*d)
        return beam_dataset_no_memory(err);
    BEAM_TRY(beam_dataset_open_digits(*d, split, err));
    (*d)->info.is_fallback = true;
    (*d)->info.message = beam_arena_printf(
        &(*d)->arena, "CIFAR-10 cannot be had, so the digits take its place. %s", why->message);
    return (*d)->info.message ? BEAM_OK : beam_dataset_no_memory(err);
}

static beam_status open_cifar10(beam_dataset **d, const char *split, const beam_dataset_options *o,
                                beam_error *err)
{
    beam_error why = {0};
    beam_status status = beam_dataset_open_cifar10(*d, split, o, &why);
    if (status == BEAM_OK)
        return status;
    /* Files that are there but damaged must not go unnoticed. */
    if (o->fall_back && !beam_cifar10_named_folder(o) && status != BEAM_DATA_LOSS &&
        status != BEAM_CANCELLED && status != BEAM_RESOURCE_EXHAUSTED)
        return fall_back(d, split, &why, err);
    return beam_error_set(err, status, "%s", why.message);
}

/* A folder with CIFAR-10 in it, or with a folder for each class. */
static beam_status open_folder(beam_dataset *d, const char *folder, const beam_dataset_options *o,
                               beam_error *err)
{
    char *found = NULL;
    BEAM_TRY(beam_cifar10_find(folder, &found, err));
    if (!found)
        return beam_dataset_open_folder(d, folder, o->split, err);
    beam_dataset_options here = *o;
    here.data_dir = folder;
    beam_free(found);
    return beam_dataset_open_cifar10(d, o->split ? o->split : "test", &here, err);
}

static beam_status open_named(beam_dataset **d, const char *name, const beam_dataset_options *o,
                              beam_error *err)
{
    const char *split = o->split ? o->split : "test";
    if (strcmp(name, "cifar10") == 0)
        return open_cifar10(d, split, o, err);
    if (strcmp(name, "digits") == 0)
        return beam_dataset_open_digits(*d, split, err);
    char *staged = NULL;
    BEAM_TRY(beam_staged_find(BEAM_STAGED_DATASET, name, &staged, err));
    beam_status status = open_folder(*d, staged ? staged : name, o, err);
    beam_free(staged);
    return status;
}

beam_status beam_dataset_open(const char *name_or_folder, const beam_dataset_options *options,
                              beam_dataset **dataset, beam_error *err)
{
    *dataset = NULL;
    beam_dataset_options o = {0};
    if (options)
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    const char *split = o.split;
    if (split && strcmp(split, "test") != 0 && strcmp(split, "train") != 0 &&
        strcmp(split, "all") != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "a data set has no split \"%s\"; there are test, train and all",
                              split);
    beam_dataset *d = new_dataset(name_or_folder);
    if (!d)
        return beam_dataset_no_memory(err);
    beam_status status = open_named(&d, name_or_folder, &o, err);
    if (status == BEAM_OK)
        *dataset = d;
    else
        beam_dataset_close(d);
    return status;
}

void beam_dataset_close(beam_dataset *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->num_files; i++)
        beam_file_view_close(&d->files[i]);
    beam_free(d->images);
    beam_arena_free(&d->records_memory);
    beam_arena_free(&d->arena);
    beam_free(d);
}

const beam_dataset_info *beam_dataset_get_info(const beam_dataset *d)
{
    return &d->info;
}

beam_status beam_dataset_read(const beam_dataset *d, uint64_t index, beam_dataset_record *record)
{
    *record = (beam_dataset_record){0};
    if (index >= d->info.count)
        return BEAM_OUT_OF_RANGE;
    if (d->images) {
        record->label = d->images[index].label;
        record->path = d->images[index].path;
        return BEAM_OK;
    }
    uint64_t at = d->chosen ? d->chosen[index] : index;
    size_t file = 0;
    while (at >= d->records[file])
        at -= d->records[file++];
    const uint8_t *bytes = d->files[file].data + at * d->record_size;
    record->label = bytes[0];
    record->pixels = bytes + 1;
    return BEAM_OK;
}

/* ---- to numbers -------------------------------------------------------------------------- */

/* Planes of the wanted size: nothing but a table look-up a byte. */
static void normalize_planes(const beam_dataset_info *info, const uint8_t *pixels, float *image)
{
    size_t count = (size_t)info->height * info->width;
    for (uint32_t c = 0; c < info->channels; c++) {
        float table[256];
        for (int i = 0; i < 256; i++)
            table[i] = ((float)i * info->scale - info->mean[c]) / info->deviation[c];
        for (size_t i = 0; i < count; i++)
            image[c * count + i] = table[pixels[c * count + i]];
    }
}

/* From channel after channel to pixel after pixel. */
static beam_status interleave(const beam_dataset_info *info, const uint8_t *pixels,
                              beam_image *image, beam_error *err)
{
    size_t count = (size_t)info->height * info->width, channels = info->channels;
    *image = (beam_image){info->width, info->height, info->channels, beam_malloc(count * channels)};
    if (!image->pixels)
        return beam_dataset_no_memory(err);
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < count; i++)
            image->pixels[i * channels + c] = pixels[c * count + i];
    return BEAM_OK;
}

static beam_status cover_to_f32(const beam_dataset_info *info, const beam_image *from,
                                uint32_t height, uint32_t width, float *image, beam_error *err)
{
    beam_image small = {0};
    BEAM_TRY(beam_image_cover(from, width, height, &small, err));
    beam_image_to_f32(&small, info->scale, info->mean, info->deviation, image);
    beam_image_free(&small);
    return BEAM_OK;
}

beam_status beam_dataset_normalize(const beam_dataset_info *info, const uint8_t *pixels,
                                   uint32_t height, uint32_t width, float *image, beam_error *err)
{
    if (!info->height || !info->width)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "the images of %s have sizes of their own", info->name);
    if ((!height && !width) || (height == info->height && width == info->width)) {
        normalize_planes(info, pixels, image);
        return BEAM_OK;
    }
    beam_image whole = {0};
    BEAM_TRY(interleave(info, pixels, &whole, err));
    beam_status status = cover_to_f32(info, &whole, height, width, image, err);
    beam_image_free(&whole);
    return status;
}

static beam_status decode_file(const char *path, beam_image *image, beam_error *err)
{
    beam_file_view view;
    BEAM_TRY(beam_fs_view(path, &view, err));
    beam_status status = beam_image_decode(view.data, view.size, NULL, image, err);
    beam_file_view_close(&view);
    return status == BEAM_OK ? status : beam_error_wrap(err, status, "%s", path);
}

static beam_status fill_from_file(const beam_dataset_info *info, const char *path, uint32_t height,
                                  uint32_t width, float *image, beam_error *err)
{
    beam_image whole = {0};
    BEAM_TRY(decode_file(path, &whole, err));
    beam_status status = cover_to_f32(info, &whole, height, width, image, err);
    beam_image_free(&whole);
    return status == BEAM_OK ? status : beam_error_wrap(err, status, "%s", path);
}

beam_status beam_dataset_planes(const beam_dataset *d, uint64_t index, uint32_t height,
                                uint32_t width, uint8_t *planes, beam_dataset_record *record,
                                beam_error *err)
{
    beam_image whole = {0}, small = {0};
    BEAM_TRY(beam_dataset_read(d, index, record));
    beam_status status = record->path ? decode_file(record->path, &whole, err)
                                      : interleave(&d->info, record->pixels, &whole, err);
    if (status == BEAM_OK)
        status = beam_image_cover(&whole, width, height, &small, err);
    size_t count = (size_t)height * width, channels = d->info.channels;
    for (size_t c = 0; status == BEAM_OK && c < channels; c++)
        for (size_t i = 0; i < count; i++)
            planes[c * count + i] = small.pixels[i * channels + c];
    beam_image_free(&small);
    beam_image_free(&whole);
    return status;
}

beam_status beam_dataset_fill(const beam_dataset *d, const uint64_t *indices, size_t count,
                              uint32_t height, uint32_t width, float *images, uint32_t *labels,
                              beam_error *err)
{
    uint32_t h = height ? height : d->info.height, w = width ? width : d->info.width;
    if (images && (!h || !w))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the images of %s have sizes of their own: a height and a width "
                              "must be given",
                              d->info.name);
    size_t size = (size_t)d->info.channels * h * w;
    for (size_t i = 0; i < count; i++) {
        beam_dataset_record record;
        if (beam_dataset_read(d, indices[i], &record) != BEAM_OK)
            return beam_error_set(err, BEAM_OUT_OF_RANGE, "%s has no image %llu, only %llu",
                                  d->info.name, (unsigned long long)indices[i],
                                  (unsigned long long)d->info.count);
        if (labels)
            labels[i] = record.label;
        if (!images)
            continue;
        float *to = images + i * size;
        if (record.path)
            BEAM_TRY(fill_from_file(&d->info, record.path, h, w, to, err));
        else
            BEAM_TRY(beam_dataset_normalize(&d->info, record.pixels, h, w, to, err));
    }
    return BEAM_OK;
}
