/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bench_sockets.h - what moving bytes costs that nothing else is done with: the limit of whatever
 * an engine and a worker send each other. */
#ifndef BENCH_SOCKETS_H
#define BENCH_SOCKETS_H

#include <stddef.h>

/* Seconds of CPU time in which this process sends so many bytes to another one over TCP on the
 * loopback interface, and then takes as many from it, `times` times; negative: it cannot.  It sends
 * half a megabyte at a time and reads what is there into 64 KB that it uses again and again; the
 * other side reads and writes 32 KB, as Prism does. */
double bench_sockets_cpu(size_t bytes, int times);

#endif
