/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_suite.c - runs the conformance suite, on the direct runner or on an engine
 * (support/runner.h).  With CMOCKA_MESSAGE_OUTPUT=TAP it tells what tests/conformance/run reads. */
#include <signal.h>
#include <unistd.h>

#include "conformance/suite.h"
#include "support/runner.h"

/* A case that hangs is cancelled, and fails. */
enum { PATIENCE_S = 180, MAX_CASES = 256 };
static int cancel;

static void give_up(int number)
{
    (void)number;
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
}

/* Prism 2.77 asks itself, instead of a worker, for the progress of a GroupByKey that takes more
 * than 0.1 s, and panics: on a busy machine that is no news of libbeam. */
static bool prism_panicked(const beam_error *err)
{
    return strstr(err->message, "panic in stage.Execute") != NULL;
}

static beam_status run_once(const conformance_case *it, beam_result **result, beam_error *err)
{
    beam_run_options options = test_runner();
    options.cancel = &cancel;
    options.direct_num_workers = 4;
    if (it->before)
        it->before();
    beam_pipeline *p = beam_pipeline_new(NULL);
    assert_non_null(p);
    it->build(p);
    __atomic_store_n(&cancel, 0, __ATOMIC_RELAXED);
    (void)alarm(PATIENCE_S);
    beam_status status = beam_pipeline_run(p, &options, result, err);
    (void)alarm(0);
    beam_pipeline_free(p);
    return status;
}

static void run_case(void **state)
{
    const conformance_case *it = *state;
    beam_result *result = NULL;
    beam_error err = {0};
    beam_status status = run_once(it, &result, &err);
    for (int again = 0; status != BEAM_OK && prism_panicked(&err) && again < 3; again++) {
        beam_result_free(result);
        status = run_once(it, &result, &err);
    }
    bool right =
        it->fails ? status != BEAM_OK && strstr(err.message, it->fails) != NULL : status == BEAM_OK;
    if (right && it->after)
        it->after(result);
    beam_result_free(result);
    if (right)
        return;
    /* fail_msg would say it on stderr, where nobody could tell whose words they are; and cmocka
     * prints no more than 1023 bytes at once. */
    if (__atomic_load_n(&cancel, __ATOMIC_RELAXED))
        print_message("# not done after %d seconds\n", PATIENCE_S);
    else if (it->fails)
        print_message("# \"%.800s\" does not mention \"%s\"\n", err.message, it->fails);
    else
        print_message("# %.800s\n", err.message);
    fail();
}

int main(int argc, char **argv)
{
    static const conformance_case *const lists[] = {core_cases,  batch_cases,  group_cases,
                                                    side_cases,  window_cases, splittable_cases,
                                                    report_cases};
    struct CMUnitTest tests[MAX_CASES] = {{0}};
    size_t n = 0;
    (void)signal(SIGALRM, give_up);
    if (argc > 1) /* one case alone, or those of a pattern */
        cmocka_set_test_filter(argv[1]);
    for (size_t i = 0; i < COUNT(lists); i++)
        for (const conformance_case *it = lists[i]; it->name && n < MAX_CASES; it++)
            tests[n++] = (struct CMUnitTest){
                .name = it->name, .test_func = run_case, .initial_state = (void *)(uintptr_t)it};
    return _cmocka_run_group_tests("conformance", tests, n, NULL, NULL);
}
