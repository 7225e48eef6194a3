/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* remote_read.c - what servers of the open inference protocol say, and how they may be wrong. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "device/remote_wire.h"
#include "nn/network.h"

/* No sensible row of a tensor is larger, and no size in bytes overflows below it. */
static const size_t MOST_VALUES = (size_t)1 << 28;

static json_t *parse(const void *text, size_t size, const char *what, beam_error *err)
{
    json_error_t why;
    json_t *json = json_loadb(text ? text : "", size, 0, &why);
    if (json_is_object(json))
        return json;
    (void)beam_error_set(err, BEAM_DATA_LOSS, "%s is no JSON object%s%s", what, json ? "" : ": ",
                         json ? "" : why.text);
    json_decref(json);
    return NULL;
}

bool beam_remote_read_extensions(const void *text, size_t size)
{
    json_t *json = parse(text, size, "it", NULL);
    const json_t *extensions = json_object_get(json, "extensions");
    bool found = false;
    for (size_t i = 0; !found && i < json_array_size(extensions); i++) {
        const char *name = json_string_value(json_array_get(extensions, i));
        found = name && (strcmp(name, "binary_tensor_data") == 0 ||
                         strcmp(name, "binary_tensor_data_extension") == 0);
    }
    json_decref(json);
    return found;
}

void beam_remote_read_words(const void *text, size_t size, char words[BEAM_REMOTE_WORDS])
{
    json_t *json = parse(text, size, "it", NULL);
    const json_t *error = json_object_get(json, "error");
    const char *said =
        json_string_value(json_is_object(error) ? json_object_get(error, "message") : error);
    size_t n = 0;
    for (; said && *said && n < BEAM_REMOTE_WORDS - 1; said++)
        words[n++] = *said >= ' ' && *said < 127 ? *said : '?';
    words[n] = '\0';
    json_decref(json);
}

/* ---- Models ---------------------------------------------------------------------------------- */

static bool read_integer(const json_t *json, int64_t *value)
{
    *value = json_integer_value(json);
    return json_is_integer(json);
}

static beam_status read_shape(const json_t *json, beam_remote_port *port, int64_t *batch,
                              beam_error *err)
{
    size_t rank = json_array_size(json);
    port->row = 1;
    if (rank < 1 || rank > BEAM_TENSOR_MAX_RANK)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s has no shape of 1 to %d dimensions, of which the first is the "
                              "batch",
                              port->name, BEAM_TENSOR_MAX_RANK);
    for (size_t i = 0; i < rank; i++) {
        int64_t size;
        bool known = read_integer(json_array_get(json, i), &size) && size >= 1;
        if (i > 0 && !known)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "dimension %zu of %s has no fixed size; only the batch, the "
                                  "first, may vary",
                                  i, port->name);
        if (i > 0 && (size_t)size > MOST_VALUES / port->row)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "an example of %s has more than %zu values", port->name,
                                  MOST_VALUES);
        if (i == 0 && known && *batch != 0 && *batch != size)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "the first dimension of %s is %lld and another's %lld: it must "
                                  "be the batch's size everywhere",
                                  port->name, (long long)size, (long long)*batch);
        if (i == 0 && known)
            *batch = size;
        port->row *= i ? (size_t)size : 1;
        port->shape.shape[i] = i ? size : BEAM_NN_BATCH;
    }
    port->shape.rank = (uint32_t)rank;
    return BEAM_OK;
}

static beam_status read_port(const json_t *json, const char *what, beam_remote_port *port,
                             int64_t *batch, beam_error *err)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *type = json_string_value(json_object_get(json, "datatype"));
    *port = (beam_remote_port){0};
    if (!name || !*name || strlen(name) >= sizeof port->name)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "an %s has no name of 1 to %d bytes",
                              what, BEAM_REMOTE_NAME - 1);
    (void)snprintf(port->name, sizeof port->name, "%s", name);
    port->type = beam_remote_type_of(type);
    if (!port->type)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s %s is of datatype %.16s, which does not become numbers here",
                              what, name, type ? type : "(none)");
    return read_shape(json_object_get(json, "shape"), port, batch, err);
}

