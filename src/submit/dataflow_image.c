/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_image.c - the workers' image, before machines are paid for to find that it is not there.
 *
 * Registries speak one protocol (OCI's).  Google's get our token; others are asked without one, and
 * when they want some other, nothing is known of the image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "submit/dataflow.h"

/* A registry that is slow is no reason not to run. */
enum { PATIENCE_MS = 15000 };

static const char manifests[] = "Accept: application/vnd.oci.image.index.v1+json, "
                                "application/vnd.docker.distribution.manifest.list.v2+json, "
                                "application/vnd.oci.image.manifest.v1+json, "
                                "application/vnd.docker.distribution.manifest.v2+json";

typedef struct registry {
    beam_dataflow_client *client;
    beam_arena *arena;
    const char *base; /* "https://host/v2/name" */
    const char *reference;
    bool googles;
} registry;

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to look at the image");
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len >= n && memcmp(text + len - n, end, n) == 0;
}

/* host/name:tag or host/name@digest; false where no host is named. */
static bool split(const char *image, registry *r)
{
    size_t host = strcspn(image, "/");
    if (!image[host] || !(memchr(image, '.', host) || memchr(image, ':', host)))
        return false;
    const char *name = image + host + 1, *at = strchr(name, '@'), *colon = strrchr(name, ':');
    if (!at && colon && strchr(colon, '/'))
        colon = NULL;
    const char *end = at ? at : colon ? colon : name + strlen(name);
    char *http = beam_arena_printf(r->arena, "http://%.*s", (int)host, image);
    if (!http)
        return false;
    r->googles = ends_with(image, host, "-docker.pkg.dev") || ends_with(image, host, ".gcr.io") ||
                 (host == 6 && memcmp(image, "gcr.io", 6) == 0);
    r->base = beam_arena_printf(r->arena, "%s%.*s/v2/%.*s",
                                beam_http_is_loopback(http) ? "http://" : "https://", (int)host,
                                image, (int)(end - name), name);
    r->reference = *end ? end + 1 : "latest";
    return r->base != NULL;
}

static beam_status get(registry *r, const char *kind, const char *what, beam_buffer *answer,
                       long *code, beam_error *err)
{
    beam_http_headers headers = {0};
    beam_dataflow_call call = {.method = "GET",
                               .url = beam_arena_printf(r->arena, "%s/%s/%s", r->base, kind, what),
                               .doing = "look at the image",
                               .accept = manifests,
                               .anonymous = !r->googles,
                               .any_code = true,
                               .code = code,
                               .headers = &headers};
    BEAM_TRY(beam_dataflow_perform(r->client, &call, answer, err));
    bool safe =
        strncmp(headers.location, "https://", 8) == 0 || beam_http_is_loopback(headers.location);
    if (*code / 100 != 3 || !safe)
        return BEAM_OK;
    /* Where the bytes lie: another service, which has no business with our token. */
    call.url = beam_arena_strdup(r->arena, headers.location);
    call.accept = NULL;
    call.anonymous = true;
    call.headers = NULL;
    return beam_dataflow_perform(r->client, &call, answer, err);
}

static beam_status not_found(const registry *r, beam_error *err)
{
    const char *image = r->client->options->image;
    return beam_error_set(err, BEAM_NOT_FOUND,
                          "--sdk_container_image=%s: the registry has no such image; build it with "
                          "tools/build-container --tag=%s and push it (podman push %s)",
                          image, image, image);
}

/* Follows an index to the manifest for workers' machines. */
static beam_status find_config(registry *r, beam_buffer *answer, const char **config, bool *known,
                               beam_error *err)
{
    const char *reference = r->reference;
    for (int depth = 0; depth < 2; depth++) {
        beam_dataflow_manifest manifest;
        long code = 0;
        BEAM_TRY(get(r, "manifests", reference, answer, &code, err));
        if (code == 404)
            return not_found(r, err);
        *known = code == 200 &&
                 beam_dataflow_parse_manifest(answer->data, answer->len, &manifest) == BEAM_OK;
        if (!*known)
            return BEAM_OK;
        if (manifest.config[0])
            return (*config = beam_arena_strdup(r->arena, manifest.config)) ? BEAM_OK
                                                                            : no_memory(err);
        if (!manifest.amd64[0])
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "--sdk_container_image=%s has nothing for amd64, which workers "
                                  "are",
                                  r->client->options->image);
        if (!(reference = beam_arena_strdup(r->arena, manifest.amd64)))
            return no_memory(err);
    }
    *known = false;
    return BEAM_OK;
}

