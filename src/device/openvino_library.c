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

static char *first_match(const char *pattern)
{
    glob_t found = {0};
    char *path = NULL;
    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0)
        path = beam_strdup(found.gl_pathv[0]);
    globfree(&found);
    return path;
}

static char *find(void)
{
    const char *own = getenv("OPENVINO_LIB_PATHS");
    char *pattern = own && *own ? beam_asprintf("%s/" SONAME, own) : NULL;
    char *path = pattern ? first_match(pattern) : NULL;
    char *cache = beam_pjrt_cache_folder();
    beam_free(pattern);
    for (size_t i = 0; !path && cache && i < sizeof places / sizeof *places; i++) {
        bool cached = places[i][0] == '~';
        pattern = beam_asprintf("%s%s", cached ? cache : "", places[i] + (cached ? 1 : 0));
        path = pattern ? first_match(pattern) : NULL;
        beam_free(pattern);
    }
    beam_free(cache);
    return path;
}

beam_status beam_openvino_open(beam_error *err)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    (void)pthread_mutex_lock(&mutex);
    char *path = find();
    if (path)
        beam_openvino_library.file = path;
    beam_status status = beam_library_open(&beam_openvino_library, err);
    beam_openvino_library.file = SONAME;
    (void)pthread_mutex_unlock(&mutex);
    beam_free(path);
    return status;
}
