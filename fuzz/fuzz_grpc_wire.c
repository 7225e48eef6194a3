/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_grpc_wire.c - what an engine may send on the connection of a stream: HTTP/2, gRPC's frames
 * and status, messages that are read by parts.
 *
 * Input: what comes, through a socket of this file's own in place of net/connect.c.  Whatever it
 * is, what is read is of it, and the stream ends with words or well. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/connect.h"
#include "net/grpc_wire.h"

enum { MOST = 64 << 10 /* what a socket takes at once */ };

static const uint8_t *input;
static size_t input_size;
static int engine;

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* ---- In place of net/connect.c --------------------------------------------------------------- */

beam_status beam_connect(const char *endpoint, const int *stop, int *fd, beam_error *err)
{
    int both[2];
    (void)endpoint, (void)stop, (void)err;
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0);
    require(write(both[1], input, input_size) == (ssize_t)input_size);
    require(shutdown(both[1], SHUT_WR) == 0);
    engine = both[1];
    *fd = both[0];
    return BEAM_OK;
}

/* ---- The input ------------------------------------------------------------------------------- */

static beam_status read_message(beam_grpc_wire *wire, size_t size, beam_error *err)
{
    uint8_t head[3];
    size_t taken = size < sizeof head ? size : sizeof head;
    BEAM_TRY(beam_grpc_wire_read(wire, head, taken, err));
    while (taken < size) {
        beam_spans part = {0};
        size_t bytes = 0;
        BEAM_TRY(beam_grpc_wire_take(wire, size - taken, &part, err));
        for (size_t i = 0; i < part.n; i++) {
            const char *at = part.all[i].at;
            bytes += part.all[i].len;
            require(part.all[i].len && memchr(at, at[part.all[i].len - 1], part.all[i].len));
        }
        require(bytes == part.size && bytes && bytes <= size - taken);
        taken += bytes;
        beam_spans_free(&part);
    }
    require(taken <= input_size);
    return BEAM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const beam_grpc_options options = {.method = "/a/B", .what = "say it", .worker_id = "w"};
    const beam_buffer head = {(uint8_t *)data, size / 2, size},
                      body = {(uint8_t *)data, size, size};
    beam_grpc_wire *wire;
    beam_error err = {0};
    bool open = true;
    if (size > MOST)
        return 0;
    input = data;
    input_size = size;
    beam_status status = beam_grpc_wire_open("engine:1", &options, &wire, &err);
    require((status == BEAM_OK) == (wire != NULL));
    if (wire)
        (void)beam_grpc_wire_write(wire, &head, &body, &err);
    err = (beam_error){0};
    while (wire && status == BEAM_OK && open) {
        status = beam_grpc_wire_next(wire, &size, &open, &err);
        if (status == BEAM_OK && open)
            status = read_message(wire, size, &err);
    }
    require(!wire || (status == BEAM_OK) == !*err.message);
    beam_grpc_wire_close(wire);
    (void)close(engine);
    return 0;
}
