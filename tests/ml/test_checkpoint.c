/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: they come back as they were, damaged ones are seen, and only who has the folder
 * saves in it. */
#include "support/files.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "ml/checkpoint.h"

/* ---- States to save -------------------------------------------------------------------------- */

enum { WEIGHTS = 300000, BIASES = 3 };
static float weights[WEIGHTS], biases[BIASES];
static bool unreadable;
static const char *taken_over; /* the folder that another training takes and saves in meanwhile */

static beam_status describe(void *user, size_t index, const char **name, beam_tensor *tensor)
{
    int64_t small = *(const int64_t *)user;
    *name = index ? "b" : "w";
    *tensor = (beam_tensor){.dtype = BEAM_F32,
                            .rank = 1,
                            .shape = {index   ? BIASES
                                      : small ? small
                                              : WEIGHTS}};
    return BEAM_OK;
}

static beam_status read_state(void *user, const char *name, float *data, beam_error *err)
{
    int64_t small = *(const int64_t *)user;
    if (unreadable)
        return beam_error_set(err, BEAM_UNAVAILABLE, "the device is gone");
    if (taken_over) {
        test_write_file(test_path(taken_over, "owner"), "process 7 on z, 0", 17);
        test_write_file(test_path(taken_over, "checkpoint-000000000009.safetensors"), "", 0);
    }
    if (*name == 'b')
        memcpy(data, biases, sizeof biases);
    else
        memcpy(data, weights, (size_t)(small ? small : WEIGHTS) * sizeof *weights);
    return BEAM_OK;
}

static int64_t all = 0, few = 5; /* weights; 0: all */
static const beam_states large = {&all, 2, describe, read_state};
static const beam_states small = {&few, 2, describe, read_state};

static beam_checkpoint_head head_of(int64_t step)
{
    return (beam_checkpoint_head){
        .device = beam_str_of("cpu"),
        .step = step,
        .epoch_loss = 0.1 + 0.2,
        .epoch_correct = 77,
        .epoch_seconds = 1e-3,
        .loss = (double)NAN,
        .seconds = 12.5,
        .config = {.experiment_id = beam_str_of("\"\xc3\xa4\n"), .learning_rate = 1.0 / 3},
    };
}

static int set_up(void **state)
{
    for (int i = 0; i < WEIGHTS; i++)
        weights[i] = (float)i * 0.1f;
    weights[1] = -0.0f;
    biases[2] = 1e-42f;
    *state = test_folder();
    return 0;
}

static int tear_down(void **state)
{
    test_remove_folder(*state);
    return 0;
}

/* ---- One file -------------------------------------------------------------------------------- */

static void test_round_trip(void **state)
{
    const char *path = test_path(*state, "c");
    beam_checkpoint c;
    beam_tensor w, b;
    beam_error err = {0};
    const beam_checkpoint_head head = head_of(41);
    assert_ok(beam_checkpoint_write(path, &head, &large, &err), err);
    assert_int_equal(test_count_files(*state), 1);
    assert_ok(beam_checkpoint_open(path, &c, &err), err);
    assert_int_equal(c.head.step, 41);
    assert_true(c.head.epoch_loss == 0.1 + 0.2);
    assert_int_equal(c.head.epoch_correct, 77);
    assert_true(isnan(c.head.loss));
    assert_true(c.head.seconds == 12.5 && c.head.config.learning_rate == 1.0 / 3);
    assert_true(beam_str_equal(c.head.device, head.device));
    assert_true(beam_str_equal(c.head.config.experiment_id, head.config.experiment_id));
    assert_ok(beam_weights_find(c.weights, "w", &w, &err), err);
    assert_ok(beam_weights_find(c.weights, "b", &b, &err), err);
    assert_int_equal(beam_tensor_bytes(&w), sizeof weights);
    assert_memory_equal(w.data, weights, sizeof weights);
    assert_memory_equal(b.data, biases, sizeof biases);
    beam_checkpoint_close(&c);
}

