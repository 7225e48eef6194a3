/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* function.c - functions by name, with their config and the fingerprint of their types. */
#include "model/function.h"

#include <inttypes.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "model/message.h"
#include "model/proto/libbeam.pb-c.h"
#include "model/urn.h"
#include "type/coder.h"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- Fingerprints --------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return beam_hash64(bytes, sizeof bytes, hash);
}

static uint64_t mix_type(uint64_t hash, const beam_type *type)
{
    return mix(hash, type ? beam_type_fingerprint(type) : 0);
}

uint64_t beam_dofn_fingerprint(const beam_dofn *fn)
{
    uint64_t hash = mix_type(mix_type(0, fn->in), fn->config);
    hash = mix(hash, fn->n_outs);
    for (size_t i = 0; i < fn->n_outs; i++)
        hash = mix_type(hash, fn->outs[i]);
    hash = mix(hash, fn->n_sides);
    for (size_t i = 0; i < fn->n_sides; i++)
        hash = mix_type(mix(hash, (uint64_t)fn->sides[i].kind), fn->sides[i].type);
    return mix_type(hash, fn->splittable ? fn->splittable->restriction : NULL);
}

uint64_t beam_combinefn_fingerprint(const beam_combinefn *fn)
{
    return mix_type(mix_type(mix_type(mix_type(0, fn->in), fn->acc), fn->out), fn->config);
}

const beam_metric *beam_dofn_metric(const beam_dofn *fn, size_t place)
{
    if (fn->metric_at)
        return fn->metric_at(place);
    return place < fn->n_metrics ? &fn->metrics[place] : NULL;
}

/* ---- To protos ------------------------------------------------------------------------ */

static beam_status function_to_proto(const char *urn, const char *name, uint64_t fingerprint,
                                     const beam_type *config_type, const void *config,
                                     beam_arena *arena, BeamPb__FunctionSpec **spec,
                                     beam_error *err)
{
    BeamPb__Function function = BEAM_PB__FUNCTION__INIT;
    beam_buffer encoded = {0};
    if (config_type && !config)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "function '%s' needs a config", name);
    if (!config_type && config)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "function '%s' takes no config", name);
    *spec = beam_message_new(&beam_pb__function_spec__descriptor, arena);
    if (!*spec)
        return no_memory(err);
    if (config) {
        beam_status status = beam_encode(config_type, BEAM_NESTED, config, &encoded, err);
        if (status != BEAM_OK) {
            beam_buffer_free(&encoded);
            return beam_error_wrap(err, status, "the config of function '%s'", name);
        }
    }
    function.name = (char *)name;
    function.fingerprint = fingerprint;
    function.config = (ProtobufCBinaryData){encoded.len, encoded.data};
    beam_status status = beam_message_pack_arena(&function, arena, &(*spec)->payload);
    beam_buffer_free(&encoded);
    if (status != BEAM_OK)
        return no_memory(err);
    (*spec)->urn = (char *)urn;
    return BEAM_OK;
}

beam_status beam_dofn_to_proto(const beam_dofn *fn, const void *config, beam_arena *arena,
                               BeamPb__FunctionSpec **spec, beam_error *err)
{
    return function_to_proto(BEAM_URN_DOFN, fn->name, beam_dofn_fingerprint(fn), fn->config, config,
                             arena, spec, err);
}

beam_status beam_combinefn_to_proto(const beam_combinefn *fn, const void *config, beam_arena *arena,
                                    BeamPb__FunctionSpec **spec, beam_error *err)
{
    return function_to_proto(BEAM_URN_COMBINEFN, fn->name, beam_combinefn_fingerprint(fn),
                             fn->config, config, arena, spec, err);
}

/* ---- From protos ---------------------------------------------------------------------- */

