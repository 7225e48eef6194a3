/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* beam_main, in a child process: exit statuses, what goes to stdout and stderr, what a signal, a
 * failing function and a crashing one leave behind. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/files.h"

#include <beam/beam.h>

/* ---- The program: numbers, of which some are bad, written as lines -----------------------------
 */

#define FAULT_CONFIG_(FIELD, S) \
    FIELD(S, beam_int64, fails) FIELD(S, beam_int64, crashes) FIELD(S, beam_bool, slow)
BEAM_STRUCT(fault_config, FAULT_CONFIG_);

static beam_status judge(beam_ctx *c, const beam_int64 *n)
{
    const fault_config *config = beam_config(c, fault_config);
    if (*n == config->fails)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "do not like it");
    if (*n == config->crashes)
        raise(SIGSEGV);
    while (config->slow && !beam_cancelled(c)) { /* until the run is cancelled */
        if (*n == 0)
            fputs("running\n", stderr);
        usleep(20000);
    }
    beam_str line = beam_format(c, "%lld", (long long)*n);
    return line.at ? beam_emit_value(c, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(judge_fn, beam_int64, judge, BEAM_TYPES(&beam_str_type), .config = &fault_config_type);

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    (void)state;
    const fault_config config = {beam_args_given(args, "fails") ? beam_args_int(args, "fails") : -1,
                                 beam_args_given(args, "crashes") ? beam_args_int(args, "crashes")
                                                                  : -1,
                                 beam_args_flag(args, "slow")};
    beam_int64 numbers[100];
    for (int i = 0; i < 100; i++)
        numbers[i] = i;
    beam_pcoll all = beam_create(p, beam_int64, numbers, 100);
    beam_write_text(beam_pardo(all, &judge_fn, .name = "Judge", .config = &config),
                    beam_args_str(args, "output"));
    return BEAM_OK;
}

static beam_status finish(const beam_result *result, const beam_args *args, beam_report *report,
                          void *state, beam_error *err)
{
    (void)result, (void)args, (void)state, (void)err;
    beam_report_str(report, "mood", "good");
    return BEAM_OK;
}

static int program(int argc, char **argv)
{
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "judge",
        .about = "Judges numbers.",
        BEAM_OPTIONS({"output", "PREFIX", NULL, "where lines go", true},
                     {"fails", "N", NULL, "the number that fails", false},
                     {"crashes", "N", NULL, "the number that crashes", false},
                     {"slow", NULL, NULL, "wait until cancelled", false}),
        .build = build,
        .finish = finish,
        .functions = {.struct_size = sizeof app.functions, BEAM_DOFNS(&judge_fn)}};
    return beam_main(argc, argv, &app);
}

/* ---- Running it
 * ---------------------------------------------------------------------------------- */

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = test_folder();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_remove_folder(folder);
    return 0;
}

typedef struct ended {
    int status; /* of waitpid */
    char *out, *err;
} ended;