static void test_is_safetensors(void **state)
{
    const char *path = test_path(*state, "c");
    beam_weights *w;
    beam_error err = {0};
    const beam_checkpoint_head head = head_of(1);
    assert_ok(beam_checkpoint_write(path, &head, &small, &err), err);
    assert_ok(beam_weights_open(path, &w, &err), err);
    assert_string_equal(beam_weights_format(w), "safetensors");
    assert_int_equal(beam_weights_count(w), 3);
    beam_weights_close(w);
}

static void test_damage(void **state)
{
    const char *path = test_path(*state, "c");
    beam_checkpoint c;
    beam_error err = {0};
    size_t size;
    const beam_checkpoint_head head = head_of(1);
    assert_ok(beam_checkpoint_write(path, &head, &small, &err), err);
    char *bytes = test_read_file(path, &size);
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    for (size_t i = 0; i < size; i++) {
        copy[i] ^= 0x10;
        assert_int_equal(beam_checkpoint_parse("c", copy, size, &c, &err), BEAM_DATA_LOSS);
        copy[i] ^= 0x10;
        assert_int_equal(beam_checkpoint_parse("c", copy, i, &c, &err), BEAM_DATA_LOSS);
    }
    assert_ok(beam_checkpoint_parse("c", copy, size, &c, &err), err);
    beam_checkpoint_close(&c);
    free(copy);
    free(bytes);
}

