/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* program_shape.c - a compiled program's arguments and results.  PJRT tells those of results only;
 * the optimized program that a plugin gives back, an HloModuleProtoWithConfig, has all of them.
 * Numbers of fields are those of xla/service/hlo.proto and xla/xla_data.proto. */
#include "device/program_shape.h"

#include <string.h>

#include "base/alloc.h"
#include "base/proto_field.h"

enum { CONFIG_MODULE = 1, MODULE_SHAPE = 4, PROGRAM_ARGUMENT = 1, PROGRAM_RESULT = 2 };
enum { SHAPE_TYPE = 2, SHAPE_DIMENSION = 3, SHAPE_PART = 4, TYPE_TUPLE = 13 };

/* The next field of a message; BEAM_OUT_OF_RANGE at its end. */
static beam_status next_field(beam_reader *reader, beam_proto_field *f)
{
    if (beam_reader_left(reader) == 0)
        return BEAM_OUT_OF_RANGE;
    return beam_proto_next_field(reader, f) == BEAM_OK ? BEAM_OK : BEAM_DATA_LOSS;
}

/* XLA's PrimitiveType. */
static beam_dtype dtype_of(uint64_t type)
{
    static const beam_dtype types[] = {
        [1] = BEAM_BOOL, [2] = BEAM_I8,   [3] = BEAM_I16,  [4] = BEAM_I32,  [5] = BEAM_I64,
        [6] = BEAM_U8,   [10] = BEAM_F16, [11] = BEAM_F32, [12] = BEAM_F64, [16] = BEAM_BF16};
    return type < sizeof types / sizeof *types ? types[type] : BEAM_DTYPE_INVALID;
}

static beam_status add_dimension(beam_tensor *tensor, uint64_t size)
{
    if (tensor->rank == BEAM_TENSOR_MAX_RANK || size > INT64_MAX)
        return BEAM_UNIMPLEMENTED;
    tensor->shape[tensor->rank++] = (int64_t)size;
    return BEAM_OK;
}

static beam_status append(beam_program_shape *shape, const beam_tensor *tensor)
{
    size_t count = shape->num_arguments + shape->num_results;
    if (count == BEAM_PROGRAM_MAX_ARGUMENTS || tensor->dtype == BEAM_DTYPE_INVALID ||
        beam_tensor_check(tensor, NULL, NULL, NULL) != BEAM_OK)
        return BEAM_UNIMPLEMENTED;
    if (beam_grow((void **)&shape->tensors, &shape->capacity, count + 1, sizeof *tensor) != 0)
        return BEAM_RESOURCE_EXHAUSTED;
    shape->tensors[count] = *tensor;
    return BEAM_OK;
}

/* A ShapeProto: one tensor, or, at the top of results only, a tuple of them. */
static beam_status add_shape(beam_reader reader, beam_program_shape *shape, size_t *counter,
                             bool tuple_allowed)
{
    beam_tensor tensor = {0};
    beam_status status;
    beam_proto_field f;
    bool tuple = false;
    while ((status = next_field(&reader, &f)) == BEAM_OK) {
        if (f.number == SHAPE_TYPE && f.wire == BEAM_PROTO_VARINT) {
            tuple = f.value == TYPE_TUPLE;
            tensor.dtype = dtype_of(f.value);
        } else if (f.number == SHAPE_DIMENSION && f.wire == BEAM_PROTO_VARINT) {
            BEAM_TRY(add_dimension(&tensor, f.value));
        } else if (f.number == SHAPE_DIMENSION && f.wire == BEAM_PROTO_BYTES) {
            uint64_t size;
            while (beam_reader_left(&f.bytes) > 0) {
                BEAM_TRY(beam_read_varint(&f.bytes, &size));
                BEAM_TRY(add_dimension(&tensor, size));
            }
        } else if (f.number == SHAPE_PART && f.wire == BEAM_PROTO_BYTES) {
            if (!tuple_allowed)
                return BEAM_UNIMPLEMENTED;
            BEAM_TRY(add_shape(f.bytes, shape, counter, false));
        }
    }
    if (status != BEAM_OUT_OF_RANGE)
        return status;
    if (tuple)
        return tuple_allowed ? BEAM_OK : BEAM_UNIMPLEMENTED;
    BEAM_TRY(append(shape, &tensor));
    (*counter)++;
    return BEAM_OK;
}

