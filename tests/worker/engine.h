/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* engine.h - for tests: an engine's side of the Fn API, on a port of this process.  It says to a
 * worker what a test tells it to, and keeps what comes back. */
#ifndef TESTS_WORKER_ENGINE_H
#define TESTS_WORKER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "model/proto/fn_api.pb-c.h"

typedef enum engine_stream {
    ENGINE_CONTROL,
    ENGINE_DATA,
    ENGINE_STATE,
    ENGINE_LOGGING,
    ENGINE_STATUS,
    ENGINE_STREAMS
} engine_stream;

typedef struct engine engine;

/* Fails the test when it cannot. */
engine *engine_start(void);
const char *engine_endpoint(const engine *e); /* of all its services */
/* What the worker is told of any descriptor it asks for; borrowed.  NULL: it is told nothing. */
void engine_describe(engine *e, const BeamPb__ProcessBundleDescriptor *descriptor);
/* Waits until the worker has asked for a descriptor. */
void engine_wait_until_asked(engine *e);
/* Sends a message once the worker has opened the stream; waits for both.  False: see
 * engine_expect_faults. */
bool engine_send(engine *e, engine_stream stream, const void *what);
/* The next message of the stream, parsed; beam_message_free frees it.  NULL: none came for a long
 * time. */
void *engine_take(engine *e, engine_stream stream, const ProtobufCMessageDescriptor *type);
/* The engine takes nothing of a stream that the worker has not opened yet. */
void engine_ignore(engine *e, engine_stream stream);
/* The engine ends the stream as it should; or with a status of gRPC's, whose numbers are those of
 * beam_status. */
void engine_end(engine *e, engine_stream stream);
void engine_end_with(engine *e, engine_stream stream, int status);
/* Once the engine has ended the stream and the worker has noticed: it may open another one. */
void engine_accept_again(engine *e, engine_stream stream);
/* From here on the worker may fail: to send on a stream, or to take from it, is given up once the
 * worker has broken it, has said something on the control stream instead, or is gone. */
void engine_expect_faults(engine *e);
void engine_worker_gone(engine *e);
bool engine_is_open(engine *e, engine_stream stream);
/* Breaks whatever is open: nothing but engine_stop may follow. */
void engine_break(engine *e);
void engine_stop(engine *e);

#endif
