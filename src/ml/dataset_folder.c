/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset_folder.c - images that are files, one folder a class. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "ml/dataset_file.h"

/* The names in a folder that `wanted` likes, sorted by their bytes, in the arena. */
typedef struct names {
    char **items;
    size_t count;
} names;

static bool is_folder(const char *folder, const char *name)
{
    struct stat info;
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    return len > 0 && (size_t)len < sizeof path && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool is_image(const char *folder, const char *name)
{
    (void)folder;
    const char *dot = strrchr(name, '.');
    return dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 ||
                   strcasecmp(dot, ".png") == 0);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static beam_status list(beam_dataset *d, const char *folder,
                        bool (*wanted)(const char *folder, const char *name), names *found,
                        beam_error *err)
{
    char **all;
    size_t n;
    BEAM_TRY(beam_folder_names(folder, false, &d->arena, &all, &n, err));
    found->items = all;
    for (size_t i = 0; i < n; i++)
        if (all[i][0] != '.' && wanted(folder, all[i]))
            found->items[found->count++] = all[i];
    if (found->count)
        qsort(found->items, found->count, sizeof *found->items, by_bytes);
    return BEAM_OK;
}

static beam_status add_images(beam_dataset *d, const char *folder, const names *files,
                              uint32_t label, beam_error *err)
{
    for (size_t i = 0; i < files->count; i++) {
        const char *path = beam_arena_printf(&d->arena, "%s/%s", folder, files->items[i]);
        if (!path || beam_grow((void **)&d->images, &d->images_capacity, d->info.count + 1,
                               sizeof *d->images))
            return beam_dataset_no_memory(err);
        d->images[d->info.count++] = (beam_dataset_image){path, label};
    }
    return BEAM_OK;
}

static beam_status add_class(beam_dataset *d, const char *folder, const char *class, uint32_t label,
                             beam_error *err)
{
    char *path = beam_asprintf("%s/%s", folder, class);
    if (!path)
        return beam_dataset_no_memory(err);
    names files = {0};
    beam_status status = list(d, path, is_image, &files, err);
    if (status == BEAM_OK)
        status = add_images(d, path, &files, label, err);
    beam_free(path);
    return status;
}

/* Both halves must have the same, or numbers of classes would mean others in each. */
static beam_status check_classes(const beam_dataset *d, const names *classes, beam_error *err)
{
    bool same = classes->count == d->info.num_classes;
    for (size_t i = 0; same && i < classes->count; i++)
        same = strcmp(classes->items[i], d->info.class_names[i]) == 0;
    if (same)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "%s/train and %s/test do not have the same folders of classes",
                          d->info.location, d->info.location);
}

/* Classes are numbered in the order of their names; those of `all` come from both halves. */
static beam_status add_classes(beam_dataset *d, const char *folder, beam_error *err)
{
    names classes = {0};
    beam_status status = list(d, folder, is_folder, &classes, err);
    bool again = d->info.class_names != NULL;
    if (status == BEAM_OK && again)
        status = check_classes(d, &classes, err);
    for (size_t i = 0; status == BEAM_OK && i < classes.count; i++)
        status = add_class(d, folder, classes.items[i], (uint32_t)i, err);
    if (status == BEAM_OK && !again && classes.count) {
        d->info.num_classes = (uint32_t)classes.count;
        d->info.class_names = (const char *const *)classes.items;
    }
    return status;
}

/* Holds the classes that were found against those of the half that is not read, if it is there. */
static beam_status check_half(beam_dataset *d, const char *folder, const char *half,
                              beam_error *err)
{
    names classes = {0};
    if (!is_folder(folder, half))
        return BEAM_OK;
    char *path = beam_asprintf("%s/%s", folder, half);
    if (!path)
        return beam_dataset_no_memory(err);
    beam_status status = list(d, path, is_folder, &classes, err);
    beam_free(path);
    return status == BEAM_OK ? check_classes(d, &classes, err) : status;
}

static beam_status add_half(beam_dataset *d, const char *folder, const char *half, beam_error *err)
{
    char *path = beam_asprintf("%s/%s", folder, half);
    if (!path)
        return beam_dataset_no_memory(err);
    beam_status status = add_classes(d, path, err);
    beam_free(path);
    return status;
}

static beam_status add_split(beam_dataset *d, const char *folder, const char *split,
                             beam_error *err)
{
    bool halves = is_folder(folder, "train") || is_folder(folder, "test");
    d->info.split = split    ? (strcmp(split, "test") == 0    ? "test"
                                : strcmp(split, "train") == 0 ? "train"
                                                              : "all")
                    : halves ? "test"
                             : "all";
    bool all = strcmp(d->info.split, "all") == 0;
    if (!halves && !all)
        return beam_error_set(err, BEAM_NOT_FOUND,
                              "%s has no split \"%s\": there are no folders train and test in it, "
                              "so only \"all\" can be read",
                              folder, split);
    if (!halves)
        return add_classes(d, folder, err);
    if (!all) {
        BEAM_TRY(add_half(d, folder, d->info.split, err));
        return check_half(d, folder, strcmp(d->info.split, "test") == 0 ? "train" : "test", err);
    }
    BEAM_TRY(add_half(d, folder, "train", err));
    return add_half(d, folder, "test", err);
}

beam_status beam_dataset_open_folder(beam_dataset *d, const char *folder, const char *split,
                                     beam_error *err)
{
    /* ImageNet's, by which networks for pictures of any size are usually trained. */
    static const float mean[] = {0.485f, 0.456f, 0.406f}, deviation[] = {0.229f, 0.224f, 0.225f};
    if (access(folder, F_OK) != 0)
        return beam_error_set(
            err, BEAM_NOT_FOUND,
            "there is no data set and no folder \"%s\"; data sets are cifar10 and "
            "digits",
            folder);
    d->info.location = d->info.name;
    d->info.channels = 3;
    d->info.scale = 1 / 255.0f;
    memcpy(d->info.mean, mean, sizeof mean);
    memcpy(d->info.deviation, deviation, sizeof deviation);
    BEAM_TRY(add_split(d, folder, split, err));
    if (d->info.count)
        return BEAM_OK;
    return beam_error_set(err, BEAM_NOT_FOUND,
                          "%s holds no images: there should be folders, one a class, with .jpg, "
                          ".jpeg or .png files in them",
                          folder);
}
