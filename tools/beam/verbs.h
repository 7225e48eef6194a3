/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* verbs.h - the verbs of the beam tool that have files of their own.  Each takes main's arguments,
 * with its own name as argv[1], and returns the exit status. */
#ifndef TOOLS_BEAM_VERBS_H
#define TOOLS_BEAM_VERBS_H

#include <beam/status.h>

enum { BEAM_VERB_FAILED = 1, BEAM_VERB_USAGE = 2 };

/* Compiles a network, or a StableHLO module, for an accelerator that is not here. */
int beam_verb_aot(int argc, char **argv);
/* Writes what runs cost, and when an accelerator is worth its price. */
int beam_verb_cheatsheet(int argc, char **argv);
/* Copies a file to Cloud Storage, from there, or within it. */
int beam_verb_copy(int argc, char **argv);
/* Tells which devices this machine has, and why it has not the others. */
int beam_verb_devices(int argc, char **argv);
/* Starts workers for engines that ask for them. */
int beam_verb_worker_pool(int argc, char **argv);

#endif
