/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What an engine is told: environments from Beam's options, pipeline options as a Struct, files
 * with their checksums; and what it tells: metrics. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/files.h"

#include "base/file.h"
#include "base/staged.h"
#include "model/message.h"
#include "model/proto/job_management.pb-c.h"
#include "model/urn.h"
#include "submit/environment.h"
#include "submit/metrics.h"

/* ---- Environments ---------------------------------------------------------------------------- */

static void external(void **state)
{
    (void)state;
    const char *configs[] = {"host:50000", "{\"url\": \"host:50000\", \"params\": {\"a\": \"b\"}}"};
    for (size_t i = 0; i < 2; i++) {
        beam_arena arena = {0};
        beam_environment made;
        beam_error err = {0};
        BeamPb__ExternalPayload *payload;
        assert_ok(beam_environment_make("EXTERNAL", configs[i], &arena, &made, &err), err);
        assert_string_equal(made.urn, BEAM_URN_ENV_EXTERNAL);
        assert_false(made.own_program);
        assert_ok(beam_message_unpack(&beam_pb__external_payload__descriptor, made.payload.data,
                                      made.payload.len, &payload, &err),
                  err);
        assert_string_equal(payload->endpoint->url, "host:50000");
        assert_int_equal(payload->n_params, i);
        beam_message_free(payload);
        beam_arena_free(&arena);
    }
}

static BeamPb__ProcessPayload *process_of(const char *config, bool *own_program)
{
    beam_arena arena = {0};
    beam_environment made;
    beam_error err = {0};
    BeamPb__ProcessPayload *payload;
    assert_ok(beam_environment_make("PROCESS", config, &arena, &made, &err), err);
    assert_string_equal(made.urn, BEAM_URN_ENV_PROCESS);
    assert_ok(beam_message_unpack(&beam_pb__process_payload__descriptor, made.payload.data,
                                  made.payload.len, &payload, &err),
              err);
    *own_program = made.own_program;
    beam_arena_free(&arena);
    return payload;
}

static void process(void **state)
{
    (void)state;
    bool own;
    BeamPb__ProcessPayload *payload = process_of(NULL, &own);
    assert_true(own);
    assert_non_null(strstr(payload->command, "test_submit_describe"));
    beam_message_free(payload);
    payload = process_of("/opt/beam", &own);
    assert_false(own);
    assert_string_equal(payload->command, "/opt/beam");
    beam_message_free(payload);
    payload = process_of("{\"command\": \"c\", \"os\": \"linux\", \"env\": {\"k\": \"v\"}}", &own);
    assert_string_equal(payload->command, "c");
    assert_string_equal(payload->os, "linux");
    assert_int_equal(payload->n_env, 1);
    assert_string_equal(payload->env[0]->value, "v");
    beam_message_free(payload);
}

static void refused(const char *type, const char *config, const char *words)
{
    beam_arena arena = {0};
    beam_environment made;
    beam_error err = {0};
    assert_int_equal(beam_environment_make(type, config, &arena, &made, &err),
                     BEAM_INVALID_ARGUMENT);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    beam_arena_free(&arena);
}

static void wrong_environments(void **state)
{
    (void)state;
    refused("EXTERNAL", NULL, "worker pool");
    refused("EXTERNAL", "nowhere", "beam worker-pool");
    refused("EXTERNAL", "{\"url\": 7}", "worker pool");
    refused("EXTERNAL", "{", "no JSON");
    refused("EXTERNAL", "{\"url\": \"a:1\", \"params\": {\"b\": 3}}", "\"b\" must be a text");
    refused("PROCESS", "{}", "command");
    refused("DOCKER", NULL, "image");
    refused("THREAD", "x", "LOOPBACK, EXTERNAL, PROCESS or DOCKER");
}

/* ---- Options --------------------------------------------------------------------------------- */

static const BeamPb__Value *field(const BeamPb__Struct *options, const char *name)
{
    for (size_t i = 0; i < options->n_fields; i++)
        if (strcmp(options->fields[i]->key, name) == 0)
            return options->fields[i]->value;
    fail_msg("there is no %s", name);
    return NULL;
}

