/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "submit/artifacts.h"
#include "submit/retrieve.h"

static const char *const names[] = {"id", "control_endpoint", "logging_endpoint",
                                    "artifact_endpoint", "provision_endpoint"};
enum { OPTIONS = sizeof names / sizeof *names };

/* By the order of `names`. */
static const char **field(beam_worker_request *request, size_t i)
{
    const char **const fields[OPTIONS] = {&request->id, &request->control_endpoint,
                                          &request->logging_endpoint, &request->artifact_endpoint,
                                          &request->provision_endpoint};
    return fields[i];
}

static char *unquoted(char *value)
{
    size_t len = strlen(value);
    if (len >= 2 && (*value == '\'' || *value == '"') && value[len - 1] == *value) {
        value[len - 1] = '\0';
        return value + 1;
    }
    return value;
}

bool beam_worker_request_parse(int argc, char **argv, beam_worker_request *request)
{
    *request = (beam_worker_request){0};
    for (int i = 1; i < argc; i++)
        for (size_t k = 0; k < OPTIONS; k++) {
            size_t len = strlen(names[k]);
            if (strncmp(argv[i], "--", 2) != 0 || strncmp(argv[i] + 2, names[k], len) != 0)
                continue;
            char *value = argv[i] + 2 + len;
            if (*value == '=')
                *field(request, k) = unquoted(value + 1);
            else if (!*value && i + 1 < argc)
                *field(request, k) = unquoted(argv[++i]);
            break;
        }
    for (size_t k = 0; k < OPTIONS; k++)
        if (!*field(request, k))
            *field(request, k) = "";
    return *request->id && (*request->provision_endpoint || *request->control_endpoint);
}

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to start a worker");
}

/* The libraries that were sent come before those that the machine has. */
static beam_status set_environment(const char *folder, beam_error *err)
{
    const char *machine = getenv("LD_LIBRARY_PATH");
    char *path = beam_asprintf("%s/" BEAM_ARTIFACT_LIBRARIES "%s%s", folder,
                               machine && *machine ? ":" : "", machine ? machine : "");
    bool set = path && setenv("LD_LIBRARY_PATH", path, 1) == 0 &&
               setenv("BEAM_STAGED_DIR", folder, 1) == 0;
    beam_free(path);
    return set ? BEAM_OK : no_memory(err);
}

static beam_status become(const beam_worker_request *request, const char *folder, beam_error *err)
{
    beam_worker_request copy = *request;
    char *program = beam_asprintf("%s/" BEAM_ARTIFACT_PROGRAM, folder);
    char *argv[OPTIONS + 2] = {program};
    size_t n = 1;
    bool whole = program != NULL;
    for (size_t k = 0; k < OPTIONS; k++)
        if (**field(&copy, k)) {
            argv[n] = beam_asprintf("--%s=%s", names[k], *field(&copy, k));
            whole = whole && argv[n++];
        }
    beam_status status = whole ? set_environment(folder, err) : no_memory(err);
    if (status == BEAM_OK) {
        (void)execv(program, argv); /* returns only to say that it failed */
        status =
            beam_error_set(err, BEAM_UNAVAILABLE, "cannot start %s: %s", program, strerror(errno));
    }
    for (size_t i = 0; i < n; i++)
        beam_free(argv[i]);
    return status;
}

beam_status beam_boot(const beam_worker_request *request, beam_error *err)
{
    const beam_retrieval retrieval = {.worker_id = request->id,
                                      .provision_endpoint = request->provision_endpoint,
                                      .artifact_endpoint = request->artifact_endpoint,
                                      .program = true};
    beam_retrieved retrieved;
    BEAM_TRY(beam_retrieve(&retrieval, &retrieved, err));
    beam_status status =
        retrieved.folder
            ? become(request, retrieved.folder, err)
            : beam_error_set(err, BEAM_FAILED_PRECONDITION,
                             "the job was submitted without its program; libbeam sends it with "
                             "--environment_type=EXTERNAL, or PROCESS and a command");
    beam_retrieved_free(&retrieved);
    return status;
}
