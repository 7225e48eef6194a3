/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gs_upload.c - a local file to Cloud Storage in one resumable upload.
 *
 * Its address, which the service gives and keeps for a week, is noted in the cache folder with what
 * the file was; so whoever sends the same file to the same place again, after a crash too, asks how
 * much arrived and sends the rest.  The checksum goes ahead, and the service compares it before the
 * object is to be seen. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "io/cache.h"
#include "io/gs.h"
#include "net/retry.h"
#include "net/digest.h"

enum { IDLE_TRIES = 12, SESSIONS = 5 };

typedef struct upload {
    const char *file, *path;
    beam_gs_place place;
    beam_file_view view;
    uint32_t crc;
    char *note; /* where the session is noted */
    char session[BEAM_HTTP_VALUE];
    int64_t have; /* bytes that the service has */
    bool done;
    beam_gs_object object;
} upload;

static beam_status no_memory(const upload *u, beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to upload %s", u->file);
}

/* ---- The note -------------------------------------------------------------------------------- */

/* Named after both ends and the bytes, so that a changed file has another. */
static beam_status name_note(upload *u, beam_error *err)
{
    char text[BEAM_DIGEST_TEXT], *folder = NULL;
    beam_digest *digest;
    BEAM_TRY(beam_cache_folder("uploads", &folder, err));
    char *ends = beam_asprintf("%s\n%s\n%zu\n%08x", u->file, u->path, u->view.size, u->crc);
    beam_status status = ends ? beam_digest_new("sha256", &digest, err) : no_memory(u, err);
    if (status == BEAM_OK) {
        status = beam_digest_add(digest, ends, strlen(ends));
        if (status == BEAM_OK)
            status = beam_digest_text(digest, text);
        beam_digest_free(digest);
    }
    if (status == BEAM_OK)
        status = beam_make_folders(folder, err);
    if (status == BEAM_OK && !(u->note = beam_asprintf("%s/%s", folder, text)))
        status = no_memory(u, err);
    beam_free(ends);
    beam_free(folder);
    return status;
}

/* Who has the address may write the object: nobody else reads it.  Without the note the upload only
 * cannot be taken up again. */
static void keep_note(const upload *u)
{
    beam_new_file file;
    if (beam_new_file_open(u->note, &file, NULL) != BEAM_OK)
        return;
    if (fchmod(file.fd, 0600) == 0 &&
        beam_new_file_write(&file, u->session, strlen(u->session), NULL) == BEAM_OK)
        (void)beam_new_file_commit(&file, NULL);
    else
        beam_new_file_abandon(&file);
}

static bool read_note(upload *u)
{
    beam_file_view view;
    if (access(u->note, F_OK) != 0 || beam_file_view_open(u->note, &view, NULL) != BEAM_OK)
        return false;
    bool usable = view.size > 0 && view.size < sizeof u->session;
    if (usable)
        memcpy(u->session, view.data, view.size);
    beam_file_view_close(&view);
    return usable && beam_gs_is_ours(u->session);
}

/* ---- The session ----------------------------------------------------------------------------- */

static beam_status begin(upload *u, beam_error *err)
{
    char sum[9], length[64];
    beam_buffer path = {0};
    beam_rest_answer answer = {0};
    int64_t expected;
    BEAM_TRY(beam_gs_generation(&u->place, &expected, err));
    beam_gs_crc_text(u->crc, sum);
    (void)snprintf(length, sizeof length, "X-Upload-Content-Length: %zu", u->view.size);
    json_t *about = json_pack("{s:s,s:s,s:s}", "name", u->place.name, "crc32c", sum, "contentType",
                              "application/octet-stream");
    char *body = about ? json_dumps(about, JSON_COMPACT) : NULL;
    json_decref(about);
    bool ok = body && beam_gs_address(&path, "/upload/storage/v1", &u->place, false) == BEAM_OK &&
              beam_buffer_printf(&path, "?uploadType=resumable&name=") == BEAM_OK &&
              beam_http_escape(&path, beam_str_of(u->place.name)) == BEAM_OK &&
              beam_buffer_printf(&path, "&ifGenerationMatch=%" PRId64, expected) == BEAM_OK &&
              beam_buffer_u8(&path, '\0') == BEAM_OK;
    const beam_gs_call call = {.method = "POST",
                               .place = &u->place,
                               .doing = "write",
                               .path = (const char *)path.data,
                               .headers = {"Content-Type: application/json", length},
                               .body = body,
                               .body_size = body ? strlen(body) : 0};
    beam_status status = ok ? beam_gs_perform(&call, &answer, err) : no_memory(u, err);
    beam_buffer_free(&path);
    free(body);
    BEAM_TRY(status);
    if (!beam_gs_is_ours(answer.headers.location))
        return beam_error_set(err, BEAM_UNKNOWN,
                              "cannot write %s: the service says to send it elsewhere", u->path);
    memcpy(u->session, answer.headers.location, sizeof u->session);
    u->have = 0;
    keep_note(u);
    return BEAM_OK;
}

