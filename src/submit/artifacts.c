/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/artifacts.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "model/message.h"
#include "model/urn.h"
#include "net/digest.h"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the files to stage");
}

void beam_artifacts_free(beam_artifacts *artifacts)
{
    beam_free(artifacts->items);
    beam_arena_free(&artifacts->arena);
    *artifacts = (beam_artifacts){0};
}

/* ---- Adding ------------------------------------------------------------------------------ */

static beam_status checksum(const char *path, char text[BEAM_DIGEST_TEXT], beam_error *err)
{
    beam_file_view view;
    beam_digest *digest = NULL;
    BEAM_TRY(beam_file_view_open(path, &view, err));
    beam_status status = beam_digest_new("sha256", &digest, err);
    if (status == BEAM_OK)
        status = beam_digest_add(digest, view.data, view.size);
    if (status == BEAM_OK)
        status = beam_digest_text(digest, text);
    beam_digest_free(digest);
    beam_file_view_close(&view);
    return status == BEAM_OK
               ? status
               : beam_error_set(err, status, "cannot work out the checksum of %s", path);
}

static beam_status add_file(beam_artifacts *a, const char *path, const char *name, beam_error *err)
{
    char digest[BEAM_DIGEST_TEXT];
    BEAM_TRY(checksum(path, digest, err));
    void *items = a->items;
    int grown = beam_grow(&items, &a->capacity, a->n + 1, sizeof *a->items);
    a->items = items;
    beam_artifact artifact = {beam_arena_strdup(&a->arena, path),
                              beam_arena_strdup(&a->arena, name),
                              beam_arena_strdup(&a->arena, digest)};
    if (grown != 0 || !artifact.path || !artifact.name || !artifact.sha256)
        return no_memory(err);
    a->items[a->n++] = artifact;
    return BEAM_OK;
}

static beam_status add_below(beam_artifacts *a, const char *path, const char *name, int depth,
                             beam_error *err);

static beam_status add_folder(beam_artifacts *a, const char *path, const char *name, int depth,
                              beam_error *err)
{
    beam_arena arena = {0};
    char **names;
    size_t n;
    if (depth >= 32)
        return beam_error_set(err, BEAM_UNAVAILABLE,
                              "cannot read folder %s: too deep; does a link in it lead back up?",
                              path);
    beam_status status = beam_folder_names(path, false, &arena, &names, &n, err);
    for (size_t i = 0; status == BEAM_OK && i < n; i++) {
        char *inner = beam_arena_printf(&arena, "%s/%s", path, names[i]);
        char *inner_name = beam_arena_printf(&arena, "%s/%s", name, names[i]);
        status =
            inner && inner_name ? add_below(a, inner, inner_name, depth + 1, err) : no_memory(err);
    }
    beam_arena_free(&arena);
    return status;
}

static beam_status add_below(beam_artifacts *a, const char *path, const char *name, int depth,
                             beam_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return beam_error_set(err, beam_status_of_errno(errno), "cannot stage %s: %s", path,
                              strerror(errno));
    if (S_ISDIR(info.st_mode))
        return add_folder(a, path, name, depth, err);
    return S_ISREG(info.st_mode) ? add_file(a, path, name, err) : BEAM_OK;
}

beam_status beam_artifacts_add(beam_artifacts *artifacts, const char *path, const char *name,
                               beam_error *err)
{
    return add_below(artifacts, path, name, 0, err);
}

/* ---- The program ------------------------------------------------------------------------- */

/* glibc is the one thing that a worker's machine must have: its parts belong together and with
 * the loader, whose path is in the program. */
static bool is_glibc(const char *name)
{
    static const char *const parts[] = {"ld-linux", "libc.",   "libm.",      "libpthread.",
                                        "libdl.",   "librt.",  "libresolv.", "libutil.",
                                        "libanl.",  "libnss_", "libmvec."};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strncmp(name, parts[i], strlen(parts[i])) == 0)
            return true;
    return false;
}

typedef struct found_libraries {
    beam_artifacts *artifacts;
    beam_error *err;
    beam_status status;
} found_libraries;

static int on_library(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    found_libraries *found = user;
    const char *slash = strrchr(info->dlpi_name, '/');
    if (!slash || is_glibc(slash + 1)) /* without one: the program, the kernel's own */
        return 0;
    char *name = beam_asprintf(BEAM_ARTIFACT_LIBRARIES "/%s", slash + 1);
    found->status = name ? beam_artifacts_add(found->artifacts, info->dlpi_name, name, found->err)
                         : no_memory(found->err);
    beam_free(name);
    return found->status != BEAM_OK;
}

