/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/retrieve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "model/message.h"
#include "model/proto/artifact.pb-c.h"
#include "model/proto/provision.pb-c.h"
#include "net/digest.h"
#include "submit/artifacts.h"
#include "submit/rpc.h"

enum { PATIENCE = 120000, A_DAY = 24 * 60 * 60, OWN_FOLDER = 0700 };

static const char PROVISION[] =
    "/org.apache.beam.model.fn_execution.v1.ProvisionService/GetProvisionInfo";
#define RETRIEVAL "/org.apache.beam.model.job_management.v1.ArtifactRetrievalService/"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a worker's files");
}

static beam_status system_error(const char *what, const char *path, beam_error *err)
{
    int number = errno;
    return beam_error_set(err, beam_status_of_errno(number), "cannot %s %s: %s", what, path,
                          strerror(number));
}

/* ---- What there is ----------------------------------------------------------------------- */

/* One of our files, with the message by which the engine knows it. */
typedef struct wanted {
    beam_artifact artifact;
    BeamPb__ArtifactInformation *proto;
} wanted;

typedef struct listing {
    const beam_retrieval *r;
    beam_grpc_channel *channel; /* of the artifact service */
    BeamPb__GetProvisionInfoResponse *provision;
    BeamPb__ResolveArtifactsResponse *resolved;
    beam_arena arena;
    wanted *files;
    size_t n;
} listing;

static beam_status ask_provision(listing *l, beam_error *err)
{
    BeamPb__GetProvisionInfoRequest request = BEAM_PB__GET_PROVISION_INFO_REQUEST__INIT;
    beam_grpc_channel *channel;
    const beam_grpc_options call = {.method = PROVISION,
                                    .what = "tell a worker of its job",
                                    .worker_id = l->r->worker_id,
                                    .timeout_ms = PATIENCE};
    BEAM_TRY(beam_grpc_channel_open(l->r->provision_endpoint, &channel, err));
    beam_status status = beam_rpc_call_message(channel, &call, &request,
                                               &beam_pb__get_provision_info_response__descriptor,
                                               &l->provision, err);
    beam_grpc_channel_close(channel);
    if (status == BEAM_OK && !l->provision->info)
        status = beam_error_set(err, BEAM_DATA_LOSS, "%s tells a worker nothing of its job",
                                l->r->provision_endpoint);
    return status;
}

static beam_status resolve(listing *l, beam_error *err)
{
    const BeamPb__ProvisionInfo *info = l->provision->info;
    const char *endpoint = l->r->artifact_endpoint;
    BeamPb__ResolveArtifactsRequest request = BEAM_PB__RESOLVE_ARTIFACTS_REQUEST__INIT;
    const beam_grpc_options call = {.method = RETRIEVAL "ResolveArtifacts",
                                    .what = "name a worker's files",
                                    .worker_id = l->r->worker_id,
                                    .timeout_ms = PATIENCE};
    if (info->artifact_endpoint && *info->artifact_endpoint->url)
        endpoint = info->artifact_endpoint->url;
    if (!endpoint || !*endpoint)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "the job has files, but the engine does not say where");
    BEAM_TRY(beam_grpc_channel_open(endpoint, &l->channel, err));
    request.artifacts = info->dependencies;
    request.n_artifacts = info->n_dependencies;
    return beam_rpc_call_message(l->channel, &call, &request,
                                 &beam_pb__resolve_artifacts_response__descriptor, &l->resolved,
                                 err);
}

static bool is_wanted(const listing *l, const beam_artifact *artifact)
{
    return l->r->program || strncmp(artifact->name, "files/", 6) == 0;
}

static beam_status choose(listing *l, beam_error *err)
{
    l->files = beam_arena_calloc(&l->arena, l->resolved->n_replacements, sizeof *l->files);
    if (!l->files)
        return no_memory(err);
    for (size_t i = 0; i < l->resolved->n_replacements; i++) {
        wanted *file = &l->files[l->n];
        file->proto = l->resolved->replacements[i];
        if (!beam_artifact_from_proto(file->proto, &l->arena, &file->artifact))
            return beam_error_set(err, BEAM_DATA_LOSS,
                                  "the engine names a file that libbeam did not send");
        l->n += is_wanted(l, &file->artifact);
    }
    return BEAM_OK;
}

static beam_status list(listing *l, beam_error *err)
{
    BEAM_TRY(ask_provision(l, err));
    if (!l->provision->info->n_dependencies)
        return BEAM_OK;
    BEAM_TRY(resolve(l, err));
    return choose(l, err);
}

static void free_listing(listing *l)
{
    beam_message_free(l->provision);
    beam_message_free(l->resolved);
    beam_grpc_channel_close(l->channel);
    beam_arena_free(&l->arena);
}

/* ---- One file ---------------------------------------------------------------------------- */

