/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* model_remote.c - specs whose network is the address of a server's model. */
#include <string.h>

#include "device/foreign.h"
#include "ml/model_load.h"

bool beam_spec_is_address(const beam_model_spec *spec)
{
    beam_spec_text address;
    return beam_spec_field(spec->network, "network", "", &address, NULL) == BEAM_OK &&
           beam_is_model_address(address.text);
}

beam_status beam_spec_device(const beam_model_spec *spec, beam_spec_text *name, beam_error *err)
{
    BEAM_TRY(beam_spec_field(spec->device, "device", "auto", name, err));
    if (beam_spec_is_address(spec) && strcmp(name->text, "auto") == 0)
        strcpy(name->text, "remote");
    return BEAM_OK;
}

beam_status beam_spec_check_address(const beam_model_spec *spec, beam_error *err)
{
    beam_spec_text address;
    BEAM_TRY(beam_spec_field(spec->network, "network", "", &address, err));
    BEAM_TRY(beam_remote_check_address(address.text, err));
    if (spec->weights.len)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the model %s has its weights on the server; give none",
                              address.text);
    return BEAM_OK;
}

beam_status beam_model_load_address(const beam_model_request *request, beam_device *device,
                                    beam_model **model, beam_error *err)
{
    const beam_model_spec *spec = request->spec;
    const beam_remote_spec *r = &spec->remote;
    beam_spec_text address, credentials;
    BEAM_TRY(beam_spec_check_address(spec, err));
    BEAM_TRY(beam_spec_field(spec->network, "network", "", &address, err));
    BEAM_TRY(beam_spec_field(r->credentials, "credentials", "", &credentials, err));
    const beam_remote_options remote = {.struct_size = sizeof remote,
                                        .num_retries = r->num_retries,
                                        .retry_delay_secs = r->retry_delay_secs,
                                        .throttle_delay_secs = r->throttle_delay_secs,
                                        .timeout_secs = r->timeout_secs,
                                        .requests_per_second = r->requests_per_second,
                                        .credentials = credentials.text};
    const beam_load_options options = {.struct_size = sizeof options,
                                       .max_batch = request->max_batch,
                                       .remote = &remote,
                                       .stop = request->stop};
    beam_log_write(request->logger, BEAM_LOG_INFO, __FILE__, __LINE__, request->transform,
                   "asking for %s", address.text);
    BEAM_TRY(beam_device_load(device, address.text, &options, model, err));
    beam_log_write(request->logger, BEAM_LOG_INFO, __FILE__, __LINE__, request->transform,
                   "%s is there", address.text);
    return BEAM_OK;
}