static beam_status parse_end(void *user, const beam_http_response *response)
{
    upload *u = user;
    u->done = response->code / 100 == 2;
    return beam_gs_parse_object(response->body.data, response->body.len, &u->object);
}

/* Sends `size` bytes from u->have, or, for none, asks how many are there. */
static beam_status put(upload *u, size_t size, bool asks, beam_error *err)
{
    char range[96];
    const size_t total = u->view.size;
    beam_rest_answer answer = {0};
    if (size)
        (void)snprintf(range, sizeof range, "Content-Range: bytes %" PRId64 "-%" PRId64 "/%zu",
                       u->have, u->have + (int64_t)size - 1, total);
    else
        (void)snprintf(range, sizeof range, "Content-Range: bytes */%zu", total);
    const beam_gs_call call = {.method = "PUT",
                               .place = &u->place,
                               .doing = "write",
                               .session = u->session,
                               .headers = {range},
                               .body = u->view.data + u->have,
                               .body_size = size,
                               .parse = parse_end,
                               .user = u,
                               .once = !asks};
    BEAM_TRY(beam_gs_perform(&call, &answer, err));
    if (answer.code != 308)
        return BEAM_OK;
    int64_t have;
    beam_status status = beam_gs_parse_range(answer.headers.range, &have);
    if (status != BEAM_OK || have > (int64_t)total)
        return beam_error_set(err, BEAM_UNAVAILABLE, "cannot write %s: the service's Range: is odd",
                              u->path);
    u->have = have;
    return BEAM_OK;
}

/* Until all is there, or the session is lost (BEAM_NOT_FOUND, BEAM_DATA_LOSS).  `fresh`: the
 * session is known to hold nothing. */
static beam_status send_rest(upload *u, bool fresh, beam_error *err)
{
    const size_t part = beam_gs_settings_now.part;
    int idle = 0;
    beam_status status = BEAM_OK;
    if (!fresh || !u->view.size) /* an empty file's upload ends with this */
        status = put(u, 0, true, err);
    while (status == BEAM_OK && !u->done) {
        int64_t before = u->have;
        size_t left = u->view.size - (size_t)u->have;
        status = put(u, left < part ? left : part, left == 0, err);
        if (status == BEAM_UNAVAILABLE) /* what of it arrived? */
            status = put(u, 0, true, err);
        idle = u->have > before ? 0 : idle + 1;
        if (status == BEAM_OK && !u->done && idle &&
            (idle > IDLE_TRIES ||
             !beam_rest_pause(idle, beam_clock_ms(), "", beam_gs_settings_now.first_ms,
                              beam_gs_settings_now.deadline_ms, beam_gs_stop)))
            status = beam_error_set(
                err, BEAM_UNAVAILABLE,
                "cannot write %s: the upload does not get on past byte %" PRId64, u->path, u->have);
    }
    return status;
}

/* In the session that an earlier process began, if any.  It may be over, and the object gone since.
 */
static beam_status go_on(upload *u)
{
    int64_t now;
    if (!read_note(u) || send_rest(u, false, NULL) != BEAM_OK)
        return BEAM_NOT_FOUND;
    BEAM_TRY(beam_gs_generation(&u->place, &now, NULL));
    return now == u->object.generation ? BEAM_OK : BEAM_NOT_FOUND;
}

static beam_status send(upload *u, beam_error *err)
{
    beam_status status = go_on(u);
    for (int n = 0; n < SESSIONS && status != BEAM_OK; n++) {
        u->done = false;
        BEAM_TRY(begin(u, err));
        status = send_rest(u, true, err);
        if (status != BEAM_NOT_FOUND && status != BEAM_DATA_LOSS)
            break;
    }
    return status;
}

beam_status beam_gs_upload(const char *file, const char *path, beam_error *err)
{
    upload u = {.path = path};
    char *absolute = NULL;
    beam_status status = beam_fs_absolute(file, &absolute, err);
    u.file = absolute;
    if (status == BEAM_OK)
        status = beam_gs_parse_path(beam_str_of(path), &u.place, err);
    if (status == BEAM_OK)
        status = beam_file_view_open(absolute, &u.view, err);
    if (status == BEAM_OK) {
        u.crc = beam_crc32c(0, u.view.data, u.view.size);
        status = name_note(&u, err);
    }
    if (status == BEAM_OK) {
        status = send(&u, err);
        status =
            beam_gs_settle(status, true, &u.place, (int64_t)u.view.size, u.crc, &u.object, err);
    }
    if (status == BEAM_OK)
        (void)unlink(u.note); /* read again, it leads to a session that is over */
    beam_file_view_close(&u.view);
    beam_free(u.note);
    beam_free(absolute);
    return status;
}
