/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* checkpoint_folder.c - the checkpoints of one training: which is the newest, who may save, which
 * stay. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "ml/checkpoint.h"

static const char prefix[] = "checkpoint-", suffix[] = ".safetensors", owner_name[] = "owner";

static beam_status no_memory(const beam_checkpoints *c, beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory for checkpoints", c->folder);
}

static char *path_of(const beam_checkpoints *c, int64_t step)
{
    return beam_asprintf("%s/%s%012lld%s", c->folder, prefix, (long long)step, suffix);
}

/* ---- What is there --------------------------------------------------------------------------- */

/* The step in a checkpoint's name; false when it is another file's. */
static bool step_of(const char *name, int64_t *step)
{
    char *end;
    const char *digits = name + sizeof prefix - 1;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0 || *digits < '0' || *digits > '9')
        return false;
    errno = 0;
    *step = strtoll(digits, &end, 10);
    return errno == 0 && strcmp(end, suffix) == 0;
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

static beam_status add_step(const beam_checkpoints *c, int64_t step, int64_t **steps, size_t *n,
                            size_t *capacity, beam_error *err)
{
    void *items = *steps;
    int grown = beam_grow(&items, capacity, *n + 1, sizeof **steps);
    *steps = items;
    if (grown != 0)
        return no_memory(c, err);
    (*steps)[(*n)++] = step;
    return BEAM_OK;
}

/* Steps of all checkpoints, newest first; beam_free them.  A folder that is not there has none. */
static beam_status list(const beam_checkpoints *c, int64_t **steps, size_t *n, beam_error *err)
{
    size_t capacity = 0, count;
    int64_t step;
    beam_arena arena = {0};
    char **names;
    *steps = NULL;
    *n = 0;
    beam_status status = beam_fs_list(c->folder, &arena, &names, &count, err);
    for (size_t i = 0; status == BEAM_OK && i < count; i++)
        if (step_of(names[i], &step))
            status = add_step(c, step, steps, n, &capacity, err);
    beam_arena_free(&arena);
    if (*n)
        qsort(*steps, *n, sizeof **steps, newest_first);
    return status;
}

/* Opens one.  BEAM_NOT_FOUND: to be passed over. */
static beam_status open_one(const beam_checkpoints *c, int64_t step, beam_checkpoint *checkpoint,
                            beam_error *err)
{
    beam_error why = {0};
    char *path = path_of(c, step);
    if (!path)
        return no_memory(c, err);
    beam_status status = beam_checkpoint_open(path, checkpoint, &why);
    if (status == BEAM_OK && checkpoint->head.step != step) {
        beam_checkpoint_close(checkpoint);
        status =
            beam_error_set(&why, BEAM_DATA_LOSS, "%s was renamed: it is of another step", path);
    }
    beam_free(path);
    if (status != BEAM_DATA_LOSS && status != BEAM_NOT_FOUND)
        return status == BEAM_OK ? status : beam_error_set(err, status, "%s", why.message);
    BEAM_LOG(c->logger, BEAM_LOG_WARNING, "%s; going on from the checkpoint before it, if any",
             why.message);
    return BEAM_NOT_FOUND;
}

beam_status beam_checkpoints_newest(const beam_checkpoints *c, beam_checkpoint *checkpoint,
                                    bool *found, beam_error *err)
{
    int64_t *steps;
    size_t n;
    *checkpoint = (beam_checkpoint){0};
    *found = false;
    beam_status status = list(c, &steps, &n, err);
    for (size_t i = 0; status == BEAM_OK && !*found && i < n; i++) {
        status = open_one(c, steps[i], checkpoint, err);
        *found = status == BEAM_OK;
        if (status == BEAM_NOT_FOUND)
            status = BEAM_OK;
    }
    beam_free(steps);
    return status;
}

/* ---- Whose it is ----------------------------------------------------------------------------- */

static beam_status make_token(beam_checkpoints *c, beam_error *err)
{
    uint64_t random[2];
    char host[65] = "";
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return beam_error_set(err, BEAM_UNAVAILABLE, "no random numbers to be had: %s",
                              strerror(errno));
    (void)gethostname(host, sizeof host - 1); /* for people only */
    (void)snprintf(c->token, sizeof c->token, "process %ld on %s, %016llx%016llx\n", (long)getpid(),
                   host, (unsigned long long)random[0], (unsigned long long)random[1]);
    return BEAM_OK;
}