static beam_status read_ports(const json_t *list, const char *what, beam_remote_port *ports,
                              size_t *count, int64_t *batch, beam_error *err)
{
    *count = json_array_size(list);
    if (*count < 1 || *count > BEAM_FOREIGN_MAX_PORTS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the server tells of %zu %ss, not of 1 to %d: their names, datatypes "
                              "and shapes belong into the model's configuration there",
                              *count, what, BEAM_FOREIGN_MAX_PORTS);
    for (size_t i = 0; i < *count; i++) {
        BEAM_TRY(read_port(json_array_get(list, i), what, &ports[i], batch, err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(ports[k].name, ports[i].name) == 0)
                return beam_error_set(err, BEAM_INVALID_ARGUMENT, "two %ss are called %s", what,
                                      ports[i].name);
    }
    return BEAM_OK;
}

beam_status beam_remote_read_model(const void *text, size_t size, beam_remote_ports *ports,
                                   beam_error *err)
{
    enum { LARGEST_BATCH = 1 << 20 };
    *ports = (beam_remote_ports){0};
    json_t *json = parse(text, size, "what the server tells of the model", err);
    if (!json)
        return BEAM_DATA_LOSS;
    beam_status status = read_ports(json_object_get(json, "inputs"), "input", ports->inputs,
                                    &ports->num_inputs, &ports->fixed_batch, err);
    if (status == BEAM_OK)
        status = read_ports(json_object_get(json, "outputs"), "output", ports->outputs,
                            &ports->num_outputs, &ports->fixed_batch, err);
    json_decref(json);
    if (status == BEAM_OK && ports->fixed_batch > LARGEST_BATCH)
        status = beam_error_set(err, BEAM_INVALID_ARGUMENT, "its batch is %lld, above %d",
                                (long long)ports->fixed_batch, LARGEST_BATCH);
    return status;
}

/* ---- Answers --------------------------------------------------------------------------------- */

size_t beam_remote_answer_most(const beam_remote_ports *ports, int64_t rows)
{
    enum { A_VALUE = 32, BESIDES = 1 << 20 };
    size_t values = 0;
    for (size_t i = 0; i < ports->num_outputs; i++)
        values += ports->outputs[i].row;
    return values * (size_t)(ports->fixed_batch ? ports->fixed_batch : rows) * A_VALUE + BESIDES;
}

static bool take_number(const json_t *json, const beam_remote_type *type, float *value)
{
    double number = json_is_boolean(json) ? json_is_true(json) : json_number_value(json);
    if (!json_is_number(json) && !json_is_boolean(json))
        return false;
    *value = (float)number;
    return type->whole ? number >= type->least && number <= type->most && number == trunc(number)
                       : isfinite(*value);
}

/* Numbers in one list, or in lists of lists as the shape has it; *place counts them. */
static bool take_numbers(const json_t *list, const beam_remote_type *type, const int64_t *shape,
                         uint32_t rank, float *to, size_t count, size_t *place)
{
    size_t n = json_array_size(list);
    if (!json_is_array(json_array_get(list, 0))) {
        for (size_t i = 0; i < n && n == count; i++, ++*place)
            if (!take_number(json_array_get(list, i), type, &to[i]))
                return false;
        return n == count;
    }
    size_t part = count / (size_t)shape[0];
    if (rank < 2 || n != (size_t)shape[0])
        return false;
    for (size_t i = 0; i < n; i++)
        if (!take_numbers(json_array_get(list, i), type, shape + 1, rank - 1, to + i * part, part,
                          place))
            return false;
    return true;
}

static beam_status take_bytes(const beam_remote_port *port, const uint8_t *from, size_t size,
                              float *to, size_t count, beam_error *err)
{
    if (size != count * port->type->size)
        return beam_error_set(err, BEAM_DATA_LOSS, "output %s has %zu bytes instead of %zu",
                              port->name, size, count * port->type->size);
    if (strcmp(port->type->name, "FP32") == 0) { /* as it is: nothing to look at one by one */
        memcpy(to, from, size);
        return BEAM_OK;
    }
    for (size_t i = 0; i < count; i++)
        if (!port->type->get(from + i * port->type->size, &to[i]))
            return beam_error_set(err, BEAM_DATA_LOSS,
                                  "value %zu of output %s is no %s that f32 can hold", i,
                                  port->name, port->type->name);
    return BEAM_OK;
}

/* Shape and datatype must be what was promised. */
static beam_status check_output(const beam_remote_port *port, int64_t rows, const json_t *json,
                                beam_error *err)
{
    const char *type = json_string_value(json_object_get(json, "datatype"));
    const json_t *shape = json_object_get(json, "shape");
    if (!type || strcmp(type, port->type->name) != 0)
        return beam_error_set(err, BEAM_DATA_LOSS, "output %s is of datatype %.16s instead of %s",
                              port->name, type ? type : "(none)", port->type->name);
    bool same = json_array_size(shape) == port->shape.rank;
    for (uint32_t i = 0; same && i < port->shape.rank; i++) {
        int64_t size;
        same = read_integer(json_array_get(shape, i), &size) &&
               size == (i ? port->shape.shape[i] : rows);
    }
    if (!same)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "output %s came in another shape than the model's, a row an example",
                              port->name);
    return BEAM_OK;
}

