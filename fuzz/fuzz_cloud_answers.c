/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cloud_answers.c - what web services answer, and gs:// paths.  The first byte picks who reads
 * the rest: as JSON of Cloud Storage, as lines of an answer's head, as a token or credentials, as a
 * path, or as what Dataflow, Compute Engine and registries answer. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "io/gs.h"
#include "net/auth.h"
#include "submit/dataflow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_page(const uint8_t *data, size_t size)
{
    beam_arena arena = {0};
    beam_gs_listing listing = {.arena = &arena};
    if (beam_gs_parse_page(data, size, &listing) == BEAM_OK) {
        for (size_t i = 0; i < listing.n; i++)
            if (strlen(listing.names[i]) >= BEAM_GS_NAME || listing.objects[i].size < 0)
                abort();
        (void)beam_gs_parse_page(data, size, &listing); /* as a second page */
    }
    beam_arena_free(&arena);
}

static void read_head(const uint8_t *data, size_t size)
{
    beam_http_headers headers = {0};
    int64_t have;
    for (const uint8_t *end; size; size -= (size_t)(end - data), data = end) {
        const uint8_t *newline = memchr(data, '\n', size);
        end = newline ? newline + 1 : data + size;
        beam_http_header_line(&headers, (const char *)data, (size_t)(end - data));
    }
    if (beam_gs_parse_range(headers.range, &have) == BEAM_OK && have < 0)
        abort();
    uint32_t crc;
    (void)beam_gs_crc_parse(headers.hash, &crc);
}

static void read_secrets(const uint8_t *data, size_t size)
{
    beam_auth_file file;
    char *token;
    int64_t seconds;
    (void)beam_auth_parse("fuzz", data, size, &file, NULL);
    beam_auth_file_free(&file);
    if (beam_auth_parse_token(data, size, &token, &seconds, NULL) == BEAM_OK &&
        (strpbrk(token, "\r\n ") || seconds < 0))
        abort();
    beam_free(token);
}

static void read_path(const uint8_t *data, size_t size)
{
    beam_gs_place place;
    beam_buffer escaped = {0};
    const beam_str path = {(const char *)data, size};
    if (beam_gs_parse_path(path, &place, NULL) == BEAM_OK &&
        (strpbrk(place.bucket, "/?#%\r\n") || strpbrk(place.name, "\r\n")))
        abort();
    if (beam_http_escape(&escaped, path) == BEAM_OK)
        for (size_t i = 0; i < escaped.len; i++)
            if (escaped.data[i] <= ' ' || strchr("/?#&\"", escaped.data[i]))
                abort();
    beam_buffer_free(&escaped);
}

static void read_dataflow(const uint8_t *data, size_t size)
{
    beam_arena arena = {0};
    beam_map names = {0};
    beam_dataflow_job job;
    beam_dataflow_messages messages;
    beam_job_metrics metrics;
    beam_dataflow_manifest manifest;
    beam_dataflow_image image;
    double limit, usage;
    char *next;
    if (beam_dataflow_parse_job(data, size, &job) == BEAM_OK && !job.id[0])
        abort();
    (void)beam_dataflow_parse_jobs(data, size, "n", &arena, &job, &next);
    if (beam_dataflow_parse_messages(data, size, &arena, &messages) == BEAM_OK)
        for (size_t i = 0; i < messages.n; i++)
            if (strpbrk(messages.items[i].text, "\x1b\r\n"))
                abort();
    (void)beam_dataflow_parse_metrics(data, size, &names, &arena, &metrics);
    if (beam_dataflow_parse_manifest(data, size, &manifest) == BEAM_OK &&
        strpbrk(manifest.config, "/?#%\r\n "))
        abort();
    (void)beam_dataflow_parse_image(data, size, &image);
    (void)beam_dataflow_parse_quota(data, size, "CPUS", &limit, &usage);
    beam_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char token[BEAM_HTTP_VALUE];
    beam_gs_object object;
    char message[256];
    if (size < 1)
        return 0;
    const uint8_t *rest = data + 1;
    switch (data[0] == 'F' ? 5 : data[0] % 5) {
    case 0:
        read_page(rest, size - 1);
        break;
    case 1:
        (void)beam_gs_parse_object(rest, size - 1, &object);
        (void)beam_gs_parse_rewrite(rest, size - 1, &object, token);
        beam_rest_parse_error(rest, size - 1, message);
        break;
    case 2:
        read_head(rest, size - 1);
        break;
    case 3:
        read_secrets(rest, size - 1);
        break;
    case 4:
        read_path(rest, size - 1);
        break;
    default:
        read_dataflow(rest, size - 1);
    }
    return 0;
}