static beam_status look(registry *r, beam_dataflow_image *image, bool *known, beam_error *err)
{
    beam_buffer answer = {0};
    const char *config = NULL;
    long code = 0;
    beam_status status = find_config(r, &answer, &config, known, err);
    if (status == BEAM_OK && *known) {
        status = get(r, "blobs", config, &answer, &code, err);
        *known = status == BEAM_OK && code == 200 &&
                 beam_dataflow_parse_image(answer.data, answer.len, image) == BEAM_OK;
    }
    beam_buffer_free(&answer);
    return status;
}

beam_status beam_dataflow_find_image(beam_dataflow_client *client, beam_arena *arena,
                                     beam_dataflow_image *image, bool *known, beam_error *err)
{
    registry r = {.client = client, .arena = arena};
    int patience = client->deadline_ms;
    beam_error why = {0};
    *known = false;
    if (!split(client->options->image, &r))
        return BEAM_OK;
    client->deadline_ms = patience < PATIENCE_MS ? patience : PATIENCE_MS;
    beam_status status = look(&r, image, known, &why);
    client->deadline_ms = patience;
    if (status == BEAM_UNAVAILABLE || status == BEAM_UNAUTHENTICATED) {
        *known = false;
        return BEAM_OK;
    }
    return status == BEAM_OK ? BEAM_OK : beam_error_set(err, status, "%s", why.message);
}

/* ---- What it is for -------------------------------------------------------------------------- */

static beam_status tpu_suits(const char *name, const beam_dataflow_image *image,
                             const beam_dataflow_accelerator *a, beam_error *err)
{
    /* 2x4 is of 8 chips, and so is v5litepod-8. */
    char *times;
    long chips = strtol(a->topology, &times, 10);
    chips *= *times == 'x' ? strtol(times + 1, NULL, 10) : 1;
    const char *dash = strrchr(image->tpu, '-');
    if (!dash || strtol(dash + 1, NULL, 10) == chips)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "--sdk_container_image=%s is made for %s, and topology:%s has %ld chips: "
                          "build it with tools/build-container tpu -- "
                          "--build-arg TPU_ACCELERATOR_TYPE=v5litepod-%ld (docs/containers.md)",
                          name, image->tpu, a->topology, chips, chips);
}

/* CUDA's libraries want a driver of at least some version. */
static beam_status driver_suits(const char *name, const beam_dataflow_image *image,
                                const beam_dataflow_accelerator *a, const beam_logger *logger,
                                beam_error *err)
{
    long least = image->cuda >= 13 ? 580 : image->cuda == 12 ? 525 : 0;
    long driver = strtol(a->driver, NULL, 10);
    bool exact = driver >= 100; /* 535.104; not 5xx */
    if (least && exact && driver < least)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "install-nvidia-driver:%s is older than CUDA %d of "
                              "--sdk_container_image=%s can use (%ld): write "
                              "install-nvidia-driver:5xx",
                              a->driver, image->cuda, name, least);
    if (least && !a->driver[0] && strncmp(a->type, "nvidia-tesla-", 13) == 0)
        BEAM_LOG(logger, BEAM_LOG_WARNING,
                 "install-nvidia-driver alone may bring a driver older than CUDA %d can use (%ld); "
                 "write install-nvidia-driver:5xx for %s",
                 image->cuda, least, a->type);
    else if (least >= 580 && !exact)
        BEAM_LOG(logger, BEAM_LOG_WARNING,
                 "CUDA %d of --sdk_container_image=%s needs driver %ld, which Dataflow may not "
                 "have yet; an image with CUDA 12 runs with %d and above",
                 image->cuda, name, least, 525);
    return BEAM_OK;
}

beam_status beam_dataflow_image_suits(const char *name, const beam_dataflow_image *image,
                                      const beam_dataflow_accelerator *a, const beam_logger *logger,
                                      beam_error *err)
{
    const char *wanted = !a ? "" : a->is_tpu ? "tpu" : "gpu";
    if (strcmp(image->entry_point, "/opt/apache/beam/boot") != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--sdk_container_image=%s begins with '%s' and not with "
                              "/opt/apache/beam/boot, as a Beam worker does; tools/build-container "
                              "makes such images",
                              name, image->entry_point);
    if (strcmp(image->architecture, "amd64") != 0)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "--sdk_container_image=%s is for machines of the kind %s; workers are "
            "amd64",
            name, image->architecture);
    if (strcmp(image->backend, wanted) != 0)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "--sdk_container_image=%s is an image for %s, and workers have %s%s%s: build another "
            "with tools/build-container %s",
            name, *image->backend ? image->backend : "the CPU", a ? "a " : "no accelerator",
            a ? a->type : "", a ? "" : " (--worker_accelerator)", *wanted ? wanted : "cpu");
    if (!a)
        return BEAM_OK;
    return a->is_tpu ? tpu_suits(name, image, a, err) : driver_suits(name, image, a, logger, err);
}