beam_status beam_artifacts_add_program(beam_artifacts *artifacts, beam_error *err)
{
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len < 0)
        return beam_error_set(err, BEAM_UNAVAILABLE, "cannot find this program's file: %s",
                              strerror(errno));
    path[len] = '\0';
    BEAM_TRY(beam_artifacts_add(artifacts, path, BEAM_ARTIFACT_PROGRAM, err));
    found_libraries found = {artifacts, err, BEAM_OK};
    (void)dl_iterate_phdr(on_library, &found);
    return found.status;
}

const beam_artifact *beam_artifacts_find(const beam_artifacts *artifacts, const char *sha256)
{
    for (size_t i = 0; i < artifacts->n; i++)
        if (strcmp(artifacts->items[i].sha256, sha256) == 0)
            return &artifacts->items[i];
    return NULL;
}

/* ---- Messages ---------------------------------------------------------------------------- */

static bool fill_type(const beam_artifact *artifact, const char *folder, beam_arena *arena,
                      BeamPb__ArtifactInformation *proto)
{
    BeamPb__ArtifactFilePayload file = BEAM_PB__ARTIFACT_FILE_PAYLOAD__INIT;
    BeamPb__ArtifactUrlPayload url = BEAM_PB__ARTIFACT_URL_PAYLOAD__INIT;
    proto->type_urn = (char *)(folder ? BEAM_URN_ARTIFACT_URL : BEAM_URN_ARTIFACT_FILE);
    if (folder) {
        url.url = beam_arena_printf(arena, "%s/%s", folder, artifact->sha256);
        url.sha256 = (char *)artifact->sha256;
        return url.url && beam_message_pack_arena(&url, arena, &proto->type_payload) == BEAM_OK;
    }
    file.path = (char *)artifact->path;
    file.sha256 = (char *)artifact->sha256;
    return beam_message_pack_arena(&file, arena, &proto->type_payload) == BEAM_OK;
}

BeamPb__ArtifactInformation *beam_artifact_to_proto(const beam_artifact *artifact,
                                                    const char *folder, beam_arena *arena)
{
    BeamPb__ArtifactInformation *proto =
        beam_message_new(&beam_pb__artifact_information__descriptor, arena);
    BeamPb__ArtifactStagingToRolePayload role = BEAM_PB__ARTIFACT_STAGING_TO_ROLE_PAYLOAD__INIT;
    role.staged_name = beam_arena_printf(arena, "%s/%s", artifact->sha256, artifact->name);
    if (!proto || !role.staged_name || !fill_type(artifact, folder, arena, proto) ||
        beam_message_pack_arena(&role, arena, &proto->role_payload) != BEAM_OK)
        return NULL;
    proto->role_urn = (char *)BEAM_URN_ARTIFACT_STAGING_TO;
    return proto;
}

/* A relative path without empty, "." or ".." parts. */
static bool stays_inside(const char *path)
{
    for (const char *at = path;; at++) {
        size_t n = strcspn(at, "/");
        if (n == 0 || (n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        at += n;
        if (!*at)
            return true;
    }
}

bool beam_staged_name_parse(const char *staged, beam_arena *arena, beam_artifact *artifact)
{
    *artifact = (beam_artifact){0};
    if (strspn(staged, "0123456789abcdef") != BEAM_SHA256_DIGITS ||
        staged[BEAM_SHA256_DIGITS] != '/' || !stays_inside(staged + BEAM_SHA256_DIGITS + 1))
        return false;
    artifact->sha256 = beam_arena_strndup(arena, staged, BEAM_SHA256_DIGITS);
    artifact->name = beam_arena_strdup(arena, staged + BEAM_SHA256_DIGITS + 1);
    return artifact->sha256 && artifact->name;
}

bool beam_artifact_from_proto(const BeamPb__ArtifactInformation *proto, beam_arena *arena,
                              beam_artifact *artifact)
{
    BeamPb__ArtifactStagingToRolePayload *role = NULL;
    *artifact = (beam_artifact){0};
    if (strcmp(proto->role_urn, BEAM_URN_ARTIFACT_STAGING_TO) != 0 ||
        beam_message_unpack(&beam_pb__artifact_staging_to_role_payload__descriptor,
                            proto->role_payload.data, proto->role_payload.len, &role,
                            NULL) != BEAM_OK)
        return false;
    bool ours = beam_staged_name_parse(role->staged_name, arena, artifact);
    beam_message_free(role);
    return ours;
}
