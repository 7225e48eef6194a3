/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_inference_answers.c - what servers of the open inference protocol say.  The first byte picks
 * who reads the rest: as what a server tells of itself and of errors; as a model, and, behind a
 * NUL, an answer of that; or as an answer, of which the next two bytes tell how much is JSON. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "device/remote_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 3, MOST_VALUES = 1 << 16 };

/* Reads an answer into memory of just the size that it may fill. */
static void read_answer(const beam_remote_ports *ports, const uint8_t *data, size_t size,
                        size_t json_size)
{
    float *outputs[BEAM_FOREIGN_MAX_PORTS] = {0};
    size_t values = 0, batch = ports->fixed_batch ? (size_t)ports->fixed_batch : ROWS;
    for (size_t i = 0; i < ports->num_outputs; i++)
        values += ports->outputs[i].row * batch;
    for (size_t i = 0; values <= MOST_VALUES && i < ports->num_outputs; i++)
        outputs[i] = beam_malloc(ports->outputs[i].row * batch * sizeof(float));
    beam_status status = BEAM_OK;
    if (values <= MOST_VALUES)
        status = beam_remote_read_answer(ports, ROWS, data, size, json_size, outputs, NULL);
    for (size_t i = 0; i < ports->num_outputs; i++) {
        const beam_remote_port *port = &ports->outputs[i];
        for (size_t k = 0;
             status == BEAM_OK && outputs[i] && port->type->whole && k < port->row * batch; k++)
            if (outputs[i][k] != truncf(outputs[i][k]))
                abort();
        beam_free(outputs[i]);
    }
}

/* What is taken for a model can be asked: its request has a size that follows from it. */
static void write_request(const beam_remote_ports *ports)
{
    beam_tensor inputs[BEAM_FOREIGN_MAX_PORTS];
    float *zeros = beam_calloc(MOST_VALUES, sizeof *zeros);
    size_t values = 0;
    for (size_t i = 0; i < ports->num_inputs; i++) {
        values += ports->inputs[i].row * (ports->fixed_batch ? (size_t)ports->fixed_batch : 1);
        inputs[i] = (beam_tensor){.dtype = BEAM_F32, .data = zeros};
    }
    for (int binary = 0; zeros && values <= MOST_VALUES && binary < 2; binary++) {
        beam_buffer body = {0};
        size_t json;
        if (beam_remote_write_request(ports, inputs, 1, binary, &body, &json, NULL) != BEAM_OK ||
            json > body.len)
            abort();
        beam_buffer_free(&body);
    }
    beam_free(zeros);
}

static void read_model(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\0', size);
    size_t len = end ? (size_t)(end - data) : size;
    beam_remote_ports ports;
    if (beam_remote_read_model(data, len, &ports, NULL) != BEAM_OK)
        return;
    if (ports.num_inputs < 1 || ports.num_outputs < 1 || ports.fixed_batch < 0)
        abort();
    write_request(&ports);
    if (end)
        read_answer(&ports, end + 1, size - len - 1, size - len - 1);
}

static void read_numbers(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"FP32", "FP64", "FP16", "INT64", "UINT8", "BOOL"};
    beam_remote_ports ports = {.num_outputs = 6};
    if (size < 2)
        return;
    for (size_t i = 0; i < ports.num_outputs; i++) {
        ports.outputs[i] = (beam_remote_port){.name = {(char)('a' + i)},
                                              .type = beam_remote_type_of(types[i]),
                                              .shape = {2, {-1, 2}},
                                              .row = 2};
    }
    read_answer(&ports, data + 2, size - 2, (size_t)data[0] << 8 | data[1]);
    ports.num_outputs = 1;
    read_answer(&ports, data + 2, size - 2, size - 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char words[BEAM_REMOTE_WORDS];
    if (size < 1)
        return 0;
    switch (data[0] % 3) {
    case 0:
        (void)beam_remote_read_extensions(data + 1, size - 1);
        beam_remote_read_words(data + 1, size - 1, words);
        if (strlen(words) >= sizeof words || strpbrk(words, "\r\n\033"))
            abort();
        break;
    case 1:
        read_model(data + 1, size - 1);
        break;
    default:
        read_numbers(data + 1, size - 1);
    }
    return 0;
}
