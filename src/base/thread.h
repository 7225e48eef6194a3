/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* thread.h - threads that work behind the program's own. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* As pthread_create with no attributes, and with its result; but no signal of the process is
 * handled on the thread: signals are for the program's other threads. */
int beam_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