/* A file with a right checksum whose text is changed, `from` and `to` of one length. */
static beam_status parse_changed(const char *path, const char *from, const char *to,
                                 beam_error *err)
{
    size_t size;
    char *bytes = test_read_file(path, &size);
    char *at = memmem(bytes, size, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    uint64_t sum = beam_checkpoint_sum((uint8_t *)bytes, size - 8);
    memcpy(bytes + size - 8, &sum, 8);
    beam_checkpoint c;
    *err = (beam_error){0};
    beam_status status = beam_checkpoint_parse("c", (uint8_t *)bytes, size, &c, err);
    if (status == BEAM_OK)
        beam_checkpoint_close(&c);
    free(bytes);
    return status;
}

static void test_sound_but_strange(void **state)
{
    const char *path = test_path(*state, "c");
    beam_error err = {0};
    const beam_checkpoint_head head = head_of(123);
    assert_ok(beam_checkpoint_write(path, &head, &small, &err), err);
    assert_ok(parse_changed(path, "\\\"step\\\": 123", "\\\"step\\\": 124", &err), err);
    assert_fails(parse_changed(path, "\\\"version\\\": 1", "\\\"version\\\": 2", &err),
                 BEAM_FAILED_PRECONDITION, err, "another version");
    assert_fails(parse_changed(path, "\\\"step\\\": 123", "\\\"step\\\": -23", &err),
                 BEAM_DATA_LOSS, err, "step -23");
    assert_fails(parse_changed(path, "\\\"step\\\"", "\\\"stop\\\"", &err), BEAM_DATA_LOSS, err,
                 "there is no field \"stop\"");
    assert_fails(parse_changed(path, "\"training\"", "\"draining\"", &err), BEAM_DATA_LOSS, err,
                 "no checkpoint");
}

static void test_state_cannot_be_read(void **state)
{
    beam_error err;
    const beam_checkpoint_head head = head_of(1);
    unreadable = true;
    assert_fails(beam_checkpoint_write(test_path(*state, "c"), &head, &small, &err),
                 BEAM_UNAVAILABLE, err, "the device is gone");
    unreadable = false;
    assert_int_equal(test_count_files(*state), 0);
}

/* ---- A folder -------------------------------------------------------------------------------- */

typedef struct journal {
    int warnings;
    char last[2000];
} journal;

static void note(void *user, const beam_log_record *record)
{
    journal *j = user;
    j->warnings += record->level == BEAM_LOG_WARNING;
    (void)snprintf(j->last, sizeof j->last, "%s", record->message);
}

static void save(const beam_checkpoints *c, int64_t step)
{
    beam_error err = {0};
    const beam_checkpoint_head head = head_of(step);
    assert_ok(beam_checkpoints_save(c, &head, &small, &err), err);
}

static int64_t newest(const beam_checkpoints *c)
{
    beam_checkpoint checkpoint;
    bool found;
    beam_error err = {0};
    assert_ok(beam_checkpoints_newest(c, &checkpoint, &found, &err), err);
    int64_t step = found ? checkpoint.head.step : -1;
    beam_checkpoint_close(&checkpoint);
    return step;
}

static void damage(const char *path)
{
    size_t size;
    char *bytes = test_read_file(path, &size);
    bytes[size / 2] ^= 1;
    test_write_file(path, bytes, size);
    free(bytes);
}

static void test_newest_and_kept(void **state)
{
    char folder[4096];
    (void)snprintf(folder, sizeof folder, "%s/a/b", (const char *)*state);
    beam_error err = {0};
    beam_checkpoints c = {.folder = folder, .keep = 2};
    assert_int_equal(newest(&c), -1);
    assert_ok(beam_checkpoints_take(&c, &err), err);
    assert_int_equal(newest(&c), -1);
    for (int64_t step = 9; step <= 12; step++) {
        save(&c, step);
        assert_int_equal(newest(&c), step);
    }
    assert_int_equal(test_count_files(folder), 3); /* two, and owner */
    assert_int_equal(access(test_path(folder, "checkpoint-000000000011.safetensors"), F_OK), 0);
    save(&c, 12); /* again */
    assert_int_equal(test_count_files(folder), 3);
}

static void test_damaged_are_passed_over(void **state)
{
    const char *folder = *state;
    beam_error err = {0};
    journal j = {0};
    const beam_logger logger = {.sink = note, .user = &j};
    beam_checkpoints c = {.folder = folder, .keep = 2, .logger = &logger};
    assert_ok(beam_checkpoints_take(&c, &err), err);
    save(&c, 1);
    save(&c, 2);
    assert_int_equal(newest(&c), 2);
    assert_int_equal(j.warnings, 0);
    damage(test_path(folder, "checkpoint-000000000002.safetensors"));
    assert_int_equal(newest(&c), 1);
    assert_int_equal(j.warnings, 1);
    assert_non_null(strstr(j.last, "000000000002.safetensors is damaged"));
    test_write_file(test_path(folder, "checkpoint-000000000007.safetensors"), "", 0);
    save(&c, 1); /* what is of a later step goes: it was no good */
    assert_int_equal(test_count_files(folder), 2);
    damage(test_path(folder, "checkpoint-000000000001.safetensors"));
    assert_int_equal(newest(&c), -1);
}

static void test_renamed_is_passed_over(void **state)
{
    const char *folder = *state;
    beam_error err = {0};
    journal j = {0};
    const beam_logger logger = {.sink = note, .user = &j};
    beam_checkpoints c = {.folder = folder, .keep = 2, .logger = &logger};
    assert_ok(beam_checkpoints_take(&c, &err), err);
    save(&c, 1);
    assert_int_equal(rename(test_path(folder, "checkpoint-000000000001.safetensors"),
                            test_path(folder, "checkpoint-000000000003.safetensors")),
                     0);
    assert_int_equal(newest(&c), -1);
    assert_non_null(strstr(j.last, "was renamed"));
}

static void test_taken_over(void **state)
{
    beam_error err = {0};
    beam_checkpoints old = {.folder = *state, .keep = 2}, new = old;
    const beam_checkpoint_head head = head_of(2);
    assert_ok(beam_checkpoints_take(&old, &err), err);
    save(&old, 1);
    assert_ok(beam_checkpoints_take(&new, &err), err);
    assert_fails(beam_checkpoints_save(&old, &head, &small, &err), BEAM_FAILED_PRECONDITION, err,
                 "was taken over by another process (process ");
    assert_int_equal(newest(&new), 1);
    save(&new, 2);
    assert_int_equal(remove(test_path(*state, "owner")), 0);
    assert_fails(beam_checkpoints_save(&new, &head, &small, &err), BEAM_FAILED_PRECONDITION, err,
                 "no longer this training's");
}

/* Who has lost the folder removes nothing: what it takes for damaged may be the new owner's. */
static void test_taken_over_while_saving(void **state)
{
    beam_error err = {0};
    beam_checkpoints c = {.folder = *state, .keep = 1};
    const beam_checkpoint_head head = head_of(2);
    assert_ok(beam_checkpoints_take(&c, &err), err);
    save(&c, 1);
    taken_over = *state;
    beam_status status = beam_checkpoints_save(&c, &head, &small, &err);
    taken_over = NULL;
    assert_int_equal(status, BEAM_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "was taken over by another process (process 7 on z)"));
    assert_int_equal(access(test_path(*state, "checkpoint-000000000009.safetensors"), F_OK), 0);
    assert_int_equal(access(test_path(*state, "checkpoint-000000000001.safetensors"), F_OK), 0);
}

