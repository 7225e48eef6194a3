/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Workers' folders: shared by those of one job, cleared away when nobody uses them any more. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/files.h"

#include "base/alloc.h"
#include "submit/artifacts.h"
#include "submit/job_service.h"
#include "submit/retrieve.h"

static char *folder;

static int set_up(void **state)
{
    (void)state;
    folder = test_folder();
    return setenv("TMPDIR", folder, 1);
}

static int tear_down(void **state)
{
    (void)state;
    test_remove_folder(folder);
    return unsetenv("TMPDIR");
}

/* Starts as a worker of the job whose one file holds `text`. */
static void start(const char *text, beam_retrieved *worker)
{
    beam_artifacts artifacts = {0};
    beam_arena arena = {0};
    beam_error err = {0};
    const char *path = test_path(folder, "data");
    test_write_file(path, text, strlen(text));
    assert_ok(beam_artifacts_add(&artifacts, path, "files/data", &err), err);
    BeamPb__ArtifactInformation *proto = beam_artifact_to_proto(&artifacts.items[0], NULL, &arena);
    assert_non_null(proto);
    job_service *service = job_service_start(proto, text, strlen(text), JOB_ENDS);
    const beam_retrieval r = {.worker_id = "worker",
                              .provision_endpoint = job_service_endpoint(service)};
    assert_ok(beam_retrieve(&r, worker, &err), err);
    job_service_stop(service);
    beam_arena_free(&arena);
    beam_artifacts_free(&artifacts);
}

/* As if nobody had started there for two days. */
static void age(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    const struct timespec before = {info.st_mtime - 2 * 24 * 60 * 60, 0};
    const struct timespec times[2] = {before, before};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void old_ones_stay_while_they_are_used(void **state)
{
    (void)state;
    beam_retrieved first, second, other;
    start("one job", &first);
    start("one job", &second);
    assert_string_equal(first.folder, second.folder);
    char *shared = strdup(first.folder);
    beam_retrieved_free(&first);
    age(shared);
    start("another job", &other);
    assert_int_equal(access(test_path(shared, "files/data"), F_OK), 0);
    beam_retrieved_free(&second);
    beam_retrieved_free(&other);
    start("a third job", &other);
    assert_int_equal(access(shared, F_OK), -1);
    beam_retrieved_free(&other);
    start("one job", &first); /* and is there again when it is needed */
    assert_int_equal(access(test_path(shared, "files/data"), F_OK), 0);
    beam_retrieved_free(&first);
    free(shared);
}

/* The worker that starts the job's program becomes that program. */
static void a_program_goes_on_using_it(void **state)
{
    (void)state;
    beam_retrieved worker;
    start("one job", &worker);
    assert_int_equal(fcntl(worker.held, F_GETFD), 0);
    beam_retrieved_free(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_ones_stay_while_they_are_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_program_goes_on_using_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