static void options(void **state)
{
    (void)state;
    const beam_named_value given[] = {{"parallelism", "2"}, {"experiments", "a"}, {"x", "true"},
                                      {"experiments", "b"}, {"file", "-"},        {"rate", "-1.5"},
                                      {"experiments", "7"}, {"labels", "a=b"}};
    beam_arena arena = {0};
    BeamPb__Struct *made = beam_options_to_proto(given, sizeof given / sizeof *given, &arena);
    assert_non_null(made);
    assert_int_equal(made->n_fields, 6);
    assert_true(field(made, "beam:option:parallelism:v1")->number_value == 2);
    assert_true(field(made, "beam:option:rate:v1")->number_value == -1.5);
    assert_true(field(made, "beam:option:x:v1")->bool_value);
    assert_string_equal(field(made, "beam:option:file:v1")->string_value, "-");
    const BeamPb__ListValue *list = field(made, "beam:option:experiments:v1")->list_value;
    assert_int_equal(list->n_values, 3);
    assert_string_equal(list->values[1]->string_value, "b");
    list = field(made, "beam:option:labels:v1")->list_value; /* a list, also of one */
    assert_int_equal(list->n_values, 1);
    assert_string_equal(list->values[0]->string_value, "a=b");
    beam_arena_free(&arena);
}

/* ---- Artifacts ------------------------------------------------------------------------------- */

static void program(void **state)
{
    (void)state;
    beam_artifacts a = {0};
    beam_error err = {0};
    bool has_libraries = false;
    assert_ok(beam_artifacts_add_program(&a, &err), err);
    assert_string_equal(a.items[0].name, BEAM_ARTIFACT_PROGRAM);
    for (size_t i = 1; i < a.n; i++) {
        assert_null(strstr(a.items[i].name, "lib/libc.so"));
        assert_null(strstr(a.items[i].name, "ld-linux"));
        has_libraries |= strncmp(a.items[i].name, "lib/libcrypto.so", 16) == 0;
    }
    assert_true(has_libraries);
    beam_artifacts_free(&a);
}

static void folders(void **state)
{
    (void)state;
    char *folder = test_folder();
    char path[512], name[BEAM_STAGED_NAME], *found;
    beam_artifacts a = {0};
    beam_error err = {0};
    test_write_file(test_path(folder, "one"), "1", 1);
    snprintf(path, sizeof path, "%s/below", folder);
    assert_ok(beam_make_folders(path, &err), err);
    test_write_file(test_path(path, "two"), "", 0);
    beam_staged_name("kind", "name", name);
    assert_ok(beam_artifacts_add(&a, folder, name, &err), err);
    assert_int_equal(a.n, 2);
    /* sha256 of "1" */
    const beam_artifact *one =
        beam_artifacts_find(&a, "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
    assert_non_null(one);
    assert_non_null(strstr(one->name, "/one"));
    beam_arena arena = {0};
    beam_artifact again;
    assert_true(
        beam_artifact_from_proto(beam_artifact_to_proto(one, NULL, &arena), &arena, &again));
    assert_string_equal(again.name, one->name);
    assert_string_equal(again.sha256, one->sha256);
    beam_arena_free(&arena);
    beam_artifacts_free(&a);
    assert_int_equal(beam_artifacts_add(&a, "/no/such/file", "x", &err), BEAM_NOT_FOUND);
    beam_artifacts_free(&a);
    assert_ok(beam_staged_find("kind", "name", &found, &err), err);
    assert_null(found);
    test_remove_folder(folder);
}

#define DIGITS "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"

static void hostile_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "program", DIGITS, DIGITS "/", DIGITS "//etc/passwd",
                                      DIGITS "/../x", DIGITS "/a/../../x", DIGITS "/a/./x",
                                      DIGITS "/a/", DIGITS "0/a",
                                      /* capitals */
                                      "6B86B273/a"};
    beam_arena arena = {0};
    beam_artifact artifact;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (beam_staged_name_parse(bad[i], &arena, &artifact))
            fail_msg("%s is taken", bad[i]);
    assert_true(beam_staged_name_parse(DIGITS "/lib/a..so", &arena, &artifact));
    assert_string_equal(artifact.name, "lib/a..so");
    beam_arena_free(&arena);
}

/* ---- The whole request ----------------------------------------------------------------------- */