static void to_file(const char *name, int fd)
{
    int file = open(test_path(folder, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || dup2(file, fd) < 0)
        _exit(99);
}

/* This test, run again as the program: see main. */
static pid_t start(const char *options)
{
    char line[512];
    snprintf(line, sizeof line, "judge %s", options);
    (void)unlink(test_path(folder, "stderr")); /* what it says is not what another said before */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    char *argv[12] = {NULL};
    int n = 0;
    for (char *word = strtok(line, " "); word && n < 11; word = strtok(NULL, " "))
        argv[n++] = word;
    to_file("stdout", STDOUT_FILENO);
    to_file("stderr", STDERR_FILENO);
    execv("/proc/self/exe", argv);
    _exit(99);
}

static ended wait_for(pid_t pid)
{
    ended e;
    size_t size;
    while (waitpid(pid, &e.status, 0) < 0)
        assert_int_equal(errno, EINTR);
    e.out = test_read_file(test_path(folder, "stdout"), &size);
    e.err = test_read_file(test_path(folder, "stderr"), &size);
    return e;
}

static void release(ended *e)
{
    free(e->out);
    free(e->err);
}

/* Runs it with --output in the folder; it must exit with `code` and say all of `words`. */
static void exits(const char *options, int code, const char *const *words, bool on_stderr)
{
    char line[512];
    snprintf(line, sizeof line, "--output=%s %s", test_path(folder, "out/x"), options);
    ended e = wait_for(start(line));
    if (!WIFEXITED(e.status) || WEXITSTATUS(e.status) != code)
        fail_msg("%s: status %x instead of %d: %s", options, (unsigned)e.status, code, e.err);
    for (; *words; words++)
        if (!strstr(on_stderr ? e.err : e.out, *words))
            fail_msg("%s: no \"%s\" in \"%s\"", options, *words, on_stderr ? e.err : e.out);
    release(&e);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static size_t files_left(void)
{
    return access(test_path(folder, "out"), F_OK) == 0 ? test_count_files(test_path(folder, "out"))
                                                       : 0;
}

/* ---- Tests
 * ----------------------------------------------------------------------------------------- */

static void statuses(void **state)
{
    (void)state;
    exits("--help", 0, WORDS("Judges numbers.", "--fails=N", "(required)", "--memory_budget=BYTES"),
          false);
    exits("--dot", 0, WORDS("digraph", "Judge"), false);
    exits("--fail=3", 2, WORDS("judge: unknown option --fail", "did you mean --fails?", "--help"),
          true);
    exits("--runner=samza", 2, WORDS("expected one of direct|prism"), true);
    exits("--memory_budget=lots", 2, WORDS("--memory_budget", "'lots'"), true);
    exits("--direct_num_workers=5000", 2, WORDS("at most 1024"), true);
    exits("--resource_hints=gold=1", 2, WORDS("--resource_hints=gold=1", "min_ram="), true);
    exits("--resource_hints=cpu_count=x", 2, WORDS("whole number"), true);
    exits("--resource_hints=cpu_count=9223372036854775808", 2, WORDS("whole number"), true);
    exits("--ui_port=65536", 2, WORDS("--ui_port=65536: at most 65535"), true);
    exits("--log_level=LOUD", 2, WORDS("LOUD"), true);
    exits("--result_json=/no/such/folder/x", 1, WORDS("--result_json", "/no/such/folder/x"), true);
    exits("--result_json=/", 1, WORDS("--result_json", "it is a folder"), true);
    exits("--report=", 1, WORDS("--report", "has no name"), true);
    char both[300];
    snprintf(both, sizeof both, "--result_json=%s --report=%s", test_path(folder, "r"),
             test_path(folder, "r"));
    exits(both, 1, WORDS("--result_json and --report name one file"), true);
    assert_int_equal(files_left(), 0);
}

static void fails_on_one(void **state)
{
    (void)state;
    exits("--fails=42", 1, WORDS("judge: ", "Judge", "judge_fn", "do not like it", "42", "4 times"),
          true);
    assert_int_equal(files_left(), 0);
}

static void crashes_on_one(void **state)
{
    (void)state;
    char line[512];
    snprintf(line, sizeof line, "--crashes=17 --direct_num_workers=1 --output=%s",
             test_path(folder, "crash/x"));
    ended e = wait_for(start(line));
    assert_true(WIFSIGNALED(e.status) || WEXITSTATUS(e.status) != 0);
    for (const char *const *word = WORDS("SIGSEGV", "Judge", "judge_fn", "element"); *word; word++)
        if (!strstr(e.err, *word))
            fail_msg("no \"%s\" in \"%s\"", *word, e.err);
    release(&e);
}

static void cancelled(void **state)
{
    (void)state;
    char line[512];
    snprintf(line, sizeof line, "--slow --output=%s", test_path(folder, "out/x"));
    pid_t pid = start(line);
    for (size_t size = 0; size == 0;) { /* until it is in the midst of it */
        usleep(5000);
        if (access(test_path(folder, "stderr"), F_OK) == 0)
            free(test_read_file(test_path(folder, "stderr"), &size));
    }
    assert_int_equal(kill(pid, SIGINT), 0);
    ended e = wait_for(pid);
    assert_true(WIFEXITED(e.status));
    assert_int_equal(WEXITSTATUS(e.status), 128 + SIGINT);
    assert_int_equal(files_left(), 0);
    release(&e);
}

static void succeeds(void **state)
{
    (void)state;
    char options[300];
    snprintf(options, sizeof options, "--result_json=%s", test_path(folder, "r.json"));
    exits(options, 0, WORDS("mood", "good", "seconds"), false);
    assert_true(files_left() > 0);
    size_t size;
    char *json = test_read_file(test_path(folder, "r.json"), &size);
    assert_non_null(strstr(json, "\"example\": \"judge\""));
    assert_non_null(strstr(json, "\"mood\": \"good\""));
    assert_non_null(strstr(json, "\"peak_rss_bytes\": "));
    free(json);
    exits("--job_endpoint=localhost:1 --num_workers=3", 0,
          WORDS("WARNING: --job_endpoint is for engines: --runner=direct takes no notice of it",
                "--num_workers is for engines"),
          true);
    exits("--result_json=/dev/null/x --no-progress", 1, WORDS("/dev/null/x"), true);
}

int main(int argc, char **argv)
{
    if (strcmp(argv[0], "judge") == 0)
        return program(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),  cmocka_unit_test(fails_on_one),
        cmocka_unit_test(cancelled), cmocka_unit_test(crashes_on_one),
        cmocka_unit_test(succeeds),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
