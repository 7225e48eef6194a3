/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bench_prism.h - workers of libbeam, of Beam's Go SDK and of its Python SDK under the same Prism:
 * the CPU time that each takes an element.
 *
 * The pipeline: elements are made, sent to the engine by a Reshuffle, taken, changed, sent by a
 * second one, and taken.  Workers are threads of the program that submits it (LOOPBACK), so that
 * its CPU time is the worker's; that of a run over next to nothing is taken off. */
#ifndef BENCH_PRISM_H
#define BENCH_PRISM_H

#include "common/bench_report.h"

/* The program's own side, in a process of its own: argv has --on_prism=ENDPOINT, --elements=N and,
 * for texts of 1000 bytes instead of numbers, --texts=1.  The exit status; -1: it was asked for
 * something else. */
int bench_prism_child(int argc, char **argv);

/* Adds the rows, the best of `rounds`; none where there is no Prism, and none of a peer that
 * bench/setup-peers --workers has not installed.  Texts are also compared with the bytes alone
 * (bench_sockets.h). */
void bench_prism_measure(bench_report *report, int rounds);

#endif
