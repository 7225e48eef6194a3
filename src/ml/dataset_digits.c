/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset_digits.c - the digits that come with libbeam; share/digits/README.md says what they are.
 */
#include <string.h>

#include "base/alloc.h"
#include "ml/dataset_file.h"
#include "ml/share.h"
#include "ml/staging.h"

enum { COUNT = 1797, SIDE = 8, RECORD = 1 + SIDE * SIDE, FOLD = 5 };

static const char *const classes[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

static beam_status choose(beam_dataset *d, const char *split, beam_error *err)
{
    d->info.split = strcmp(split, "test") == 0    ? "test"
                    : strcmp(split, "train") == 0 ? "train"
                                                  : "all";
    d->info.count = COUNT;
    if (strcmp(split, "all") == 0)
        return BEAM_OK;
    uint32_t *chosen = beam_arena_alloc(&d->arena, COUNT * sizeof *chosen);
    if (!chosen)
        return beam_dataset_no_memory(err);
    bool test = strcmp(split, "test") == 0;
    size_t count = 0;
    for (uint32_t i = 0; i < COUNT; i++)
        if ((i % FOLD == FOLD - 1) == test)
            chosen[count++] = i;
    d->chosen = chosen;
    d->info.count = count;
    return BEAM_OK;
}

beam_status beam_dataset_open_digits(beam_dataset *d, const char *split, beam_error *err)
{
    char *path = NULL;
    BEAM_TRY(beam_staged_find(BEAM_STAGED_DATASET, "digits", &path, err));
    if (!path)
        BEAM_TRY(beam_share_path("digits/digits.bin", &path, err));
    d->info.location = beam_arena_strdup(&d->arena, path);
    beam_status status = d->info.location ? beam_file_view_open(path, &d->files[0], err)
                                          : beam_dataset_no_memory(err);
    if (status == BEAM_OK)
        d->num_files = 1;
    beam_free(path);
    BEAM_TRY(status);
    if (d->files[0].size != COUNT * RECORD)
        return beam_error_set(err, BEAM_DATA_LOSS, "%s has %zu bytes instead of %d: it is damaged",
                              d->info.location, d->files[0].size, COUNT * RECORD);
    for (size_t i = 0; i < COUNT; i++)
        if (d->files[0].data[i * RECORD] > 9)
            return beam_error_set(err, BEAM_DATA_LOSS,
                                  "%s: image %zu has label %d, but 9 is the last", d->info.location,
                                  i, d->files[0].data[i * RECORD]);
    d->records[0] = COUNT;
    d->record_size = RECORD;
    d->info.num_classes = 10;
    d->info.class_names = classes;
    d->info.channels = 1;
    d->info.height = d->info.width = SIDE;
    d->info.scale = 1 / 16.0f;
    d->info.deviation[0] = 1;
    return choose(d, split, err);
}
