/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/opaque.h"

#include <string.h>

#include "model/message.h"
#include "model/urn.h"

static bool must_be_opaque(const BeamPb__Coder *coder)
{
    static const char *const urns[] = {BEAM_URN_CODER_STRING, BEAM_URN_CODER_DOUBLE,
                                       BEAM_URN_CODER_ROW};
    for (size_t i = 0; coder && coder->spec && i < sizeof urns / sizeof *urns; i++)
        if (strcmp(coder->spec->urn, urns[i]) == 0)
            return true;
    return false;
}

static BeamPb__CoderEntry *entry(char *key, BeamPb__Coder *coder, beam_arena *arena)
{
    BeamPb__CoderEntry *made = beam_message_new(&beam_pb__coder_entry__descriptor, arena);
    if (!made)
        return NULL;
    made->key = key;
    made->value = coder;
    return made;
}

static BeamPb__Coder *prefixed(char *id, beam_arena *arena)
{
    BeamPb__Coder *coder = beam_message_new(&beam_pb__coder__descriptor, arena);
    BeamPb__FunctionSpec *spec = beam_message_new(&beam_pb__function_spec__descriptor, arena);
    char **component = beam_arena_calloc(arena, 1, sizeof *component);
    if (!coder || !spec || !component)
        return NULL;
    *component = id;
    spec->urn = (char *)BEAM_URN_CODER_LENGTH_PREFIX;
    coder->spec = spec;
    coder->component_coder_ids = component;
    coder->n_component_coder_ids = 1;
    return coder;
}

beam_status beam_make_opaque(BeamPb__Components *components, beam_arena *arena)
{
    size_t n = 0;
    BeamPb__CoderEntry **coders =
        beam_arena_calloc(arena, 2 * components->n_coders, sizeof *coders);
    if (!coders)
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < components->n_coders; i++) {
        BeamPb__CoderEntry *plain = components->coders[i];
        coders[n++] = plain;
        if (!must_be_opaque(plain->value))
            continue;
        char *inside = beam_arena_printf(arena, "%s_inside", plain->key);
        BeamPb__Coder *outside = inside ? prefixed(inside, arena) : NULL;
        coders[n - 1] = outside ? entry(plain->key, outside, arena) : NULL;
        coders[n] = outside ? entry(inside, plain->value, arena) : NULL;
        if (!coders[n - 1] || !coders[n++])
            return BEAM_RESOURCE_EXHAUSTED;
    }
    components->coders = coders;
    components->n_coders = n;
    return BEAM_OK;
}