static beam_status take_parts(beam_grpc_stream *stream, int fd, beam_digest *digest,
                              const char *path, beam_error *err)
{
    for (bool open = true; open;) {
        beam_buffer bytes = {0};
        BeamPb__GetArtifactResponse *part = NULL;
        beam_status status = beam_grpc_stream_read(stream, PATIENCE, &bytes, &open, err);
        if (status == BEAM_DEADLINE_EXCEEDED && open)
            beam_error_set(err, status, "the rest of a worker's file did not come within %d s",
                           PATIENCE / 1000);
        if (status == BEAM_OK && open)
            status = beam_message_unpack(&beam_pb__get_artifact_response__descriptor, bytes.data,
                                         bytes.len, &part, err);
        beam_buffer_free(&bytes);
        if (part) {
            status = beam_digest_add(digest, part->data.data, part->data.len);
            for (size_t at = 0; status == BEAM_OK && at < part->data.len;) {
                ssize_t n = write(fd, part->data.data + at, part->data.len - at);
                if (n < 0 && errno != EINTR)
                    status = system_error("write", path, err);
                at += n > 0 ? (size_t)n : 0;
            }
            beam_message_free(part);
        }
        BEAM_TRY(status);
    }
    return BEAM_OK;
}

static beam_status check(beam_digest *digest, const beam_artifact *artifact, beam_error *err)
{
    char text[BEAM_DIGEST_TEXT];
    beam_status status = beam_digest_text(digest, text);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "cannot work out a checksum");
    if (strcmp(text, artifact->sha256) != 0)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "the engine's copy of %s has the sha256 %s instead of %s",
                              artifact->name, text, artifact->sha256);
    return BEAM_OK;
}

static beam_status fetch_to(listing *l, const wanted *file, const char *path, beam_error *err)
{
    BeamPb__GetArtifactRequest request = BEAM_PB__GET_ARTIFACT_REQUEST__INIT;
    const beam_grpc_options call = {.method = RETRIEVAL "GetArtifact",
                                    .what = "give a worker its files",
                                    .worker_id = l->r->worker_id};
    bool is_program = strcmp(file->artifact.name, BEAM_ARTIFACT_PROGRAM) == 0;
    beam_grpc_stream *stream = NULL;
    beam_digest *digest = NULL;
    request.artifact = file->proto;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_program ? 0700 : 0600);
    if (fd < 0)
        return system_error("make", path, err);
    beam_status status = beam_digest_new("sha256", &digest, err);
    if (status == BEAM_OK)
        status = beam_rpc_stream_open_message(l->channel, &call, &request, &stream, err);
    if (status == BEAM_OK)
        status = take_parts(stream, fd, digest, path, err);
    beam_grpc_stream_close(stream);
    if (status == BEAM_OK)
        status = check(digest, &file->artifact, err);
    beam_digest_free(digest);
    if (status == BEAM_OK)
        return beam_close_synced(fd, path, err); /* whoever finds the folder takes it as it is */
    (void)close(fd);
    return status;
}

static beam_status fetch(listing *l, const wanted *file, const char *folder, beam_error *err)
{
    char *path = beam_asprintf("%s/%s", folder, file->artifact.name);
    if (!path)
        return no_memory(err);
    beam_status status = beam_make_folders_of(path, err);
    if (status == BEAM_OK)
        status = fetch_to(l, file, path, err);
    beam_free(path);
    return status;
}

/* ---- The folder of folders --------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    (void)remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Under its name it goes at once: nobody finds half of it. */
static void remove_unless_held(const char *path)
{
    char *dying = beam_asprintf("%s.old", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool held = fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK);
    if (dying && !held && rename(path, dying) == 0)
        remove_tree(dying);
    if (fd >= 0)
        (void)close(fd);
    beam_free(dying);
}

/* -1: it is not there, or not any more.  Where nothing can be locked, it stays for a day. */
static int hold(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY); /* to be inherited by the job's program */
    if (fd < 0)
        return -1;
    (void)flock(fd, LOCK_SH);
    if (utimensat(AT_FDCWD, folder, NULL, 0) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* What nobody has asked for in a day; what cannot be removed stays. */
static void clear_old(const char *home, const char *except)
{
    DIR *dir = opendir(home);
    struct stat info;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char *path = beam_asprintf("%s/%s", home, e->d_name);
        if (path && e->d_name[0] != '.' && strcmp(path, except) != 0 && stat(path, &info) == 0 &&
            info.st_mtime + A_DAY < time(NULL))
            remove_unless_held(path);
        beam_free(path);
    }
    if (dir)
        (void)closedir(dir); /* only read */
}

