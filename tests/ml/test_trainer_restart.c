/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A training that was stopped, however that happened, ends with the same bits as one that was not.
 */
#include "support/files.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <beam/training.h>

#include "ml/trainings.h"

/* Stopped after any step, with checkpoints after every second one; the average of Lookahead is not
 * lost either. */
static void test_stopped_anywhere(void **state)
{
    fixture *f = *state;
    size_t size, again;
    beam_training_config config = tiny_training();
    config.lookahead = 3;
    beam_trainer_options plain = trainer_options_for(f, NULL);
    char *whole = finish_training(f, open_trainer(f, &config, &plain), &size);
    for (uint64_t stop = 1; stop <= PER_EPOCH * EPOCHS; stop += 2) {
        beam_epoch_result result;
        beam_status status = BEAM_OK;
        beam_error err = {0};
        steps s = {.stop_at = stop};
        const char *folder = test_path(f->folder, "run");
        beam_trainer_options options = trainer_options_for(f, folder);
        options.checkpoint_steps = 2;
        options.on_step = count_step;
        options.user = &s;
        beam_trainer *t = open_trainer(f, &config, &options);
        while (status == BEAM_OK)
            status = beam_trainer_epoch(t, &result, &err);
        assert_int_equal(status, BEAM_CANCELLED);
        double loss = beam_trainer_get_progress(t).loss;
        beam_trainer_close(t);

        options.on_step = NULL;
        t = open_trainer(f, &config, &options);
        beam_trainer_progress p = beam_trainer_get_progress(t);
        assert_int_equal(p.restored, stop >= 2);
        assert_in_range(p.step, stop < 2 ? 0 : stop - 2, stop);
        if (p.epoch && stop % PER_EPOCH)
            assert_true(p.loss == loss);
        char *bytes = finish_training(f, t, &again);
        assert_int_equal(again, size);
        assert_memory_equal(bytes, whole, size);
        free(bytes);
        test_remove_folder(strdup(test_path(f->folder, "run")));
    }
    free(whole);
}

/* A callback's refusal is no end: the same trainer goes on. */
static void test_stopped_and_continued(void **state)
{
    fixture *f = *state;
    beam_epoch_result result;
    beam_error err;
    size_t size, again;
    const beam_training_config config = tiny_training();
    char *whole = finish_training_in(f, NULL, &size);
    const uint64_t stops[] = {3, PER_EPOCH};
    for (int i = 0; i < 2; i++) {
        steps s = {.stop_at = stops[i]};
        beam_trainer_options options = trainer_options_for(f, NULL);
        options.on_step = count_step;
        options.user = &s;
        beam_trainer *t = open_trainer(f, &config, &options);
        assert_fails(beam_trainer_epoch(t, &result, &err), BEAM_CANCELLED, err, "stopped after");
        char *bytes = finish_training(f, t, &again);
        assert_int_equal(again, size);
        assert_memory_equal(bytes, whole, size);
        free(bytes);
    }
    free(whole);
}

static beam_status tell_step(void *user, uint64_t step, const beam_step_result *result)
{
    (void)user;
    (void)result;
    char byte = (char)step;
    return write(STDOUT_FILENO, &byte, 1) == 1 ? BEAM_OK : BEAM_UNKNOWN;
}

/* What this program does in a process of its own: trains to the end, if it is let, and tells every
 * step. */
static int train_and_tell(const char *folder)
{
    fixture *f;
    beam_trainer *t;
    beam_epoch_result result;
    const beam_training_config config = tiny_training();
    (void)trainer_set_up((void **)&f);
    beam_trainer_options options = trainer_options_for(f, folder);
    options.checkpoint_steps = 2;
    options.on_step = tell_step;
    beam_status status = beam_trainer_open(f->device, &config, &options, &t, NULL);
    while (status == BEAM_OK && beam_trainer_get_progress(t).epoch < EPOCHS)
        status = beam_trainer_epoch(t, &result, NULL);
    beam_trainer_close(t);
    (void)trainer_tear_down((void **)&f);
    return status == BEAM_OK ? 0 : 1;
}

static pid_t train_in_child(const fixture *f, const char *folder, int *tells)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        /* It is killed before it removes its own folder. */
        (void)setenv("TMPDIR", f->folder, 1);
        (void)execl("/proc/self/exe", "test_trainer_restart", folder, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    *tells = ends[0];
    return child;
}

static void test_killed(void **state)
{
    fixture *f = *state;
    size_t size, again;
    char byte = 0, folder[4096];
    char *whole = finish_training_in(f, NULL, &size);
    (void)snprintf(folder, sizeof folder, "%s/run", f->folder);
    int killed = 0;
    /* Each is killed after so many steps, while it works on the next or saves a checkpoint. */
    static const int lives[] = {1, 3, 2, 5, 4, 3, 2, 3, 6, 4};
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        int tells, status;
        pid_t child = train_in_child(f, folder, &tells);
        for (int n = 0; n < lives[i] && read(tells, &byte, 1) == 1; n++)
            continue;
        (void)usleep((useconds_t)(i * 300)); /* not always at the same place in a step */
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        killed += WIFSIGNALED(status);
        (void)close(tells);
    }
    assert_in_range(killed, 3, 10);
    assert_true(byte > PER_EPOCH); /* it got on all the same */
    const beam_training_config config = tiny_training();
    beam_trainer_options options = trainer_options_for(f, folder);
    options.checkpoint_steps = 2;
    beam_trainer *t = open_trainer(f, &config, &options);
    assert_true(beam_trainer_get_progress(t).restored);
    char *bytes = finish_training(f, t, &again);
    assert_int_equal(again, size);
    assert_memory_equal(bytes, whole, size);
    assert_int_equal(f->warnings, 0);
    free(bytes);
    free(whole);
}

