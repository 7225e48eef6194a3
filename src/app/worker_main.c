/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/worker_main.h"

#include <stdlib.h>

#include "app/functions.h"
#include "submit/retrieve.h"
#include "worker/worker.h"

/* Asks the engine what it has for the worker. */
static beam_status provision(const beam_worker_request *request, beam_retrieved *retrieved,
                             beam_error *err)
{
    const char *staged = getenv("BEAM_STAGED_DIR");
    const beam_retrieval retrieval = {.worker_id = request->id,
                                      .provision_endpoint = request->provision_endpoint,
                                      .artifact_endpoint = request->artifact_endpoint};
    *retrieved = (beam_retrieved){0};
    if (staged && *staged && *request->control_endpoint)
        return BEAM_OK; /* all is known already */
    BEAM_TRY(beam_retrieve(&retrieval, retrieved, err));
    if (retrieved->folder && (!staged || !*staged) &&
        setenv("BEAM_STAGED_DIR", retrieved->folder, 1) != 0)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to start a worker");
    return BEAM_OK;
}

static const char *either(const char *given, const char *provisioned)
{
    return *given ? given : provisioned ? provisioned : "";
}

beam_status beam_app_worker_main(const beam_app *app, const beam_worker_request *request,
                                 const beam_logger *logger, const int *stop, beam_error *err)
{
    beam_retrieved retrieved = {0};
    beam_registry registry = {0};
    beam_status status = BEAM_OK;
    beam_worker_keep_memory();
    if (*request->provision_endpoint)
        status = provision(request, &retrieved, err);
    if (status == BEAM_OK)
        status = beam_app_registry(&app->functions, &registry, err);
    const beam_worker_options options = {
        .id = request->id,
        .control_endpoint = either(request->control_endpoint, retrieved.control_endpoint),
        .logging_endpoint = either(request->logging_endpoint, retrieved.logging_endpoint),
        .status_endpoint = either("", retrieved.status_endpoint),
        .registry = &registry,
        .logger = logger,
        .stop = stop};
    if (status == BEAM_OK && !*options.control_endpoint)
        status = beam_error_set(err, BEAM_FAILED_PRECONDITION,
                                "the engine does not say where its instructions come from");
    if (status == BEAM_OK)
        status = beam_worker_run(&options, err);
    beam_registry_free(&registry);
    beam_retrieved_free(&retrieved);
    return status;
}
