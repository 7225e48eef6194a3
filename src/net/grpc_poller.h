/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* grpc_poller.h - one thread that waits for gRPC, for all streams of the process.
 *
 * Who waits at a completion queue polls the sockets of all of them; where many do, gRPC hands that
 * from one to the next, at each piece of a message.  Here one thread does, and who waits for an
 * operation is woken when that is done. */
#ifndef NET_GRPC_POLLER_H
#define NET_GRPC_POLLER_H

#include <beam/status.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/grpc_library.h"

/* Starts the thread unless it runs; after beam_grpc_begin.  Each success has its close. */
beam_status beam_grpc_poller_open(beam_error *err);
/* The last one ends the thread; all operations are done then. */
void beam_grpc_poller_close(void);
/* What calls are made with, and servers listen with; NULL while nobody has the poller open. */
grpc_completion_queue *beam_grpc_poller_queue(void);

/* An operation of a call, or a batch of them, which may be begun again once it was finished.  One
 * thread at a time begins and finishes it; any may wait for it. */
typedef struct beam_grpc_operation {
    pthread_mutex_t lock; /* of what gRPC's answer changes */
    pthread_cond_t changed;
    bool done, well;
    bool begun; /* and not finished */
} beam_grpc_operation;

beam_status beam_grpc_operation_init(beam_grpc_operation *operation);
/* Not while it is on its way. */
void beam_grpc_operation_destroy(beam_grpc_operation *operation);
/* False, and nothing is on its way: gRPC takes it not, or it was begun and not finished. */
bool beam_grpc_operation_begin(beam_grpc_operation *operation, grpc_call *call, const grpc_op *ops,
                               size_t n);
/* Whether it is done, and how well, timeout_ms later at most; 0: however long it takes. */
bool beam_grpc_operation_wait(beam_grpc_operation *operation, int timeout_ms, bool *well);
/* The same; when it is done, it is finished. */
bool beam_grpc_operation_finish(beam_grpc_operation *operation, int timeout_ms, bool *well);

#endif
