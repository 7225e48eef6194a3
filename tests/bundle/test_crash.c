/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What a crash in a DoFn leaves on stderr, seen from a parent process. */
#include "bundle/bundle.h"
#include "bundle/crash.h"
#include "plan/stage.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define INT &beam_int64_type
static const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};

static beam_status pass(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_value(c, beam_int64, x);
}
BEAM_DOFN(pass_fn, beam_int64, pass, BEAM_TYPES(INT));

static beam_status crash(beam_ctx *c, const beam_int64 *x)
{
    if (*x == 42)
        (void)raise(SIGSEGV);
    return beam_emit_value(c, beam_int64, x);
}
BEAM_DOFN(crash_fn, beam_int64, crash, BEAM_TYPES(INT));

static beam_status crash_at_finish(beam_ctx *c)
{
    (void)c;
    return raise(SIGFPE) == 0 ? BEAM_OK : BEAM_INTERNAL;
}
BEAM_DOFN(late_fn, beam_int64, pass, BEAM_TYPES(INT), .finish_bundle = crash_at_finish);

static void run_stage(const beam_dofn *fn)
{
    stage s;
    stage_init(&s);
    stage_pcoll(&s, "p0", INT, global);
    stage_pcoll(&s, "p1", INT, global);
    stage_pcoll(&s, "p2", INT, global);
    stage_source(&s, "source", "p0");
    stage_pardo(&s, "pass", &pass_fn, NULL, "in0=p0", "out0=p1");
    stage_pardo(&s, "bad", fn, NULL, "in0=p1", "out0=p2");
    beam_plan_options options = stage_options(&s);
    beam_bundle *bundle;
    beam_element_info info = stage_info(0);
    beam_int64 in[100];
    for (int i = 0; i < 100; i++)
        in[i] = i;
    if (beam_bundle_open(&options, &bundle, NULL) != BEAM_OK ||
        beam_bundle_start(bundle, "bundle-7", NULL) != BEAM_OK ||
        beam_bundle_push(bundle, beam_bundle_source(bundle, NULL), &info, in, 100) != BEAM_OK)
        return;
    (void)beam_bundle_finish(bundle, NULL);
    beam_bundle_close(bundle);
    stage_free(&s);
}

/* Runs the stage in a child; returns its wait status, its stderr in `text`. */
static int run_in_child(const beam_dofn *fn, char *text, size_t size)
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[0]);
        /* cmocka and sanitizers have handlers of their own. */
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGFPE, SIG_DFL);
        if (beam_crash_install(NULL) == BEAM_OK && beam_crash_install(NULL) == BEAM_OK)
            run_stage(fn);
        _exit(7);
    }
    (void)close(ends[1]);
    size_t len = 0;
    ssize_t got;
    while (len < size - 1 && (got = read(ends[0], text + len, size - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void check_says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void test_crash_in_process(void **state)
{
    (void)state;
    char text[16384];
    int status = run_in_child(&crash_fn, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    check_says(text, "crash: SIGSEGV");
    check_says(text, "in transform Test/bad, function crash_fn, bundle bundle-7, element 43");
    check_says(text, "test_bundle_crash"); /* frames of the backtrace */
}

static void test_crash_in_finish_bundle(void **state)
{
    (void)state;
    char text[16384];
    int status = run_in_child(&late_fn, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGFPE);
    check_says(text, "crash: SIGFPE");
    check_says(text, "in transform Test/bad, function late_fn, bundle bundle-7\n");
}

static void test_no_crash(void **state)
{
    (void)state;
    char text[256];
    int status = run_in_child(&pass_fn, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_string_equal(text, "");
}

static void test_threads(void **state)
{
    (void)state;
    STAGE_OK(beam_crash_thread_begin(NULL));
    STAGE_OK(beam_crash_thread_begin(NULL));
    beam_crash_thread_end();
    beam_crash_thread_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_in_process),
        cmocka_unit_test(test_crash_in_finish_bundle),
        cmocka_unit_test(test_no_crash),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
