/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What Dataflow and its neighbours answer, as we read it; accelerators in Beam's notation; and
 * options when memory runs out.  What users are told, and whole jobs, are in tests/cloud. */
#include <stdio.h>
#include <string.h>

#include "support/files.h"

#include "base/alloc.h"
#include "submit/dataflow.h"

#define PARSE(function, text, ...) function((text), strlen(text), __VA_ARGS__)

static void jobs(void **state)
{
    (void)state;
    beam_dataflow_job job;
    beam_arena arena = {0};
    char *next;
    assert_int_equal(PARSE(beam_dataflow_parse_job,
                           "{\"id\": \"a/b\", \"name\": \"n\", \"currentState\": "
                           "\"JOB_STATE_DRAINING\"}",
                           &job),
                     BEAM_OK);
    assert_string_equal(job.id, "a/b");
    assert_string_equal(job.state_name, "DRAINING");
    assert_int_equal(job.state, BEAM_DATAFLOW_ENDING);
    assert_int_equal(PARSE(beam_dataflow_parse_job,
                           "{\"id\": \"x\", \"currentState\": \"JOB_STATE_OF_THE_FUTURE\"}", &job),
                     BEAM_OK);
    assert_false(beam_dataflow_has_ended(job.state));
    const char *const none[] = {"", "[]", "{}", "{\"id\": 7}", "{\"id\": \"\"}", "{\"id\""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(PARSE(beam_dataflow_parse_job, none[i], &job), BEAM_DATA_LOSS);
    assert_int_equal(PARSE(beam_dataflow_parse_jobs,
                           "{\"jobs\": [{\"id\": \"1\", \"name\": \"n\", \"currentState\": "
                           "\"JOB_STATE_DONE\"}, 3, {\"id\": \"2\", \"name\": \"n\"}], "
                           "\"nextPageToken\": \"p\"}",
                           "n", &arena, &job, &next),
                     BEAM_OK);
    assert_string_equal(job.id, "2");
    assert_string_equal(next, "p");
    beam_arena_free(&arena);
}

static void messages(void **state)
{
    (void)state;
    beam_arena arena = {0};
    beam_dataflow_messages m;
    assert_int_equal(
        PARSE(beam_dataflow_parse_messages,
              "{\"jobMessages\": [{\"id\": \"1\", \"time\": \"t\", \"messageText\": "
              "\"a\\u001b[31m\\nb\", \"messageImportance\": \"JOB_MESSAGE_ERROR\"}, 7], "
              "\"autoscalingEvents\": [{\"currentNumWorkers\": \"3\"}]}",
              &arena, &m),
        BEAM_OK);
    assert_int_equal(m.n, 2);
    assert_string_equal(m.items[0].text, "a [31m b"); /* nothing for terminals in it */
    assert_int_equal(m.items[0].level, BEAM_LOG_ERROR);
    assert_int_equal(m.num_workers, 3);
    assert_null(m.next_page);
    beam_arena_free(&arena);
}

static void metrics(void **state)
{
    (void)state;
    beam_arena arena = {0};
    beam_map names = {0};
    beam_job_metrics m;
    assert_int_equal(beam_map_set(&names, "e7", (void *)"Count/Words"), BEAM_OK);
    assert_int_equal(
        PARSE(beam_dataflow_parse_metrics,
              "{\"metrics\": ["
              "{\"name\": {\"origin\": \"user\", \"name\": \"words\", \"context\": {\"step\": "
              "\"e7\", \"namespace\": \"split\"}}, \"scalar\": 42},"
              "{\"name\": {\"origin\": \"user\", \"name\": \"words\", \"context\": {\"step\": "
              "\"e7\", \"tentative\": \"true\"}}, \"scalar\": 50},"
              "{\"name\": {\"origin\": \"user\", \"name\": \"size\", \"context\": {\"step\": "
              "\"e8\"}}, \"distribution\": {\"count\": \"2\", \"sum\": 7, \"min\": 3, \"max\": 4}},"
              "{\"name\": {\"origin\": \"user\", \"name\": \"size_MIN\"}, \"scalar\": 3},"
              "{\"name\": {\"origin\": \"dataflow/v1b3\", \"name\": \"x\"}, \"scalar\": 1},"
              "{\"name\": 5, \"scalar\": 1}]}",
              &names, &arena, &m),
        BEAM_OK);
    assert_int_equal(m.n, 2);
    assert_string_equal(m.totals[0].transform, "Count/Words");
    assert_string_equal(m.totals[0].function, "split");
    assert_int_equal(m.totals[0].cell.sum, 42);
    assert_string_equal(m.totals[1].transform, "e8");
    assert_int_equal(m.totals[1].kind, BEAM_DISTRIBUTION);
    assert_int_equal(m.totals[1].cell.count, 2);
    assert_int_equal(m.totals[1].cell.max, 4);
    beam_map_free(&names);
    beam_arena_free(&arena);
}

static void images(void **state)
{
    (void)state;
    beam_dataflow_manifest manifest;
    beam_dataflow_image image;
    assert_int_equal(PARSE(beam_dataflow_parse_manifest,
                           "{\"config\": {\"digest\": \"sha256:0123456789\"}}", &manifest),
                     BEAM_OK);
    assert_string_equal(manifest.config, "sha256:0123456789");
    /* A digest becomes a part of an address. */
    assert_int_equal(PARSE(beam_dataflow_parse_manifest,
                           "{\"config\": {\"digest\": \"sha256:../../../x?y\"}}", &manifest),
                     BEAM_DATA_LOSS);
    assert_int_equal(PARSE(beam_dataflow_parse_image,
                           "{\"architecture\": \"amd64\", \"config\": {\"Env\": "
                           "[\"BEAM_ACCELERATOR_BACKEND=tpu\", 4], \"Entrypoint\": [\"/boot\"], "
                           "\"Labels\": {\"libbeam.cuda\": \"12\"}}}",
                           &image),
                     BEAM_OK);
    assert_string_equal(image.backend, "tpu");
    assert_string_equal(image.entry_point, "/boot");
    assert_int_equal(image.cuda, 12);
    assert_int_equal(PARSE(beam_dataflow_parse_image, "{\"config\": 1}", &image), BEAM_DATA_LOSS);
}

static void quotas(void **state)
{
    (void)state;
    double limit, usage;
    static const char text[] =
        "{\"quotas\": [{\"metric\": \"A\", \"limit\": 4, \"usage\": 1.0}, 3, "
        "{\"metric\": \"B\", \"limit\": \"4\"}]}";
    assert_int_equal(PARSE(beam_dataflow_parse_quota, text, "A", &limit, &usage), BEAM_OK);
    assert_true(limit == 4 && usage == 1);
    assert_int_equal(PARSE(beam_dataflow_parse_quota, text, "B", &limit, &usage), BEAM_NOT_FOUND);
    assert_int_equal(PARSE(beam_dataflow_parse_quota, "7", "B", &limit, &usage), BEAM_DATA_LOSS);
}

static void machines(void **state)
{
    (void)state;
    static const struct {
        const char *type, *quota;
        int64_t vcpus;
    } known[] = {{NULL, "CPUS", 1},
                 {"n1-standard-4", "CPUS", 4},
                 {"custom-6-3072", "CPUS", 6},
                 {"n2d-highmem-96", "N2D_CPUS", 96},
                 {"n2-custom-8-16384-ext", "N2_CPUS", 8},
                 {"a2-highgpu-2g", "A2_CPUS", 24},
                 {"n1-standard-", "CPUS", 0},
                 {"n1-standard--4", "CPUS", 4},
                 {"n1-standard-99999999999999999999", "CPUS", 0},
                 {"g2-standard-4", "CPUS", 0},
                 {"", "CPUS", 0}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *quota = NULL;
        assert_int_equal(beam_dataflow_machine_vcpus(known[i].type, &quota), known[i].vcpus);
        assert_string_equal(quota, known[i].quota);
    }
}

static void accelerators(void **state)
{
    (void)state;
    beam_dataflow_accelerator a;
    beam_error err = {0};
    assert_ok(beam_dataflow_accelerator_parse(
                  "--x", "count:2;type:nvidia-l4;install-nvidia-driver:5xx", &a, &err),
              err);
    assert_false(a.is_tpu);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.driver, "5xx");
    assert_ok(beam_dataflow_accelerator_fits(&a, "g2-standard-24", &err), err);
    assert_int_equal(beam_dataflow_accelerator_fits(&a, "g2-standard-8", &err),
                     BEAM_INVALID_ARGUMENT);
    assert_string_equal(beam_dataflow_accelerator_quota(&a), "NVIDIA_L4_GPUS");
    assert_ok(beam_dataflow_accelerator_parse("--x", "type:tpu-v6e-slice;topology:1x1", &a, &err),
              err);
    assert_ok(beam_dataflow_accelerator_fits(&a, "ct6e-standard-1t", &err), err);
    const char *const wrong[] = {"",
                                 ";",
                                 "type:",
                                 "type:a;",
                                 "type:a b",
                                 "type:a;count:0",
                                 "type:a;count:1x",
                                 "type:a;count:-1",
                                 "a;b",
                                 "type:a;topology:1x1",
                                 "type:tpu-v6e-slice;topology:1x1;count:1",
                                 "type:a\r\nX: y"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(beam_dataflow_accelerator_parse("--x", wrong[i], &a, &err),
                         BEAM_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "--x="));
    }
}

