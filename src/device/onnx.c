/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onnx.c - a look through an ONNX file before OpenVINO gets it: that it is whole, not nested
 * without end, and names no other file.  Numbers of fields are those of onnx.proto
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). */
#include "base/proto_field.h"
#include "device/foreign.h"

/* The kinds of messages on the way to tensors. */
typedef enum kind { OTHER, MODEL, TRAINING, GRAPH, FUNCTION, NODE, ATTRIBUTE, SPARSE, TENSOR } kind;

static const struct {
    kind in;
    uint32_t field;
    kind holds;
} members[] = {
    {MODEL, 7, GRAPH},         {MODEL, 20, TRAINING},  {MODEL, 25, FUNCTION},
    {TRAINING, 1, GRAPH},      {TRAINING, 2, GRAPH},   {GRAPH, 1, NODE},
    {GRAPH, 5, TENSOR},        {GRAPH, 15, SPARSE},    {FUNCTION, 7, NODE},
    {NODE, 5, ATTRIBUTE},      {ATTRIBUTE, 5, TENSOR}, {ATTRIBUTE, 6, GRAPH},
    {ATTRIBUTE, 10, TENSOR},   {ATTRIBUTE, 11, GRAPH}, {ATTRIBUTE, 22, SPARSE},
    {ATTRIBUTE, 23, SPARSE},   {SPARSE, 1, TENSOR},    {SPARSE, 2, TENSOR},
    {FUNCTION, 11, ATTRIBUTE},
};

enum { MAX_DEPTH = 64, TENSOR_EXTERNAL_DATA = 13, TENSOR_DATA_LOCATION = 14, MODEL_GRAPH = 7 };

static kind kind_of(kind in, uint32_t field)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].in == in && members[i].field == field)
            return members[i].holds;
    return OTHER;
}

static beam_status damaged(beam_error *err)
{
    return beam_error_set(err, BEAM_DATA_LOSS, "no ONNX file, or a damaged one");
}

static beam_status check(kind in, beam_reader reader, int depth, bool *graph, beam_error *err)
{
    if (depth > MAX_DEPTH)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "ONNX nested more than %d deep",
                              MAX_DEPTH);
    while (beam_reader_left(&reader) > 0) {
        beam_proto_field f;
        if (beam_proto_next_field(&reader, &f) != BEAM_OK)
            return damaged(err);
        if (in == TENSOR && (f.number == TENSOR_EXTERNAL_DATA ||
                             (f.number == TENSOR_DATA_LOCATION && f.value != 0)))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "its weights lie in another file, which is not opened; save it "
                                  "as one file (torch.onnx.export: external_data=False)");
        kind holds = kind_of(in, f.number);
        if (holds == OTHER)
            continue;
        if (f.wire != BEAM_PROTO_BYTES)
            return damaged(err);
        *graph |= in == MODEL && f.number == MODEL_GRAPH;
        BEAM_TRY(check(holds, f.bytes, depth + 1, graph, err));
    }
    return BEAM_OK;
}

beam_status beam_onnx_check(const void *data, size_t size, beam_error *err)
{
    bool graph = false;
    BEAM_TRY(check(MODEL, beam_reader_of(data, size), 0, &graph, err));
    return graph ? BEAM_OK : damaged(err);
}