/* A ProgramShapeProto; fields come in their order. */
static beam_status add_program(beam_reader reader, beam_program_shape *shape)
{
    beam_status status;
    beam_proto_field f;
    while ((status = next_field(&reader, &f)) == BEAM_OK) {
        if (f.wire != BEAM_PROTO_BYTES)
            continue;
        if (f.number == PROGRAM_ARGUMENT && shape->num_results > 0)
            return BEAM_DATA_LOSS;
        if (f.number == PROGRAM_ARGUMENT)
            BEAM_TRY(add_shape(f.bytes, shape, &shape->num_arguments, false));
        if (f.number == PROGRAM_RESULT)
            BEAM_TRY(add_shape(f.bytes, shape, &shape->num_results, true));
    }
    return status == BEAM_OUT_OF_RANGE ? BEAM_OK : status;
}

/* The bytes of a message's member. */
static beam_status find(beam_reader *reader, uint64_t number)
{
    beam_status status;
    beam_proto_field f;
    while ((status = next_field(reader, &f)) == BEAM_OK)
        if (f.number == number && f.wire == BEAM_PROTO_BYTES) {
            *reader = f.bytes;
            return BEAM_OK;
        }
    return status == BEAM_OUT_OF_RANGE ? BEAM_DATA_LOSS : status;
}

beam_status beam_program_shape_parse(const void *data, size_t size, beam_program_shape *shape,
                                     beam_error *err)
{
    beam_reader reader = beam_reader_of(data, size);
    *shape = (beam_program_shape){0};
    beam_status status = find(&reader, CONFIG_MODULE);
    if (status == BEAM_OK)
        status = find(&reader, MODULE_SHAPE);
    if (status == BEAM_OK)
        status = add_program(reader, shape);
    if (status == BEAM_OK)
        return BEAM_OK;
    size_t done = shape->num_arguments + shape->num_results;
    beam_program_shape_free(shape);
    if (status == BEAM_UNIMPLEMENTED)
        return beam_error_set(err, status,
                              "argument or result %zu of main is of a type that tensors here do "
                              "not have, or of more than %d dimensions",
                              done, BEAM_TENSOR_MAX_RANK);
    return beam_error_set(err, status, "what the compiler tells of main cannot be read");
}

beam_status beam_program_shape_of(const PJRT_Api *api, PJRT_LoadedExecutable *program,
                                  beam_program_shape *shape, beam_error *err)
{
    if (!api->PJRT_Executable_OptimizedProgram)
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "this plugin does not tell what a module's main takes (it has no "
                              "PJRT_Executable_OptimizedProgram): only networks made with libbeam "
                              "run on it");
    PJRT_LoadedExecutable_GetExecutable_Args *get =
        BEAM_PJRT(PJRT_LoadedExecutable_GetExecutable, .loaded_executable = program);
    BEAM_TRY(beam_pjrt_status(api, api->PJRT_LoadedExecutable_GetExecutable(get),
                              "asking for the program", err));
    PJRT_Program optimized = {.struct_size = PJRT_Program_STRUCT_SIZE};
    PJRT_Executable_OptimizedProgram_Args *ask = BEAM_PJRT(
        PJRT_Executable_OptimizedProgram, .executable = get->executable, .program = &optimized);
    char *code = NULL;
    beam_status status = beam_pjrt_status(api, api->PJRT_Executable_OptimizedProgram(ask),
                                          "asking for what main takes", err);
    if (status == BEAM_OK && !(code = beam_malloc(optimized.code_size)))
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a program");
    optimized.code = code;
    if (status == BEAM_OK)
        status = beam_pjrt_status(api, api->PJRT_Executable_OptimizedProgram(ask),
                                  "asking for what main takes", err);
    if (status == BEAM_OK)
        status = beam_program_shape_parse(code, optimized.code_size, shape, err);
    beam_free(code);
    beam_pjrt_ignore(api, api->PJRT_Executable_Destroy(
                              BEAM_PJRT(PJRT_Executable_Destroy, .executable = get->executable)));
    return status;
}

void beam_program_shape_free(beam_program_shape *shape)
{
    beam_free(shape->tensors);
    *shape = (beam_program_shape){0};
}
