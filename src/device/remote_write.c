/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* remote_write.c - requests of the open inference protocol. */
#include <math.h>

#include "base/readable.h"
#include "device/remote_wire.h"

/* ---- Text ------------------------------------------------------------------------------------ */

static beam_status put_text(beam_buffer *to, const char *text)
{
    return beam_buffer_append(to, text, strlen(text));
}

static beam_status put_string(beam_buffer *to, const char *text)
{
    BEAM_TRY(beam_buffer_u8(to, '"'));
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == '"' || c == '\\')
            BEAM_TRY(beam_buffer_printf(to, "\\u%04x", c));
        else
            BEAM_TRY(beam_buffer_u8(to, c));
    }
    return beam_buffer_u8(to, '"');
}

static char *put_digits(char *end, uint64_t value)
{
    do
        *--end = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    return end;
}

/* value * 10^power, in steps that are exact or rounded once. */
static double scale_by(double value, int power)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    for (; power > 22; power -= 22)
        value *= 1e22;
    for (; power < -22; power += 22)
        value /= 1e22;
    return power < 0 ? value / powers[-power] : value * powers[power];
}

enum { NUMBER = 24 };

/* A number as JSON, of nine digits where it needs them: they tell every f32 from its neighbours.
 * It begins at the pointer returned and ends with the array.  printf takes ten times as long and
 * asks the locale what a point is. */
static char *put_number(char text[NUMBER], float value)
{
    char *end = text + NUMBER;
    double size = fabs((double)value);
    bool whole = size < 1e9 && size == trunc(size);
    if (whole) {
        end = put_digits(end, (uint64_t)size);
    } else {
        int power = 8 - (int)floor(log10(size));
        uint64_t digits = (uint64_t)llrint(scale_by(size, power));
        for (; digits % 10 == 0; power--)
            digits /= 10;
        end = put_digits(end, (uint64_t)(power < 0 ? -power : power));
        if (power > 0)
            *--end = '-';
        *--end = 'e';
        end = put_digits(end, digits);
    }
    if (value < 0)
        *--end = '-';
    return end;
}

/* ---- Tensors --------------------------------------------------------------------------------- */

static beam_status refuse(const beam_remote_port *port, size_t index, float value, beam_error *err)
{
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "value %zu of input %s is %g, which %s%s cannot hold", index, port->name,
                          beam_readable((double)value), port->type->name,
                          isfinite(value) ? "" : " as JSON");
}

static beam_status put_list(const beam_remote_port *port, const float *values, size_t count,
                            size_t padding, beam_buffer *to, beam_error *err)
{
    char text[NUMBER];
    uint8_t ignored[8];
    BEAM_TRY(beam_buffer_reserve(to, (count + padding) * 8));
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]) || !port->type->put(values[i], ignored))
            return refuse(port, i, values[i], err);
        char *at = put_number(text, values[i]);
        if (i > 0)
            *--at = ',';
        BEAM_TRY(beam_buffer_append(to, at, (size_t)(text + NUMBER - at)));
    }
    for (size_t i = 0; i < padding; i++)
        BEAM_TRY(put_text(to, ",0"));
    return BEAM_OK;
}

static beam_status put_bytes(const beam_remote_port *port, const float *values, size_t count,
                             size_t padding, beam_buffer *to, beam_error *err)
{
    size_t size = port->type->size;
    BEAM_TRY(beam_buffer_reserve(to, (count + padding) * size));
    uint8_t *at = to->data + to->len;
    if (strcmp(port->type->name, "FP32") == 0)
        memcpy(at, values, count * size);
    else
        for (size_t i = 0; i < count; i++)
            if (!port->type->put(values[i], at + i * size))
                return refuse(port, i, values[i], err);
    memset(at + count * size, 0, padding * size);
    to->len += (count + padding) * size;
    return BEAM_OK;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static beam_status put_input(const beam_remote_port *port, const float *values, int64_t rows,
                             int64_t batch, bool binary, beam_buffer *to, beam_error *err)
{
    size_t count = port->row * (size_t)rows, padding = port->row * (size_t)(batch - rows);
    BEAM_TRY(put_text(to, "{\"name\":"));
    BEAM_TRY(put_string(to, port->name));
    BEAM_TRY(beam_buffer_printf(to, ",\"datatype\":\"%s\",\"shape\":[%lld", port->type->name,
                                (long long)batch));
    for (uint32_t i = 1; i < port->shape.rank; i++)
        BEAM_TRY(beam_buffer_printf(to, ",%lld", (long long)port->shape.shape[i]));
    if (binary)
        return beam_buffer_printf(to, "],\"parameters\":{\"binary_data_size\":%zu}}",
                                  (count + padding) * port->type->size);
    BEAM_TRY(put_text(to, "],\"data\":["));
    BEAM_TRY(put_list(port, values, count, padding, to, err));
    return put_text(to, "]}");
}

static beam_status put_json(const beam_remote_ports *ports, const beam_tensor *inputs, int64_t rows,
                            int64_t batch, bool binary, beam_buffer *to, beam_error *err)
{
    BEAM_TRY(put_text(to, "{\"inputs\":["));
    for (size_t i = 0; i < ports->num_inputs; i++) {
        BEAM_TRY(put_text(to, i ? "," : ""));
        BEAM_TRY(put_input(&ports->inputs[i], inputs[i].data, rows, batch, binary, to, err));
    }
    BEAM_TRY(put_text(to, "],\"outputs\":["));
    for (size_t i = 0; i < ports->num_outputs; i++) {
        BEAM_TRY(put_text(to, i ? ",{\"name\":" : "{\"name\":"));
        BEAM_TRY(put_string(to, ports->outputs[i].name));
        BEAM_TRY(put_text(to, binary ? ",\"parameters\":{\"binary_data\":true}}" : "}"));
    }
    return put_text(to, "]}");
}

beam_status beam_remote_write_request(const beam_remote_ports *ports, const beam_tensor *inputs,
                                      int64_t rows, bool binary, beam_buffer *body,
                                      size_t *json_size, beam_error *err)
{
    int64_t batch = ports->fixed_batch ? ports->fixed_batch : rows;
    beam_error why = {0};
    size_t began = body->len;
    beam_status status = put_json(ports, inputs, rows, batch, binary, body, &why);
    *json_size = body->len - began;
    for (size_t i = 0; status == BEAM_OK && binary && i < ports->num_inputs; i++) {
        const beam_remote_port *port = &ports->inputs[i];
        status = put_bytes(port, inputs[i].data, port->row * (size_t)rows,
                           port->row * (size_t)(batch - rows), body, &why);
    }
    if (status == BEAM_OK)
        return BEAM_OK;
    return beam_error_set(err, status, "%s",
                          why.message[0] ? why.message : "no memory for a request");
}