static void train_epochs(fixture *f, const char *folder, int epochs)
{
    beam_epoch_result result;
    beam_error err = {0};
    const beam_training_config config = tiny_training();
    const beam_trainer_options options = trainer_options_for(f, folder);
    beam_trainer *t = open_trainer(f, &config, &options);
    for (int i = 0; i < epochs; i++)
        assert_ok(beam_trainer_epoch(t, &result, &err), err);
    beam_trainer_close(t);
}

static void test_damaged_checkpoint(void **state)
{
    fixture *f = *state;
    size_t size, again, len;
    char folder[4096], path[4200];
    char *whole = finish_training_in(f, NULL, &size);
    (void)snprintf(folder, sizeof folder, "%s/run", f->folder);
    train_epochs(f, folder, 2);
    (void)snprintf(path, sizeof path, "%s/checkpoint-%012d.safetensors", folder, 2 * PER_EPOCH);
    char *bytes = test_read_file(path, &len);
    test_write_file(path, bytes, len - 1000);
    free(bytes);
    const beam_training_config config = tiny_training();
    const beam_trainer_options options = trainer_options_for(f, folder);
    beam_trainer *t = open_trainer(f, &config, &options);
    assert_int_equal(f->warnings, 1);
    assert_non_null(strstr(f->log, "is damaged or cut short"));
    assert_int_equal(beam_trainer_get_progress(t).step, PER_EPOCH);
    bytes = finish_training(f, t, &again);
    assert_int_equal(again, size);
    assert_memory_equal(bytes, whole, size);
    free(bytes);
    free(whole);
}

static void test_other_training_is_refused(void **state)
{
    fixture *f = *state;
    beam_trainer *t;
    beam_error err;
    const beam_trainer_options options = trainer_options_for(f, f->folder);
    train_epochs(f, f->folder, 1);
#define REFUSED(field, value, words)                                            \
    do {                                                                        \
        beam_training_config other_ = tiny_training();                          \
        other_.field = (value);                                                 \
        assert_fails(beam_trainer_open(f->device, &other_, &options, &t, &err), \
                     BEAM_FAILED_PRECONDITION, err, words);                     \
        assert_null(t);                                                         \
    } while (0)
    REFUSED(learning_rate, 0.5, "learning_rate is 0.05 there and 0.5 here");
    REFUSED(num_threads, 2, "num_threads is 1 there and 2 here");
    REFUSED(model_name, beam_str_of("resnet18"), "model_name is \"small_cnn\" there and");
    REFUSED(flip_average, true, "flip_average is false there and true here");
    REFUSED(batch_size, 5, "batch_size is 4 there and 5 here");
#undef REFUSED
    beam_device *device = f->device;
    const beam_training_config config = tiny_training();
    assert_ok(beam_device_open("reference", NULL, &f->device, &err), err);
    assert_fails(beam_trainer_open(f->device, &config, &options, &t, &err),
                 BEAM_FAILED_PRECONDITION, err, "the device is cpu there and reference here");
    beam_device_close(f->device);
    f->device = device;
    /* What was left out is as good as its default, and data may lie elsewhere. */
    beam_training_config same = tiny_training();
    same.momentum = 0.9;
    same.optimizer = beam_str_of("sgd");
    same.data_dir = beam_str_of("/somewhere/else");
    t = open_trainer(f, &same, &options);
    assert_true(beam_trainer_get_progress(t).restored);
    beam_trainer_close(t);
}

static void test_taken_over(void **state)
{
    fixture *f = *state;
    beam_epoch_result result;
    beam_error err = {0};
    const beam_training_config config = tiny_training();
    const beam_trainer_options options = trainer_options_for(f, f->folder);
    beam_trainer *old = open_trainer(f, &config, &options);
    assert_ok(beam_trainer_epoch(old, &result, &err), err);
    beam_trainer *new = open_trainer(f, &config, &options);
    assert_fails(beam_trainer_epoch(old, &result, &err), BEAM_FAILED_PRECONDITION, err,
                 "was taken over by another process");
    assert_ok(beam_trainer_epoch(new, &result, &err), err);
    beam_trainer_close(old);
    beam_trainer_close(new);
}

static void test_full_disk(void **state)
{
    fixture *f = *state;
    beam_epoch_result result;
    beam_error err = {0};
    size_t size, again;
    const beam_training_config config = tiny_training();
    const beam_trainer_options options = trainer_options_for(f, f->folder);
    char *whole = finish_training_in(f, NULL, &size);
    beam_trainer *t = open_trainer(f, &config, &options);
    assert_ok(beam_trainer_epoch(t, &result, &err), err);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 100000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    beam_status status = beam_trainer_epoch(t, &result, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    beam_trainer_close(t);
    assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "the checkpoint of step 12 was not saved; the one before"));
    t = open_trainer(f, &config, &options);
    assert_int_equal(beam_trainer_get_progress(t).step, PER_EPOCH);
    char *bytes = finish_training(f, t, &again);
    assert_int_equal(again, size);
    assert_memory_equal(bytes, whole, size);
    free(bytes);
    free(whole);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return train_and_tell(argv[1]);
#define TEST(name) cmocka_unit_test_setup_teardown(name, trainer_set_up, trainer_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_stopped_anywhere),   TEST(test_stopped_and_continued),     TEST(test_killed),
        TEST(test_damaged_checkpoint), TEST(test_other_training_is_refused), TEST(test_taken_over),
        TEST(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
