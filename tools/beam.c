/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* beam: what a machine needs to run libbeam programs for an engine, whose programs come with their
 * jobs; and what tells about accelerators (tools/beam/).
 *
 *     beam devices [NAME...]
 *     beam aot --target=v5e:1x1 --model=resnet18 [...]
 *     beam cheatsheet RESULT...
 *     beam completion bash
 *     beam copy FROM TO
 *     beam dataflow show|cancel|drain JOB_ID --project=ID --region=REGION
 *     beam quantize --dataset=NAME --output=FILE [...]
 *     beam worker-pool [--port=50000] [--host=localhost]
 *     beam --id=ID --provision_endpoint=HOST:PORT [...]
 *
 * The last is a worker: the command of a PROCESS environment, or a container's entry point
 * (/opt/apache/beam/boot). */
#include <stdio.h>
#include <string.h>

#include "beam/verbs.h"
#include "submit/boot.h"

static const beam_option worker_options[] = {
    {"id", "ID", NULL, "what the engine calls the worker", false},
    {"provision_endpoint", "HOST:PORT", NULL, "where it asks what it is to do", false},
    {"control_endpoint", "HOST:PORT", NULL, "where instructions come from", false},
    {"logging_endpoint", "HOST:PORT", NULL, "where its log goes", false},
    {"artifact_endpoint", "HOST:PORT", NULL, "where its program is fetched", false},
};
static const beam_option own_options[] = {BEAM_HELP_OPTION};
static const beam_command beam = {
    .name = "beam",
    .about = "Serves engines as a worker (with --id), and tells about accelerators (with a verb).",
    .operands = "[VERB ...]",
    .groups = {{"Options", own_options, 1},
               {"A worker's, which engines give", worker_options,
                sizeof worker_options / sizeof *worker_options}}};

static int run_completion(const beam_args *args);

static const beam_verb completion = {
    .command = {.name = "beam completion",
                .about = "prints what a shell completes beam's verbs and options with: "
                         "eval \"$(beam completion bash)\"",
                .operands = "bash|zsh",
                .groups = BEAM_VERB_OPTIONS(own_options)},
    .run = run_completion};

static const beam_verb *const verbs[] = {
    &beam_verb_aot,      &beam_verb_cheatsheet, &completion,         &beam_verb_copy,
    &beam_verb_dataflow, &beam_verb_devices,    &beam_verb_quantize, &beam_verb_worker_pool};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static void print_help(beam_help help)
{
    const beam_command *commands[N_VERBS];
    for (size_t i = 0; i < N_VERBS; i++)
        commands[i] = &verbs[i]->command;
    beam_help_print(help, &beam, commands, N_VERBS);
}

static int run_completion(const beam_args *args)
{
    const char *shell = beam_args_operands(args) == 1 ? beam_args_operand(args, 0) : "";
    bool zsh = strcmp(shell, "zsh") == 0;
    if (!zsh && strcmp(shell, "bash") != 0) {
        fprintf(stderr, "beam completion: expected bash or zsh; --help tells more\n");
        return BEAM_VERB_USAGE;
    }
    print_help(zsh ? BEAM_HELP_ZSH : BEAM_HELP_BASH);
    return 0;
}

static int flushed(const char *name, int code)
{
    beam_error err = {0};
    if (code != 0 || beam_flush_output(&err) == BEAM_OK)
        return code;
    fprintf(stderr, "%s: %s\n", name, err.message);
    return BEAM_VERB_FAILED;
}

static int run_verb(const beam_verb *verb, int argc, char **argv)
{
    beam_args *args;
    beam_help help;
    beam_error err = {0};
    if (beam_args_parse(argc, argv, &verb->command, &args, &help, &err) != BEAM_OK) {
        fprintf(stderr, "%s: %s\n%s --help tells more\n", verb->command.name, err.message,
                verb->command.name);
        return BEAM_VERB_USAGE;
    }
    if (help) {
        beam_help_print(help, &verb->command, NULL, 0);
        return flushed(verb->command.name, 0);
    }
    int code = flushed(verb->command.name, verb->run(args));
    beam_args_free(args);
    return code;
}

/* No verb: help, a worker, or a mistake. */
static int run_beam(int argc, char **argv)
{
    beam_worker_request request;
    beam_args *args;
    beam_help help;
    beam_error err = {0};
    if (beam_worker_request_parse(argc, argv, &request)) {
        (void)beam_boot(&request, &err); /* it does not return otherwise */
        fprintf(stderr, "beam: %s\n", err.message);
        return BEAM_VERB_FAILED;
    }
    if (beam_args_parse(argc, argv, &beam, &args, &help, &err) == BEAM_OK && !help) {
        const char *verb = beam_args_operand(args, 0);
        beam_error_set(&err, BEAM_INVALID_ARGUMENT, verb ? "there is no verb '%s'" : "no verb%s",
                       verb ? verb : "");
        beam_args_free(args);
    }
    if (help) {
        print_help(help);
        return flushed("beam", 0);
    }
    fprintf(stderr, "beam: %s\nbeam --help tells which verbs there are\n", err.message);
    return BEAM_VERB_USAGE;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc >= 2 && i < N_VERBS; i++)
        if (strcmp(argv[1], verbs[i]->command.name + strlen("beam ")) == 0)
            return run_verb(verbs[i], argc - 1, argv + 1);
    return run_beam(argc, argv);
}