static void request(void **state)
{
    (void)state;
    BeamPb__Pipeline pipeline = BEAM_PB__PIPELINE__INIT;
    BeamPb__Components components = BEAM_PB__COMPONENTS__INIT;
    BeamPb__EnvironmentEntry entry = BEAM_PB__ENVIRONMENT_ENTRY__INIT, *entries[] = {&entry};
    BeamPb__Environment with_hint = BEAM_PB__ENVIRONMENT__INIT;
    BeamPb__BytesEntry hint = BEAM_PB__BYTES_ENTRY__INIT, *hints[] = {&hint};
    hint.key = (char *)BEAM_URN_HINT_CPU_COUNT;
    with_hint.resource_hints = hints;
    with_hint.n_resource_hints = 1;
    entry.key = (char *)"e";
    entry.value = &with_hint;
    components.environments = entries;
    components.n_environments = 1;
    BeamPb__FunctionSpec specs[] = {BEAM_PB__FUNCTION_SPEC__INIT, BEAM_PB__FUNCTION_SPEC__INIT};
    BeamPb__Coder coders[] = {BEAM_PB__CODER__INIT, BEAM_PB__CODER__INIT};
    BeamPb__CoderEntry coder_entries[] = {BEAM_PB__CODER_ENTRY__INIT, BEAM_PB__CODER_ENTRY__INIT};
    BeamPb__CoderEntry *all_coders[] = {&coder_entries[0], &coder_entries[1]};
    const char *urns[] = {BEAM_URN_CODER_STRING, BEAM_URN_CODER_VARINT}, *ids[] = {"s", "v"};
    for (size_t i = 0; i < 2; i++) {
        specs[i].urn = (char *)urns[i];
        coders[i].spec = &specs[i];
        coder_entries[i].key = (char *)ids[i];
        coder_entries[i].value = &coders[i];
    }
    components.coders = all_coders;
    components.n_coders = 2;
    pipeline.components = &components;
    beam_buffer bytes = {0}, out = {0};
    beam_error err = {0};
    assert_int_equal(beam_message_pack(&pipeline, &bytes), BEAM_OK);
    beam_arena arena = {0};
    beam_environment environment;
    assert_ok(beam_environment_make("DOCKER", "image", &arena, &environment, &err), err);
    beam_artifact file = {"/a/b", "program", DIGITS};
    const beam_artifacts artifacts = {.items = &file, .n = 1};
    const char *capability = BEAM_URN_PROTOCOL_PROGRESS;
    const beam_job_description job = {.pipeline = bytes.data,
                                      .pipeline_size = bytes.len,
                                      .name = "n",
                                      .environment = &environment,
                                      .artifacts = &artifacts,
                                      .capabilities = &capability,
                                      .n_capabilities = 1};
    assert_ok(beam_job_describe(&job, &out, &err), err);
    BeamPb__PrepareJobRequest *sent;
    assert_ok(beam_message_unpack(&beam_pb__prepare_job_request__descriptor, out.data, out.len,
                                  &sent, &err),
              err);
    const BeamPb__Environment *e = sent->pipeline->components->environments[0]->value;
    assert_string_equal(sent->job_name, "n");
    assert_string_equal(e->urn, BEAM_URN_ENV_DOCKER);
    assert_string_equal(e->capabilities[0], BEAM_URN_PROTOCOL_PROGRESS);
    assert_string_equal(e->resource_hints[0]->key, BEAM_URN_HINT_CPU_COUNT);
    assert_string_equal(e->dependencies[0]->role_urn, BEAM_URN_ARTIFACT_STAGING_TO);
    /* A text is bytes to an engine, a number a number. */
    BeamPb__CoderEntry **c = sent->pipeline->components->coders;
    assert_int_equal(sent->pipeline->components->n_coders, 3);
    assert_string_equal(c[0]->key, "s");
    assert_string_equal(c[0]->value->spec->urn, BEAM_URN_CODER_LENGTH_PREFIX);
    assert_string_equal(c[0]->value->component_coder_ids[0], c[1]->key);
    assert_string_equal(c[1]->value->spec->urn, BEAM_URN_CODER_STRING);
    assert_string_equal(c[2]->key, "v");
    assert_string_equal(c[2]->value->spec->urn, BEAM_URN_CODER_VARINT);
    beam_message_free(sent);
    beam_buffer_free(&bytes);
    beam_buffer_free(&out);
    beam_arena_free(&arena);
}

/* ---- Metrics --------------------------------------------------------------------------------- */

static void add_text(void *user, beam_str text)
{
    (void)strncat(user, text.at, text.len);
}

