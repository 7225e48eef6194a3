/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/dataset_cache.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"

typedef struct beam_shared_entry {
    struct beam_shared_entry *next;
    char *key;
    size_t users;
    beam_dataset *dataset;
} entry;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static entry *entries;

static void destroy(entry *e)
{
    if (!e)
        return;
    beam_dataset_close(e->dataset);
    beam_free(e->key);
    beam_free(e);
}

static beam_status open_entry(const char *key, const char *name,
                              const beam_dataset_options *options, entry **result, beam_error *err)
{
    entry *e = beam_calloc(1, sizeof *e);
    beam_status status = BEAM_OK;
    if (!e || !(e->key = beam_strdup(key)))
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a data set");
    if (status == BEAM_OK)
        status = beam_dataset_open(name, options, &e->dataset, err);
    if (status != BEAM_OK) {
        destroy(e);
        return status;
    }
    e->next = entries;
    entries = e;
    *result = e;
    return BEAM_OK;
}

beam_status beam_dataset_share(const char *name, const char *split, const char *data_dir,
                               const beam_logger *logger, beam_shared_dataset *shared,
                               beam_error *err)
{
    *shared = (beam_shared_dataset){0};
    const beam_download_options download = {.struct_size = sizeof download, .logger = logger};
    const beam_dataset_options options = {
        .struct_size = sizeof options, .split = split, .data_dir = data_dir, .download = &download};
    char *key = beam_asprintf("%s\n%s\n%s", name, split ? split : "", data_dir ? data_dir : "");
    if (!key)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a data set");
    beam_status status = BEAM_OK;
    (void)pthread_mutex_lock(&mutex);
    entry *e = entries;
    while (e && strcmp(e->key, key) != 0)
        e = e->next;
    if (!e)
        status = open_entry(key, name, &options, &e, err);
    if (status == BEAM_OK) {
        e->users++;
        *shared = (beam_shared_dataset){e->dataset, e};
    }
    (void)pthread_mutex_unlock(&mutex);
    beam_free(key);
    return status;
}

void beam_dataset_unshare(beam_shared_dataset *shared)
{
    entry *unused = NULL;
    if (!shared->entry)
        return;
    (void)pthread_mutex_lock(&mutex);
    if (--shared->entry->users == 0) {
        unused = shared->entry;
        for (entry **at = &entries; *at; at = &(*at)->next) {
            if (*at == unused) {
                *at = unused->next;
                break;
            }
        }
    }
    (void)pthread_mutex_unlock(&mutex);
    destroy(unused);
    *shared = (beam_shared_dataset){0};
}
