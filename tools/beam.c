/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* beam: what a machine needs to run libbeam programs for an engine, whose programs come with their
 * jobs; and what tells about accelerators (tools/beam/).
 *
 *     beam devices [NAME...]
 *     beam aot --target=v5e:1x1 --model=resnet18 [...]
 *     beam cheatsheet RESULT...
 *     beam copy FROM TO
 *     beam worker-pool [--port=50000] [--host=localhost]
 *     beam --id=ID --provision_endpoint=HOST:PORT [...]
 *
 * The last is a worker: the command of a PROCESS environment, or a container's entry point
 * (/opt/apache/beam/boot). */
#include <stdio.h>
#include <string.h>

#include "beam/verbs.h"
#include "submit/boot.h"

static int usage(FILE *file, int code)
{
    fputs("usage: beam worker-pool [--port=50000] [--host=localhost]\n"
          "           starts workers for engines that ask; --port=0: any free port\n"
          "       beam devices [NAME...]\n"
          "           which devices are here, and why others are not\n"
          "       beam aot --target=v5e:1x1 --model=resnet18 [...]\n"
          "           compiles for an accelerator that is not here; beam aot --help\n"
          "       beam cheatsheet RESULT...\n"
          "           what runs cost, and when an accelerator is worth its price\n"
          "       beam copy FROM TO\n"
          "           a file to gs://, from there, or within it\n"
          "       beam --id=ID --provision_endpoint=HOST:PORT [...]\n"
          "           is a worker: fetches its job's program and runs it\n",
          file);
    return code;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } verbs[] = {{"aot", beam_verb_aot},
                 {"cheatsheet", beam_verb_cheatsheet},
                 {"copy", beam_verb_copy},
                 {"devices", beam_verb_devices},
                 {"worker-pool", beam_verb_worker_pool}};
    beam_worker_request request;
    beam_error err = {0};
    for (size_t i = 0; argc >= 2 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc, argv);
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return usage(stdout, 0);
    if (!beam_worker_request_parse(argc, argv, &request))
        return usage(stderr, BEAM_VERB_USAGE);
    (void)beam_boot(&request, &err); /* it does not return otherwise */
    fprintf(stderr, "beam: %s\n", err.message);
    return BEAM_VERB_FAILED;
}