/* A folder of this user's alone: programs are started from there. */
static beam_status own_folder(char **home, beam_error *err)
{
    const char *temp = getenv("TMPDIR");
    struct stat info;
    *home = beam_asprintf("%s/libbeam-%u", temp && *temp ? temp : "/tmp", (unsigned)getuid());
    if (!*home)
        return no_memory(err);
    if (mkdir(*home, OWN_FOLDER) != 0 && errno != EEXIST)
        return system_error("make", *home, err);
    if (lstat(*home, &info) != 0)
        return system_error("look at", *home, err);
    if (!S_ISDIR(info.st_mode) || info.st_uid != getuid() || (info.st_mode & 077))
        return beam_error_set(err, BEAM_PERMISSION_DENIED,
                              "%s is not a folder of this user's alone; remove it, or set TMPDIR",
                              *home);
    return BEAM_OK;
}

/* Named by all that is in it. */
static beam_status name_folder(const listing *l, const char *home, char **folder, beam_error *err)
{
    beam_digest *digest = NULL;
    char text[BEAM_DIGEST_TEXT];
    beam_status status = beam_digest_new("sha256", &digest, err);
    for (size_t i = 0; i < l->n && status == BEAM_OK; i++) {
        const beam_artifact *a = &l->files[i].artifact;
        status = beam_digest_add(digest, a->sha256, BEAM_SHA256_DIGITS);
        if (status == BEAM_OK)
            status = beam_digest_add(digest, a->name, strlen(a->name) + 1);
    }
    if (status == BEAM_OK)
        status = beam_digest_text(digest, text);
    beam_digest_free(digest);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "cannot work out a checksum");
    *folder = beam_asprintf("%s/%s", home, text);
    return *folder ? BEAM_OK : no_memory(err);
}

/* Several workers may do this at once: one of them has its folder stay. */
static beam_status fill(listing *l, const char *home, const char *folder, beam_error *err)
{
    char *work = beam_asprintf("%s/new-XXXXXX", home);
    if (!work)
        return no_memory(err);
    beam_status status = mkdtemp(work) ? BEAM_OK : system_error("make", work, err);
    for (size_t i = 0; i < l->n && status == BEAM_OK; i++)
        status = fetch(l, &l->files[i], work, err);
    if (status == BEAM_OK && rename(work, folder) != 0 && errno != EEXIST && errno != ENOTEMPTY)
        status = system_error("make", folder, err);
    remove_tree(work); /* gone when it was renamed */
    beam_free(work);
    return status;
}

static beam_status find_or_fill(listing *l, const char *home, const char *folder, int *held,
                                beam_error *err)
{
    *held = hold(folder);
    if (*held >= 0)
        return BEAM_OK;
    BEAM_TRY(fill(l, home, folder, err));
    *held = hold(folder);
    return *held >= 0 ? BEAM_OK : system_error("open", folder, err);
}

static beam_status provide(listing *l, char **folder, int *held, beam_error *err)
{
    char *home = NULL;
    beam_status status = own_folder(&home, err);
    if (status == BEAM_OK)
        status = name_folder(l, home, folder, err);
    if (status == BEAM_OK) {
        clear_old(home, *folder);
        status = find_or_fill(l, home, *folder, held, err);
    }
    beam_free(home);
    if (status != BEAM_OK) {
        beam_free(*folder);
        *folder = NULL;
    }
    return status;
}

static beam_status copy_url(const BeamPb__ApiServiceDescriptor *descriptor, char **url,
                            beam_error *err)
{
    if (!descriptor || !*descriptor->url)
        return BEAM_OK;
    *url = beam_strdup(descriptor->url);
    return *url ? BEAM_OK : no_memory(err);
}

beam_status beam_retrieve(const beam_retrieval *retrieval, beam_retrieved *retrieved,
                          beam_error *err)
{
    listing l = {.r = retrieval};
    *retrieved = (beam_retrieved){0};
    beam_status status = list(&l, err);
    if (status == BEAM_OK)
        status = copy_url(l.provision->info->control_endpoint, &retrieved->control_endpoint, err);
    if (status == BEAM_OK)
        status = copy_url(l.provision->info->logging_endpoint, &retrieved->logging_endpoint, err);
    if (status == BEAM_OK)
        status = copy_url(l.provision->info->status_endpoint, &retrieved->status_endpoint, err);
    if (status == BEAM_OK && l.n)
        status = provide(&l, &retrieved->folder, &retrieved->held, err);
    free_listing(&l);
    if (status != BEAM_OK)
        beam_retrieved_free(retrieved);
    return status;
}

void beam_retrieved_free(beam_retrieved *retrieved)
{
    if (retrieved->folder)
        (void)close(retrieved->held); /* was only held */
    beam_free(retrieved->folder);
    beam_free(retrieved->control_endpoint);
    beam_free(retrieved->logging_endpoint);
    beam_free(retrieved->status_endpoint);
    *retrieved = (beam_retrieved){0};
}