/* Each allocation fails in turn; what comes back then says so, and nothing leaks. */
static void memory_runs_out(void **state)
{
    (void)state;
    static const beam_named_value values[] = {
        {"project", "my-project"},
        {"region", "us-central1"},
        {"temp_location", "gs://bucket/tmp"},
        {"sdk_container_image", "host/image:1"},
        {"labels", "a=b,c=d"},
        {"experiments", "e"},
        {"worker_accelerator", "type:nvidia-tesla-t4;count:1;install-nvidia-driver"}};
    beam_status status;
    for (uint64_t n = 1;; n++) {
        beam_arena arena = {0};
        beam_dataflow_options options;
        beam_error err = {0};
        beam_alloc_fail_at(n, 0);
        status = beam_dataflow_options_read(values, sizeof values / sizeof *values, NULL,
                                            "word_count", &arena, &options, &err);
        uint64_t used = beam_alloc_count();
        beam_alloc_fail_at(0, 0);
        if (status == BEAM_OK) {
            assert_int_equal(strncmp(options.job_name, "word-count-", 11), 0);
            assert_true(beam_dataflow_has(
                &options.service_options,
                "worker_accelerator=type:nvidia-tesla-t4;count:1;install-nvidia-driver"));
            assert_int_equal(options.labels.n, 2);
        } else {
            assert_int_equal(status, BEAM_RESOURCE_EXHAUSTED);
        }
        beam_arena_free(&arena);
        if (used < n)
            break;
    }
    assert_int_equal(status, BEAM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs),         cmocka_unit_test(messages),
        cmocka_unit_test(metrics),      cmocka_unit_test(images),
        cmocka_unit_test(quotas),       cmocka_unit_test(machines),
        cmocka_unit_test(accelerators), cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
