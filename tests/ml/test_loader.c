/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Batches: each epoch holds every image once, in an order and with a look of its own, whatever the
 * loader was started for. */
#include "support/files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "ml/images.h"
#include "ml/loader.h"

enum { COUNT = 50, SIDE = 6, SIZE = SIDE * SIDE, BATCH = 8, PER_EPOCH = COUNT / BATCH };

typedef struct fixture {
    beam_dataset *dataset;
    uint8_t *records;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->dataset = random_images(COUNT, 1, SIDE, SIDE, 10, &f->records);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    beam_dataset_close(f->dataset);
    free(f->records);
    free(f);
    return 0;
}

static beam_loader_options options_for(const fixture *f)
{
    return (beam_loader_options){.dataset = f->dataset,
                                 .height = SIDE,
                                 .width = SIDE,
                                 .batch_size = BATCH,
                                 .seed = 3,
                                 .last_step = 4 * PER_EPOCH};
}

static beam_loader *loader(const beam_loader_options *options)
{
    beam_loader *l;
    beam_error err = {0};
    assert_ok(beam_loader_new(options, &l, &err), err);
    return l;
}

static beam_batch next(beam_loader *l)
{
    beam_batch batch;
    beam_error err = {0};
    assert_ok(beam_loader_next(l, &batch, &err), err);
    return batch;
}

/* Which image of the data set it is. */
static int find(const fixture *f, const float *image)
{
    float plain[SIZE];
    beam_error err = {0};
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_ok(beam_dataset_fill(f->dataset, &i, 1, 0, 0, plain, NULL, &err), err);
        if (memcmp(plain, image, sizeof plain) == 0)
            return (int)i;
    }
    return -1;
}

static void test_epochs(void **state)
{
    const fixture *f = *state;
    beam_loader_options options = options_for(f);
    beam_loader *l = loader(&options);
    int orders[4][PER_EPOCH * BATCH];
    for (int epoch = 0; epoch < 4; epoch++) {
        int seen[COUNT] = {0};
        for (int i = 0; i < PER_EPOCH * BATCH; i += BATCH) {
            beam_batch batch = next(l);
            for (int k = 0; k < BATCH; k++) {
                int image = find(f, batch.images + k * SIZE);
                assert_in_range(image, 0, COUNT - 1);
                assert_int_equal(batch.labels[k], image % 10);
                assert_int_equal(seen[image]++, 0);
                orders[epoch][i + k] = image;
            }
        }
        for (int before = 0; before < epoch; before++)
            assert_memory_not_equal(orders[before], orders[epoch], sizeof orders[0]);
    }
    beam_batch batch;
    beam_error err;
    for (int again = 0; again < 2; again++)
        assert_fails(beam_loader_next(l, &batch, &err), BEAM_OUT_OF_RANGE, err, "after the last");
    beam_loader_free(l);
}

static void test_any_step_first(void **state)
{
    const fixture *f = *state;
    enum { STEPS = 4 * PER_EPOCH };
    static float images[STEPS][BATCH * SIZE];
    beam_error err = {0};
    beam_loader_options options = options_for(f);
    assert_ok(beam_augment_parse("flip,crop,cutout", &options.augment, &err), err);
    beam_loader *l = loader(&options);
    for (int i = 0; i < STEPS; i++)
        memcpy(images[i], next(l).images, sizeof images[i]);
    beam_loader_free(l);
    for (int first = 0; first < STEPS; first++) {
        options.first_step = (uint64_t)first;
        l = loader(&options);
        for (int i = first; i < STEPS && i < first + 4; i++)
            assert_memory_equal(next(l).images, images[i], sizeof images[i]);
        beam_loader_free(l); /* while it is at work */
    }
    options.first_step = 0;
    options.seed++;
    l = loader(&options);
    assert_memory_not_equal(next(l).images, images[0], sizeof images[0]);
    beam_loader_free(l);
}

static void test_first_images_only(void **state)
{
    const fixture *f = *state;
    beam_loader_options options = options_for(f);
    options.num_images = 10;
    options.batch_size = 10;
    options.last_step = 20;
    beam_loader *l = loader(&options);
    for (int step = 0; step < 20; step++) {
        beam_batch batch = next(l);
        int sum = 0;
        for (int i = 0; i < 10; i++)
            sum += find(f, batch.images + i * SIZE);
        assert_int_equal(sum, 45);
    }
    beam_loader_free(l);
}

