/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset_cifar10.c - finds CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html), and reads its
 * binary layout: six files of 10,000 records, each a label byte and three planes of 32x32. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/cache.h"
#include "io/unpack.h"
#include "ml/dataset_file.h"
#include "ml/staging.h"

enum { SIDE = 32, RECORD = 1 + 3 * SIDE * SIDE, RECORDS = 10000, FILE_SIZE = RECORD * RECORDS };

static const char SUBFOLDER[] = "cifar-10-batches-bin";

static const char *const members[BEAM_DATASET_FILES] = {
    "cifar-10-batches-bin/data_batch_1.bin", "cifar-10-batches-bin/data_batch_2.bin",
    "cifar-10-batches-bin/data_batch_3.bin", "cifar-10-batches-bin/data_batch_4.bin",
    "cifar-10-batches-bin/data_batch_5.bin", "cifar-10-batches-bin/test_batch.bin",
};

static const char *const classes[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                      "dog",      "frog",       "horse", "ship", "truck"};

static const beam_cache_item archive = {
    .what = "CIFAR-10",
    .folder = "cifar10",
    .name = "cifar-10-binary.tar.gz",
    .address = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    .algorithm = "sha256",
    .digest = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    .max_size = 200 << 20,
};

/* ---- finding ----------------------------------------------------------------------------- */

beam_status beam_cifar10_find(const char *folder, char **found, beam_error *err)
{
    *found = NULL;
    for (int below = 0; below < 2; below++) {
        char *path = below ? beam_asprintf("%s/%s", folder, SUBFOLDER) : beam_strdup(folder);
        char *file = path ? beam_asprintf("%s/test_batch.bin", path) : NULL;
        bool there = file && access(file, F_OK) == 0;
        beam_free(file);
        if (there) {
            *found = path;
            return BEAM_OK;
        }
        beam_free(path);
        if (!file)
            return beam_dataset_no_memory(err);
    }
    return BEAM_OK;
}

static beam_status download(const char *cache, const beam_download_options *options,
                            beam_error *err)
{
    char *path = NULL;
    BEAM_TRY(beam_cache_fetch(&archive, options, &path, err));
    beam_status status =
        beam_unpack_tar_gz(path, cache, members, BEAM_DATASET_FILES, FILE_SIZE, err);
    if (status == BEAM_OK)
        (void)unlink(path); /* 170 MB that are of no more use */
    beam_free(path);
    return status;
}

/* Whether a copy in the cache is all there: unpacking may have been interrupted. */
static beam_status is_whole(const char *cache, bool *whole, beam_error *err)
{
    *whole = true;
    for (size_t i = 0; *whole && i < BEAM_DATASET_FILES; i++) {
        char *path = beam_asprintf("%s/%s", cache, members[i]);
        if (!path)
            return beam_dataset_no_memory(err);
        *whole = access(path, F_OK) == 0;
        beam_free(path);
    }
    return BEAM_OK;
}

static beam_status find_or_download(const beam_download_options *options, char **found,
                                    beam_error *err)
{
    char *cache = NULL;
    BEAM_TRY(beam_cache_folder(archive.folder, &cache, err));
    bool whole = false;
    beam_status status = is_whole(cache, &whole, err);
    if (status == BEAM_OK && !whole)
        status = download(cache, options, err);
    if (status == BEAM_OK)
        status = beam_cifar10_find(cache, found, err);
    beam_free(cache);
    return status;
}

const char *beam_cifar10_named_folder(const beam_dataset_options *o)
{
    const char *variable = getenv("BEAM_DATA_DIR");
    return o->data_dir ? o->data_dir : variable && *variable ? variable : NULL;
}

static beam_status locate(const beam_dataset_options *o, char **found, beam_error *err)
{
    char *staged = NULL;
    *found = NULL;
    BEAM_TRY(
        beam_staged_find(BEAM_STAGED_DATASET, o->data_dir ? o->data_dir : "cifar10", &staged, err));
    if (staged) {
        beam_status status = beam_cifar10_find(staged, found, err);
        beam_free(staged);
        if (status != BEAM_OK || *found)
            return status;
    }
    const char *folder = beam_cifar10_named_folder(o);
    if (!folder)
        return find_or_download(o->download, found, err);
    BEAM_TRY(beam_cifar10_find(folder, found, err));
    if (*found)
        return BEAM_OK;
    return beam_error_set(err, BEAM_NOT_FOUND,
                          "there is no CIFAR-10 in %s%s: neither test_batch.bin nor %s/"
                          "test_batch.bin",
                          folder, o->data_dir ? "" : ", which $BEAM_DATA_DIR names", SUBFOLDER);
}

/* ---- reading ----------------------------------------------------------------------------- */

static beam_status check(const beam_file_view *view, const char *path, beam_error *err)
{
    if (view->size != FILE_SIZE)
        return beam_error_set(
            err, BEAM_DATA_LOSS,
            "%s has %zu bytes instead of %d: it is %s; remove it and get CIFAR-10 "
            "again",
            path, view->size, FILE_SIZE, view->size < FILE_SIZE ? "truncated" : "not CIFAR-10's");
    for (size_t i = 0; i < RECORDS; i++)
        if (view->data[i * RECORD] > 9)
            return beam_error_set(err, BEAM_DATA_LOSS,
                                  "%s: image %zu has label %d, but 9 is the last: it is damaged",
                                  path, i, view->data[i * RECORD]);
    return BEAM_OK;
}

static beam_status open_file(beam_dataset *d, const char *folder, const char *member,
                             beam_error *err)
{
    char *path = beam_asprintf("%s/%s", folder, strchr(member, '/') + 1);
    if (!path)
        return beam_dataset_no_memory(err);
    beam_file_view *view = &d->files[d->num_files];
    beam_status status = beam_file_view_open(path, view, err);
    if (status == BEAM_OK) {
        d->records[d->num_files++] = RECORDS;
        status = check(view, path, err);
    }
    beam_free(path);
    return status;
}

static beam_status open_files(beam_dataset *d, const char *split, const char *folder,
                              beam_error *err)
{
    bool test = strcmp(split, "test") == 0, train = strcmp(split, "train") == 0;
    size_t first = test ? BEAM_DATASET_FILES - 1 : 0;
    size_t after = train ? BEAM_DATASET_FILES - 1 : BEAM_DATASET_FILES;
    for (size_t i = first; i < after; i++)
        BEAM_TRY(open_file(d, folder, members[i], err));
    d->info.split = test ? "test" : train ? "train" : "all";
    d->info.count = (uint64_t)d->num_files * RECORDS;
    return BEAM_OK;
}

beam_status beam_dataset_open_cifar10(beam_dataset *d, const char *split,
                                      const beam_dataset_options *options, beam_error *err)
{
    static const float mean[] = {0.4914f, 0.4822f, 0.4465f};
    static const float deviation[] = {0.247f, 0.2435f, 0.2616f};
    char *folder = NULL;
    BEAM_TRY(locate(options, &folder, err));
    d->record_size = RECORD;
    d->info.num_classes = 10;
    d->info.class_names = classes;
    d->info.channels = 3;
    d->info.height = d->info.width = SIDE;
    d->info.scale = 1 / 255.0f;
    memcpy(d->info.mean, mean, sizeof mean);
    memcpy(d->info.deviation, deviation, sizeof deviation);
    d->info.location = beam_arena_strdup(&d->arena, folder);
    beam_status status =
        d->info.location ? open_files(d, split, folder, err) : beam_dataset_no_memory(err);
    beam_free(folder);
    return status;
}