static beam_status read_function(const BeamPb__FunctionSpec *spec, const char *urn,
                                 BeamPb__Function **function, beam_error *err)
{
    if (!spec)
        return beam_error_set(err, BEAM_DATA_LOSS, "there is no function");
    if (strcmp(spec->urn, urn) != 0)
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "a function is of kind '%s'; this worker runs '%s'", spec->urn, urn);
    return beam_message_unpack(&beam_pb__function__descriptor, spec->payload.data,
                               spec->payload.len, function, err);
}

static beam_status check_fingerprint(const BeamPb__Function *function, uint64_t fingerprint,
                                     beam_error *err)
{
    if (function->fingerprint == fingerprint)
        return BEAM_OK;
    return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                          "function '%s' has other types here than where the pipeline was built "
                          "(fingerprints %016" PRIx64 " and %016" PRIx64
                          "): run the same build of the program in both places",
                          function->name, fingerprint, function->fingerprint);
}

static beam_status read_config(const BeamPb__Function *function, const beam_type *type,
                               beam_arena *arena, const void **config, beam_error *err)
{
    *config = NULL;
    if (!type)
        return BEAM_OK;
    void *value = beam_arena_calloc(arena, 1, type->size);
    if (!value)
        return no_memory(err);
    beam_reader reader = beam_reader_of(function->config.data, function->config.len);
    beam_status status = beam_decode(type, BEAM_NESTED, &reader, value, arena, err);
    if (status == BEAM_OK && beam_reader_left(&reader))
        status =
            beam_error_set(err, BEAM_DATA_LOSS, "%zu bytes too many", beam_reader_left(&reader));
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "the config of function '%s'", function->name);
    *config = value;
    return BEAM_OK;
}

static beam_status unknown_function(const char *what, const char *name, beam_error *err)
{
    return beam_error_set(err, BEAM_NOT_FOUND,
                          "this program has no %s named '%s': put it into the list of functions "
                          "that the program hands over",
                          what, name);
}

beam_status beam_dofn_from_proto(const BeamPb__FunctionSpec *spec, const beam_registry *registry,
                                 beam_arena *arena, const beam_dofn **fn, const void **config,
                                 beam_error *err)
{
    BeamPb__Function *function;
    BEAM_TRY(read_function(spec, BEAM_URN_DOFN, &function, err));
    beam_status status = BEAM_OK;
    *fn = beam_registry_dofn(registry, function->name);
    if (!*fn)
        status = unknown_function("DoFn", function->name, err);
    if (status == BEAM_OK)
        status = check_fingerprint(function, beam_dofn_fingerprint(*fn), err);
    if (status == BEAM_OK)
        status = read_config(function, (*fn)->config, arena, config, err);
    beam_message_free(function);
    return status;
}

beam_status beam_combinefn_from_proto(const BeamPb__FunctionSpec *spec,
                                      const beam_registry *registry, beam_arena *arena,
                                      const beam_combinefn **fn, const void **config,
                                      beam_error *err)
{
    BeamPb__Function *function;
    BEAM_TRY(read_function(spec, BEAM_URN_COMBINEFN, &function, err));
    beam_status status = BEAM_OK;
    *fn = beam_registry_combinefn(registry, function->name);
    if (!*fn)
        status = unknown_function("CombineFn", function->name, err);
    if (status == BEAM_OK)
        status = check_fingerprint(function, beam_combinefn_fingerprint(*fn), err);
    if (status == BEAM_OK)
        status = read_config(function, (*fn)->config, arena, config, err);
    beam_message_free(function);
    return status;
}

bool beam_local_index(const char *local_name, const char *prefix, uint32_t *index)
{
    size_t skip = strlen(prefix);
    if (strncmp(local_name, prefix, skip) != 0)
        return false;
    const char *digits = local_name + skip;
    uint64_t value = 0;
    if (!*digits || (digits[0] == '0' && digits[1]))
        return false;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9' || value > UINT32_MAX / 10)
            return false;
        value = value * 10 + (uint64_t)(*digits - '0');
    }
    if (value > UINT32_MAX)
        return false;
    *index = (uint32_t)value;
    return true;
}