static void test_unfinished_go(void **state)
{
    beam_error err = {0};
    beam_checkpoints c = {.folder = *state, .keep = 2};
    test_write_file(test_path(*state, "checkpoint-000000000004.safetensors.12-ab-0.tmp"), "x", 1);
    test_write_file(test_path(*state, "my-notes.tmp"), "x", 1);
    assert_int_equal(newest(&c), -1);
    assert_ok(beam_checkpoints_take(&c, &err), err);
    assert_int_equal(test_count_files(*state), 2); /* owner, and what is not ours */
}

static void test_full_disk(void **state)
{
    beam_error err = {0};
    beam_checkpoints c = {.folder = *state, .keep = 1};
    const beam_checkpoint_head head = head_of(2);
    assert_ok(beam_checkpoints_take(&c, &err), err);
    save(&c, 1);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 500000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    beam_status status = beam_checkpoints_save(&c, &head, &large, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "the checkpoint of step 2 was not saved"));
    assert_non_null(strstr(err.message, "File too large"));
    assert_int_equal(test_count_files(*state), 2); /* owner, and the first one */
    assert_int_equal(newest(&c), 1);
}

static void test_bad_folders(void **state)
{
    beam_error err;
    char file[4096];
    (void)snprintf(file, sizeof file, "%s/file", (const char *)*state);
    test_write_file(file, "x", 1);
    beam_checkpoints c = {.folder = file, .keep = 1};
    beam_checkpoint checkpoint;
    bool found;
    assert_fails(beam_checkpoints_newest(&c, &checkpoint, &found, &err), BEAM_NOT_FOUND, err,
                 "cannot read folder");
    assert_fails(beam_checkpoints_take(&c, &err), BEAM_ALREADY_EXISTS, err, "it is a file");
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static beam_status take_save_and_find(const char *folder, beam_error *err)
{
    beam_checkpoints c = {.folder = folder, .keep = 1};
    beam_checkpoint checkpoint;
    bool found;
    const beam_checkpoint_head head = head_of(1);
    BEAM_TRY(beam_checkpoints_take(&c, err));
    BEAM_TRY(beam_checkpoints_save(&c, &head, &small, err));
    BEAM_TRY(beam_checkpoints_newest(&c, &checkpoint, &found, err));
    assert_true(found);
    beam_checkpoint_close(&checkpoint);
    return BEAM_OK;
}

static void test_out_of_memory(void **state)
{
    for (uint64_t n = 1;; n++) {
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        beam_status status = take_save_and_find(*state, &err);
        bool reached = beam_alloc_count() >= n;
        beam_alloc_fail_at(0, 0);
        if (status != BEAM_OK) { /* else only a folder went unsynced */
            assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
            assert_int_not_equal(err.message[0], 0);
        }
        if (!reached)
            break;
    }
    assert_int_equal(test_count_files(*state), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_is_safetensors),
        TEST(test_damage),
        TEST(test_sound_but_strange),
        TEST(test_state_cannot_be_read),
        TEST(test_newest_and_kept),
        TEST(test_damaged_are_passed_over),
        TEST(test_renamed_is_passed_over),
        TEST(test_taken_over),
        TEST(test_taken_over_while_saving),
        TEST(test_unfinished_go),
        TEST(test_full_disk),
        TEST(test_bad_folders),
        TEST(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
