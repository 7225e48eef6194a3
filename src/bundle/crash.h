/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* crash.h - what a crash in a user's callback leaves on stderr: transform, function, bundle,
 * element number and a backtrace.
 *
 * A program asks for it, since signal handlers are the program's.  The handlers run on a stack
 * of their own, call only what is safe there, and end in the signal's default action, so that
 * exit status and core file are what they would be.
 */
#ifndef BUNDLE_CRASH_H
#define BUNDLE_CRASH_H

#include <beam/status.h>

/* Handles SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT of the process from now on. Threads that
 * drive bundles need beam_crash_thread_begin besides for stack overflows to be reported.
 * Calling it again does nothing. */
beam_status beam_crash_install(beam_error *err);

/* Gives the calling thread the stack that handlers run on, and takes it back. */
beam_status beam_crash_thread_begin(beam_error *err);
void beam_crash_thread_end(void);

#endif