static void metrics(void **state)
{
    (void)state;
    BeamPb__StringEntry labels[6], *all[6];
    const char *texts[][2] = {{"PTRANSFORM", "t1"},
                              {"NAMESPACE", "f"},
                              {"NAME", "m"},
                              {"PCOLLECTION", "p1"},
                              {"PCOLLECTION", "the engine's own"},
                              {"PTRANSFORM", "et1_process"}}; /* a part of t1 */
    for (size_t i = 0; i < 6; i++) {
        all[i] = &labels[i];
        beam_pb__string_entry__init(&labels[i]);
        labels[i].key = (char *)texts[i][0];
        labels[i].value = (char *)texts[i][1];
    }
    BeamPb__StringEntry *of_part[] = {&labels[5], &labels[1], &labels[2]};
    enum { COUNT = 3, CUT, OWN, PART = 8, LIST };
    uint8_t counter[] = {0x96, 1}, distribution[] = {2, 10, 3, 7}, cut[] = {2, 0x80},
            texts_of[] = {0, 0, 0, 2, 1, 'a', 2, 'b', 'c'},
            many[] = {0xff, 0xff, 0xff, 0xff, 1, 'a'};
    BeamPb__MonitoringInfo infos[LIST], *list[LIST];
    const struct {
        const char *urn;
        uint8_t *data;
        size_t len;
    } given[] = {{BEAM_URN_METRIC_USER_COUNTER, counter, 2},
                 {BEAM_URN_METRIC_USER_DISTRIBUTION, distribution, 4},
                 {BEAM_URN_METRIC_USER_DISTRIBUTION, cut, 2},
                 {BEAM_URN_METRIC_ELEMENT_COUNT, counter, 2},
                 {BEAM_URN_METRIC_ELEMENT_COUNT, cut + 1, 1},
                 {BEAM_URN_METRIC_ELEMENT_COUNT, counter, 2},
                 {BEAM_URN_METRIC_USER_SET_STRING, texts_of, 9},
                 {BEAM_URN_METRIC_USER_SET_STRING, many, 6},
                 {BEAM_URN_METRIC_USER_COUNTER, counter, 2}};
    for (size_t i = 0; i < LIST; i++) {
        beam_pb__monitoring_info__init(&infos[i]);
        infos[i].urn = (char *)given[i].urn;
        infos[i].payload = (ProtobufCBinaryData){given[i].len, given[i].data};
        bool counts = i >= COUNT && i <= OWN;
        infos[i].labels = i == OWN ? &all[4] : counts ? &all[3] : i == PART ? of_part : all;
        infos[i].n_labels = counts ? 1 : 3;
        list[i] = &infos[i];
    }
    BeamPb__MetricResults results = BEAM_PB__METRIC_RESULTS__INIT;
    results.attempted = list;
    results.n_attempted = LIST;
    beam_map names = {0};
    beam_arena arena = {0};
    beam_job_metrics read;
    beam_error err = {0};
    assert_int_equal(beam_map_set(&names, "t1", (char *)"Read/Lines"), BEAM_OK);
    assert_int_equal(beam_map_set(&names, "p1", (char *)"p1"), BEAM_OK);
    assert_ok(beam_job_metrics_read(&results, &names, &arena, &read, &err), err);
    assert_int_equal(read.n, 3);
    assert_string_equal(read.totals[0].transform, "Read/Lines");
    assert_int_equal(read.totals[0].cell.sum, 2 * 150);
    assert_int_equal(read.totals[1].kind, BEAM_DISTRIBUTION);
    assert_int_equal(read.totals[1].cell.max, 7);
    assert_null(read.totals[1].cell.buckets);
    assert_int_equal(read.totals[2].kind, BEAM_STRING_SET);
    char both[8] = "";
    beam_string_set_visit(read.totals[2].cell.strings, add_text, both);
    assert_string_equal(both, "abc");
    assert_int_equal(read.n_counts, 1);
    assert_string_equal(read.counts[0].pcollection, "p1");
    assert_int_equal(read.counts[0].elements, 150);
    beam_job_metrics_free(&read);
    beam_map_free(&names);
    beam_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(external),
        cmocka_unit_test(process),
        cmocka_unit_test(wrong_environments),
        cmocka_unit_test(options),
        cmocka_unit_test(program),
        cmocka_unit_test(folders),
        cmocka_unit_test(hostile_names),
        cmocka_unit_test(request),
        cmocka_unit_test(metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
