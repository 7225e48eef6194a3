/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* remote_wire.h - the open inference protocol, version 2: what goes over the wire, without sending
 * it.  All that is read here is foreign.
 *
 * A request and an answer are JSON; with the binary tensor extension numbers follow the JSON as
 * they lie in memory, little endian, in the order of the tensors that say so. */
#ifndef DEVICE_REMOTE_WIRE_H
#define DEVICE_REMOTE_WIRE_H

#include "base/buffer.h"
#include "device/foreign.h"

enum { BEAM_REMOTE_NAME = 256, BEAM_REMOTE_WORDS = 256 };

/* A datatype of the protocol, and how its values become f32 and f32 become its values.  Whole
 * numbers are converted exactly or not at all. */
typedef struct beam_remote_type {
    const char *name; /* "FP32" */
    size_t size;
    bool whole;         /* a whole number from least to most */
    bool only_binary;   /* JSON has no form for it */
    double least, most; /* of whole numbers */
    bool (*put)(float value, uint8_t *to);
    bool (*get)(const uint8_t *from, float *value);
} beam_remote_type;

typedef struct beam_remote_port {
    char name[BEAM_REMOTE_NAME];
    const beam_remote_type *type;
    beam_foreign_port shape;
    size_t row; /* values of one example */
} beam_remote_port;

/* What a server tells of a model. */
typedef struct beam_remote_ports {
    beam_remote_port inputs[BEAM_FOREIGN_MAX_PORTS], outputs[BEAM_FOREIGN_MAX_PORTS];
    size_t num_inputs, num_outputs;
    int64_t fixed_batch; /* 0: any */
} beam_remote_ports;

/* The answer to GET /v2: whether the server takes and gives binary tensors. */
bool beam_remote_read_extensions(const void *json, size_t size);

/* The answer to GET /v2/models/NAME.  INVALID_ARGUMENT says what of it cannot be used here. */
beam_status beam_remote_read_model(const void *json, size_t size, beam_remote_ports *ports,
                                   beam_error *err);

/* The words of {"error": "..."}, made printable; "" where there are none. */
void beam_remote_read_words(const void *json, size_t size, char words[BEAM_REMOTE_WORDS]);

/* Appends a request of `rows` rows of each input (of zeros up to the model's fixed batch) to
 * `body`; *json_size of its bytes are JSON.  INVALID_ARGUMENT: a number that the input's type
 * cannot hold. */
beam_status beam_remote_write_request(const beam_remote_ports *ports, const beam_tensor *inputs,
                                      int64_t rows, bool binary, beam_buffer *body,
                                      size_t *json_size, beam_error *err);

/* More bytes than any sensible answer for so many rows has. */
size_t beam_remote_answer_most(const beam_remote_ports *ports, int64_t rows);

/* Reads an answer of which the first json_size bytes are JSON.  outputs[i] has room for the i-th
 * output of so many rows, or of the fixed batch.  DATA_LOSS says what is wrong with it. */
beam_status beam_remote_read_answer(const beam_remote_ports *ports, int64_t rows, const void *body,
                                    size_t size, size_t json_size, float *const *outputs,
                                    beam_error *err);

/* remote_types.c: the type of such a name; NULL: none that becomes f32. */
const beam_remote_type *beam_remote_type_of(const char *name);

#endif