/* What follows the JSON, as far as it has not been taken. */
typedef struct binary_rest {
    const uint8_t *at;
    size_t left;
} binary_rest;

static beam_status take_output(const beam_remote_port *port, int64_t rows, const json_t *json,
                               const uint8_t *bytes, size_t size, float *to, beam_error *err)
{
    size_t count = port->row * (size_t)rows, place = 0;
    const json_t *data = json_object_get(json, "data");
    BEAM_TRY(check_output(port, rows, json, err));
    if (bytes)
        return take_bytes(port, bytes, size, to, count, err);
    if (!json_is_array(data))
        return beam_error_set(err, BEAM_DATA_LOSS, "output %s has no data", port->name);
    int64_t shape[BEAM_TENSOR_MAX_RANK];
    memcpy(shape, port->shape.shape, sizeof shape);
    shape[0] = rows;
    if (take_numbers(data, port->type, shape, port->shape.rank, to, count, &place))
        return BEAM_OK;
    return beam_error_set(
        err, BEAM_DATA_LOSS,
        "the data of output %s are no %zu values of %s in its shape: %zu are right", port->name,
        count, port->type->name, place);
}

/* The bytes of an output that has some: they come in the order of the outputs, whoever wants them.
 */
static beam_status next_bytes(const json_t *json, binary_rest *rest, const uint8_t **bytes,
                              size_t *size, beam_error *err)
{
    int64_t wanted;
    const json_t *said = json_object_get(json_object_get(json, "parameters"), "binary_data_size");
    *bytes = NULL;
    *size = 0;
    if (!said)
        return BEAM_OK;
    if (!read_integer(said, &wanted) || wanted < 0 || (uint64_t)wanted > rest->left)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "an output's binary_data_size is not what there is: %zu bytes",
                              rest->left);
    *bytes = rest->at;
    *size = (size_t)wanted;
    rest->at += *size;
    rest->left -= *size;
    return BEAM_OK;
}

static beam_status take_outputs(const beam_remote_ports *ports, int64_t rows, const json_t *list,
                                binary_rest *rest, float *const *outputs, beam_error *err)
{
    bool found[BEAM_FOREIGN_MAX_PORTS] = {false};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *json = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(json, "name"));
        const uint8_t *bytes;
        size_t size, k = 0;
        BEAM_TRY(next_bytes(json, rest, &bytes, &size, err));
        while (name && k < ports->num_outputs && strcmp(ports->outputs[k].name, name) != 0)
            k++;
        if (!name || k == ports->num_outputs || found[k])
            continue; /* more than was asked for */
        BEAM_TRY(take_output(&ports->outputs[k], rows, json, bytes, size, outputs[k], err));
        found[k] = true;
    }
    for (size_t k = 0; k < ports->num_outputs; k++)
        if (!found[k])
            return beam_error_set(err, BEAM_DATA_LOSS, "output %s is missing",
                                  ports->outputs[k].name);
    return BEAM_OK;
}

beam_status beam_remote_read_answer(const beam_remote_ports *ports, int64_t rows, const void *body,
                                    size_t size, size_t json_size, float *const *outputs,
                                    beam_error *err)
{
    if (json_size > size)
        return beam_error_set(err, BEAM_DATA_LOSS,
                              "the answer has %zu bytes, and %zu of them are said to be JSON", size,
                              json_size);
    json_t *json = parse(body, json_size, "the answer", err);
    if (!json)
        return BEAM_DATA_LOSS;
    binary_rest rest = {(const uint8_t *)body + json_size, size - json_size};
    int64_t batch = ports->fixed_batch ? ports->fixed_batch : rows;
    beam_status status =
        take_outputs(ports, batch, json_object_get(json, "outputs"), &rest, outputs, err);
    json_decref(json);
    return status;
}
