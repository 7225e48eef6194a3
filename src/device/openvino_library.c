/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "device/openvino_library.h"

#include <glob.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "device/pjrt_find.h"

/* What is told of OpenVINO's types here is so since this version. */
#define SONAME "libopenvino_c.so.2641"

BEAM_LIBRARY_DEFINE(beam_openvino, BEAM_OPENVINO_FUNCTIONS, SONAME,
                    "OpenVINO 2026.4, which runs ONNX models: scripts/deps get openvino");

/* ~ stands for the cache folder. */
static const char *const places[] = {
    "~/openvino-*/openvino/libs/" SONAME,
    "/usr/local/lib/python3*/*-packages/openvino/libs/" SONAME,
    "/usr/lib/python3*/*-packages/openvino/libs/" SONAME,
};

/* The first match of FOLDER followed by PATTERN; *path stays NULL when there is none. */
static beam_status look(const char *folder, const char *pattern, char **path)
{
    char *whole = beam_asprintf("%s%s", folder, pattern);
    glob_t found = {0};
    if (!whole)
        return BEAM_RESOURCE_EXHAUSTED;
    bool there = glob(whole, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (there)
        *path = beam_strdup(found.gl_pathv[0]);
    globfree(&found);
    beam_free(whole);
    return there && !*path ? BEAM_RESOURCE_EXHAUSTED : BEAM_OK;
}

static beam_status find(char **path)
{
    const char *own = getenv("OPENVINO_LIB_PATHS");
    if (own && *own)
        BEAM_TRY(look(own, "/" SONAME, path));
    char *cache = beam_pjrt_cache_folder();
    beam_status status = cache ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; status == BEAM_OK && !*path && i < sizeof places / sizeof *places; i++) {
        bool cached = places[i][0] == '~';
        status = look(cached ? cache : "", places[i] + (cached ? 1 : 0), path);
    }
    beam_free(cache);
    return status;
}

beam_status beam_openvino_open(beam_error *err)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    char *path = NULL;
    (void)pthread_mutex_lock(&mutex);
    beam_status status = find(&path);
    if (status != BEAM_OK) {
        (void)beam_error_set(err, status, "no memory to look for OpenVINO");
    } else {
        beam_openvino_library.file = path ? path : SONAME;
        status = beam_library_open(&beam_openvino_library, err);
        beam_openvino_library.file = SONAME;
    }
    (void)pthread_mutex_unlock(&mutex);
    beam_free(path);
    return status;
}