/* Files that were being written when their process ended. */
static void remove_unfinished(const beam_checkpoints *c)
{
    static const char temp[] = ".tmp";
    beam_arena arena = {0};
    char **names;
    size_t n;
    if (beam_fs_list(c->folder, &arena, &names, &n, NULL) != BEAM_OK)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(names[i], prefix, sizeof prefix - 1) != 0 || len < sizeof temp ||
            strcmp(names[i] + len - (sizeof temp - 1), temp) != 0)
            continue;
        char *path = beam_asprintf("%s/%s", c->folder, names[i]);
        if (path)
            (void)beam_fs_remove(path, NULL); /* costs space alone */
        beam_free(path);
    }
    beam_arena_free(&arena);
}

beam_status beam_checkpoints_take(beam_checkpoints *c, beam_error *err)
{
    BEAM_TRY(beam_fs_make_folder(c->folder, err));
    BEAM_TRY(make_token(c, err));
    char *path = beam_asprintf("%s/%s", c->folder, owner_name);
    if (!path)
        return no_memory(c, err);
    beam_status status = beam_fs_write(path, c->token, strlen(c->token), err);
    beam_free(path);
    if (status == BEAM_OK)
        remove_unfinished(c);
    return status;
}

static beam_status check_owner(const beam_checkpoints *c, beam_error *err)
{
    beam_file_view view;
    beam_error why = {0};
    char *path = beam_asprintf("%s/%s", c->folder, owner_name);
    if (!path)
        return no_memory(c, err);
    beam_status status = beam_fs_view(path, &view, &why);
    beam_free(path);
    if (status != BEAM_OK)
        return beam_error_set(err, status == BEAM_NOT_FOUND ? BEAM_FAILED_PRECONDITION : status,
                              "checkpoints in %s are no longer this training's: %s", c->folder,
                              why.message);
    if (view.size != strlen(c->token) || memcmp(view.data, c->token, view.size) != 0) {
        size_t len = view.size < 80 ? view.size : 80;
        const uint8_t *comma = memchr(view.data, ',', len);
        status = beam_error_set(err, BEAM_FAILED_PRECONDITION,
                                "the training in %s was taken over by another process (%.*s), so "
                                "this one ends",
                                c->folder, (int)(comma ? (size_t)(comma - view.data) : len),
                                (const char *)view.data);
    }
    beam_file_view_close(&view);
    return status;
}

/* ---- Saving ---------------------------------------------------------------------------------- */

/* Those of later steps are damaged, or there would have been no step to save now. */
static beam_status remove_old(const beam_checkpoints *c, int64_t step, beam_error *err)
{
    int64_t *steps, kept = 0;
    size_t n;
    beam_status status = list(c, &steps, &n, err);
    for (size_t i = 0; status == BEAM_OK && i < n; i++) {
        if (steps[i] <= step && kept++ < c->keep)
            continue;
        char *path = path_of(c, steps[i]);
        if (path)
            (void)beam_fs_remove(path,
                                 NULL); /* costs space alone, and is tried again at the next */
        else
            status = no_memory(c, err);
        beam_free(path);
    }
    beam_free(steps);
    return status;
}

beam_status beam_checkpoints_save(const beam_checkpoints *c, const beam_checkpoint_head *head,
                                  const beam_states *states, beam_error *err)
{
    BEAM_TRY(check_owner(c, err));
    char *path = path_of(c, head->step);
    if (!path)
        return no_memory(c, err);
    beam_status status = beam_checkpoint_write(path, head, states, err);
    beam_free(path);
    if (status != BEAM_OK)
        return beam_error_wrap(err, status,
                               "the checkpoint of step %lld was not saved; the one before it, if "
                               "any, is still there",
                               (long long)head->step);
    BEAM_TRY(check_owner(c, err)); /* writing takes time, and others' are not ours to remove */
    return remove_old(c, head->step, err);
}
