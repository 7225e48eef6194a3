/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow.c - beam dataflow show|cancel|drain JOB: a job on Dataflow, from anywhere: the program
 * that began it may be gone. */
#include <stdio.h>
#include <string.h>

#include "beam/verbs.h"
#include "submit/dataflow.h"

enum { MOST_OPTIONS = 16 };

static beam_status act(beam_dataflow_client *client, const char *verb, const char *id,
                       beam_error *err)
{
    beam_dataflow_job job;
    const char *wanted = strcmp(verb, "cancel") == 0  ? "JOB_STATE_CANCELLED"
                         : strcmp(verb, "drain") == 0 ? "JOB_STATE_DRAINED"
                                                      : NULL;
    if (wanted)
        BEAM_TRY(beam_dataflow_ask_for(client, id, wanted, err));
    BEAM_TRY(beam_dataflow_look(client, id, &job, err));
    printf("%s %s %s\n", job.id, job.name, job.state_name);
    return BEAM_OK;
}

static beam_status act_on(const beam_args *args, beam_error *err)
{
    beam_named_value values[MOST_OPTIONS];
    beam_arena arena = {0};
    beam_dataflow_options options;
    beam_dataflow_client client = {0};
    size_t n = beam_args_all(args, NULL);
    if (n > MOST_OPTIONS)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "that are too many options");
    (void)beam_args_all(args, values);
    beam_status status = beam_dataflow_service_read(values, n, &arena, &options, err);
    if (status == BEAM_OK)
        status = beam_dataflow_client_open(&options, &client, err);
    if (status == BEAM_OK) {
        status = act(&client, beam_args_operand(args, 0), beam_args_operand(args, 1), err);
        beam_dataflow_client_close(&client);
    }
    beam_arena_free(&arena);
    return status;
}

static int run(const beam_args *args)
{
    beam_error err = {0};
    const char *verb = beam_args_operands(args) == 2 ? beam_args_operand(args, 0) : "";
    if (strcmp(verb, "show") != 0 && strcmp(verb, "cancel") != 0 && strcmp(verb, "drain") != 0) {
        fprintf(stderr, "beam dataflow: expected show, cancel or drain, and a job's id; --help "
                        "tells more\n");
        return BEAM_VERB_USAGE;
    }
    if (act_on(args, &err) == BEAM_OK)
        return 0;
    fprintf(stderr, "beam dataflow: %s\n", err.message);
    return BEAM_VERB_FAILED;
}

static const beam_option options_of_ours[] = {
    {"project", "ID", NULL, "Google Cloud project of the job", false},
    {"region", "REGION", NULL, "where it runs", false},
    {"dataflow_endpoint", "URL", NULL, "another address of the service", false},
    {"no_auth", NULL, NULL, "send no credentials (to a --dataflow_endpoint here)", false},
    BEAM_HELP_OPTION,
};
const beam_verb beam_verb_dataflow = {
    .command = {.name = "beam dataflow",
                .about = "shows a job on Dataflow, cancels it, or (of a streaming job) drains it, "
                         "wherever it was begun",
                .operands = "show|cancel|drain JOB_ID",
                .groups = BEAM_VERB_OPTIONS(options_of_ours)},
    .run = run};