static void test_shuffle(void **state)
{
    (void)state;
    enum { N = 10, TRIES = 5000 };
    uint32_t order[N];
    int at_first[N] = {0}, at_last[N] = {0};
    for (uint64_t epoch = 0; epoch < TRIES; epoch++) {
        beam_shuffle(1, epoch, order, N);
        at_first[order[0]]++;
        at_last[order[N - 1]]++;
    }
    for (int i = 0; i < N; i++) { /* 500 each, with a deviation of 21 */
        assert_in_range(at_first[i], 400, 600);
        assert_in_range(at_last[i], 400, 600);
    }
}

static void test_another_size(void **state)
{
    const fixture *f = *state;
    enum { LARGE = 9 };
    float plain[LARGE * LARGE];
    bool found = false;
    beam_error err = {0};
    beam_loader_options options = options_for(f);
    options.height = options.width = LARGE;
    options.batch_size = COUNT;
    options.last_step = 1;
    beam_loader *l = loader(&options);
    beam_batch batch = next(l);
    assert_ok(beam_dataset_fill(f->dataset, &(uint64_t){7}, 1, LARGE, LARGE, plain, NULL, &err),
              err);
    for (int i = 0; i < COUNT && !found; i++)
        found = memcmp(batch.images + i * LARGE * LARGE, plain, sizeof plain) == 0;
    assert_true(found);
    beam_loader_free(l);
}

static void test_damaged_file_is_named(void **state)
{
    (void)state;
    char *folder = test_folder();
    assert_int_equal(mkdir(test_path(folder, "train"), 0777), 0);
    assert_int_equal(mkdir(test_path(folder, "train/cats"), 0777), 0);
    test_write_file(test_path(folder, "train/cats/broken.png"), "\x89PNG\r\n\x1a\n", 8);
    beam_dataset *d;
    beam_batch batch;
    beam_error err = {0};
    const beam_dataset_options o = {.struct_size = sizeof o, .split = "train"};
    assert_ok(beam_dataset_open(folder, &o, &d, &err), err);
    const beam_loader_options options = {
        .dataset = d, .height = 16, .width = 16, .batch_size = 1, .last_step = 5};
    beam_loader *l = loader(&options);
    assert_fails(beam_loader_next(l, &batch, &err), BEAM_DATA_LOSS, err, "broken.png");
    beam_loader_free(l);
    beam_dataset_close(d);
    test_remove_folder(folder);
}

static void test_bad_batches(void **state)
{
    const fixture *f = *state;
    beam_loader *l;
    beam_error err;
    beam_loader_options options = options_for(f);
    options.batch_size = 0;
    assert_fails(beam_loader_new(&options, &l, &err), BEAM_INVALID_ARGUMENT, err,
                 "batch_size is 0");
    options.batch_size = COUNT + 1;
    assert_fails(beam_loader_new(&options, &l, &err), BEAM_INVALID_ARGUMENT, err,
                 "from 1 to the 50 images");
    options.num_images = 20;
    options.batch_size = 21;
    assert_fails(beam_loader_new(&options, &l, &err), BEAM_INVALID_ARGUMENT, err, "the 20 images");
    assert_null(l);
}

static void test_out_of_memory(void **state)
{
    const fixture *f = *state;
    beam_loader_options options = options_for(f);
    options.height = options.width = 2 * SIDE; /* so that there is something to allocate later */
    for (uint64_t n = 1;; n++) {
        beam_loader *l;
        beam_batch batch;
        beam_alloc_fail_at(n, 0);
        beam_status status = beam_loader_new(&options, &l, NULL);
        if (status == BEAM_OK)
            status = beam_loader_next(l, &batch, NULL);
        beam_loader_free(l);
        bool reached = beam_alloc_count() >= n;
        beam_alloc_fail_at(0, 0);
        if (!reached) {
            assert_int_equal(status, BEAM_OK);
            break;
        }
        if (status != BEAM_OK) /* else it was a batch that nobody waited for */
            assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
        if (n > 2000) /* the filler goes on while there are batches to make: enough */
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_epochs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_step_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_images_only, set_up, tear_down),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test_setup_teardown(test_another_size, set_up, tear_down),
        cmocka_unit_test(test_damaged_file_is_named),
        cmocka_unit_test_setup_teardown(test_bad_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
