/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/environment.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "model/message.h"
#include "model/proto/job_management.pb-c.h"
#include "model/urn.h"
#include "submit/opaque.h"

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to describe the job");
}

/* ---- Environments ------------------------------------------------------------------------ */

static const char *text_of(const json_t *config, const char *key, beam_arena *arena)
{
    const char *text = json_string_value(json_object_get(config, key));
    return beam_arena_strdup(arena, text ? text : "");
}

/* A JSON object of texts as the entries of a map. */
static beam_status entries_of(json_t *object, beam_arena *arena, BeamPb__StringEntry ***entries,
                              size_t *n, beam_error *err)
{
    const char *key;
    json_t *value;
    *n = 0;
    *entries = beam_arena_calloc(arena, json_object_size(object), sizeof **entries);
    if (!*entries)
        return no_memory(err);
    json_object_foreach(object, key, value)
    {
        BeamPb__StringEntry *entry = beam_message_new(&beam_pb__string_entry__descriptor, arena);
        if (!json_is_string(value))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT, "\"%s\" must be a text", key);
        if (!entry || !(entry->key = beam_arena_strdup(arena, key)) ||
            !(entry->value = beam_arena_strdup(arena, json_string_value(value))))
            return no_memory(err);
        (*entries)[(*n)++] = entry;
    }
    return BEAM_OK;
}

static beam_status make_external(const char *plain, json_t *config, beam_arena *arena,
                                 beam_environment *environment, beam_error *err)
{
    BeamPb__ApiServiceDescriptor endpoint = BEAM_PB__API_SERVICE_DESCRIPTOR__INIT;
    BeamPb__ExternalPayload payload = BEAM_PB__EXTERNAL_PAYLOAD__INIT;
    endpoint.url = (char *)(config ? text_of(config, "url", arena) : plain);
    if (!endpoint.url)
        return no_memory(err);
    if (!strchr(endpoint.url, ':'))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "'%s' is no host:port of a worker pool; start one with "
                              "`beam worker-pool`",
                              endpoint.url);
    payload.endpoint = &endpoint;
    BEAM_TRY(entries_of(json_object_get(config, "params"), arena, &payload.params,
                        &payload.n_params, err));
    environment->urn = BEAM_URN_ENV_EXTERNAL;
    return beam_message_pack_arena(&payload, arena, &environment->payload);
}

static beam_status make_process(const char *plain, json_t *config, beam_arena *arena,
                                beam_environment *environment, beam_error *err)
{
    BeamPb__ProcessPayload payload = BEAM_PB__PROCESS_PAYLOAD__INIT;
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len < 0)
        return beam_error_set(err, BEAM_UNAVAILABLE, "cannot find this program's file: %s",
                              strerror(errno));
    self[len] = '\0';
    environment->own_program = !plain;
    payload.command = (char *)(config ? text_of(config, "command", arena) : plain ? plain : self);
    payload.os = (char *)text_of(config, "os", arena);
    payload.arch = (char *)text_of(config, "arch", arena);
    if (!payload.command || !payload.os || !payload.arch)
        return no_memory(err);
    if (!*payload.command)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "it names no \"command\"");
    BEAM_TRY(entries_of(json_object_get(config, "env"), arena, &payload.env, &payload.n_env, err));
    environment->urn = BEAM_URN_ENV_PROCESS;
    return beam_message_pack_arena(&payload, arena, &environment->payload);
}

static beam_status make_docker(const char *image, beam_arena *arena, beam_environment *environment,
                               beam_error *err)
{
    BeamPb__DockerPayload payload = BEAM_PB__DOCKER_PAYLOAD__INIT;
    if (!image || !*image)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "it must be a container image");
    payload.container_image = (char *)image;
    environment->urn = BEAM_URN_ENV_DOCKER;
    return beam_message_pack_arena(&payload, arena, &environment->payload);
}

static beam_status make(const char *type, const char *plain, json_t *config, beam_arena *arena,
                        beam_environment *environment, beam_error *err)
{
    bool loopback = strcmp(type, "LOOPBACK") == 0;
    *environment = (beam_environment){.own_program = loopback, .own_disk = loopback};
    if (loopback || strcmp(type, "EXTERNAL") == 0)
        return plain ? make_external(plain, config, arena, environment, err)
                     : beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                      "it must be the host:port of a worker pool");
    if (strcmp(type, "PROCESS") == 0)
        return make_process(plain, config, arena, environment, err);
    if (strcmp(type, "DOCKER") == 0)
        return make_docker(plain, arena, environment, err);
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "there is no such type; it is LOOPBACK, EXTERNAL, PROCESS or DOCKER");
}

beam_status beam_environment_make(const char *type, const char *config, beam_arena *arena,
                                  beam_environment *environment, beam_error *err)
{
    json_t *object = NULL;
    if (config && config[strspn(config, " \t\n")] == '{') {
        json_error_t why;
        object = json_loads(config, 0, &why);
        if (!object)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "--environment_config is no JSON: %s (column %d)", why.text,
                                  why.column);
    }
    beam_error own = {0};
    beam_status status = make(type, config, object, arena, environment, &own);
    json_decref(object);
    if (status == BEAM_OK)
        return status;
    return beam_error_set(err, status, "--environment_type=%s --environment_config=%s: %s", type,
                          config ? config : "", *own.message ? own.message : "no memory");
}

/* ---- Options ----------------------------------------------------------------------------- */

static bool fill_value(BeamPb__Value *value, const char *text, beam_arena *arena)
{
    char *end;
    double number = strtod(text, &end);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        value->kind_case = BEAM_PB__VALUE__KIND_BOOL_VALUE;
        value->bool_value = *text == 't';
    } else if (*text && !*end && strspn(text, "0123456789.-") == strlen(text)) {
        value->kind_case = BEAM_PB__VALUE__KIND_NUMBER_VALUE;
        value->number_value = number;
    } else {
        value->kind_case = BEAM_PB__VALUE__KIND_STRING_VALUE;
        value->string_value = beam_arena_strdup(arena, text);
        return value->string_value;
    }
    return true;
}

/* What Beam's SDKs hold as lists, of which their job services add more. */
static bool is_list(const char *name)
{
    static const char *const lists[] = {"experiments", "dataflow_service_options", "labels"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(name, lists[i]) == 0)
            return true;
    return false;
}

/* All values that options of one name have: `value` itself, or a list. */
static bool fill_values(BeamPb__Value *value, const beam_named_value *options, size_t n, size_t at,
                        beam_arena *arena)
{
    size_t count = 0;
    for (size_t i = at; i < n; i++)
        count += strcmp(options[i].name, options[at].name) == 0;
    if (count == 1 && !is_list(options[at].name))
        return fill_value(value, options[at].value, arena);
    BeamPb__ListValue *list = beam_message_new(&beam_pb__list_value__descriptor, arena);
    value->kind_case = BEAM_PB__VALUE__KIND_LIST_VALUE;
    value->list_value = list;
    if (!list || !(list->values = beam_arena_calloc(arena, count, sizeof *list->values)))
        return false;
    for (size_t i = at; i < n; i++) {
        if (strcmp(options[i].name, options[at].name) != 0)
            continue;
        BeamPb__Value *item = beam_message_new(&beam_pb__value__descriptor, arena);
        if (!item || !fill_value(item, options[i].value, arena))
            return false;
        list->values[list->n_values++] = item;
    }
    return true;
}

static bool was_before(const beam_named_value *options, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(options[i].name, options[at].name) == 0)
            return true;
    return false;
}

BeamPb__Struct *beam_options_to_proto(const beam_named_value *options, size_t n, beam_arena *arena)
{
    BeamPb__Struct *made = beam_message_new(&beam_pb__struct__descriptor, arena);
    if (!made || !(made->fields = beam_arena_calloc(arena, n, sizeof *made->fields)))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (was_before(options, i))
            continue;
        BeamPb__StructFieldEntry *entry =
            beam_message_new(&beam_pb__struct_field_entry__descriptor, arena);
        if (!entry ||
            !(entry->key = beam_arena_printf(arena, "beam:option:%s:v1", options[i].name)) ||
            !(entry->value = beam_message_new(&beam_pb__value__descriptor, arena)) ||
            !fill_values(entry->value, options, n, i, arena))
            return NULL;
        made->fields[made->n_fields++] = entry;
    }
    return made;
}

/* ---- The request ------------------------------------------------------------------------- */

static BeamPb__EnvironmentEntry *complete(const BeamPb__EnvironmentEntry *with_hints,
                                          const beam_job_description *job,
                                          BeamPb__ArtifactInformation **dependencies,
                                          beam_arena *arena)
{
    BeamPb__EnvironmentEntry *entry =
        beam_message_new(&beam_pb__environment_entry__descriptor, arena);
    BeamPb__Environment *made = beam_message_new(&beam_pb__environment__descriptor, arena);
    if (!entry || !made)
        return NULL;
    entry->key = with_hints->key;
    entry->value = made;
    made->urn = (char *)job->environment->urn;
    made->payload = job->environment->payload;
    made->capabilities = (char **)job->capabilities;
    made->n_capabilities = job->n_capabilities;
    made->dependencies = dependencies;
    made->n_dependencies = job->artifacts->n;
    if (with_hints->value) {
        made->resource_hints = with_hints->value->resource_hints;
        made->n_resource_hints = with_hints->value->n_resource_hints;
    }
    return entry;
}

static beam_status fill(const beam_job_description *job, const BeamPb__Pipeline *parsed,
                        beam_arena *arena, BeamPb__Pipeline **pipeline)
{
    size_t n = job->artifacts->n;
    BeamPb__Pipeline *made = beam_arena_copy(arena, parsed, sizeof *parsed);
    BeamPb__Components *components =
        beam_arena_copy(arena, parsed->components, sizeof *parsed->components);
    BeamPb__ArtifactInformation **dependencies = beam_arena_calloc(arena, n, sizeof(void *));
    if (!made || !components || !dependencies ||
        !(components->environments =
              beam_arena_calloc(arena, components->n_environments, sizeof(void *))))
        return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n; i++)
        if (!(dependencies[i] =
                  beam_artifact_to_proto(&job->artifacts->items[i], job->artifact_folder, arena)))
            return BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < components->n_environments; i++)
        if (!(components->environments[i] =
                  complete(parsed->components->environments[i], job, dependencies, arena)))
            return BEAM_RESOURCE_EXHAUSTED;
    BEAM_TRY(beam_make_opaque(components, arena));
    made->components = components;
    *pipeline = made;
    return BEAM_OK;
}

beam_status beam_pipeline_complete(const beam_job_description *job, const BeamPb__Pipeline *parsed,
                                   beam_arena *arena, BeamPb__Pipeline **pipeline, beam_error *err)
{
    if (!parsed->components)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "an empty pipeline");
    return fill(job, parsed, arena, pipeline) == BEAM_OK ? BEAM_OK : no_memory(err);
}

static beam_status pack_request(const beam_job_description *job, const BeamPb__Pipeline *parsed,
                                beam_arena *arena, beam_buffer *out, beam_error *err)
{
    BeamPb__PrepareJobRequest request = BEAM_PB__PREPARE_JOB_REQUEST__INIT;
    BEAM_TRY(beam_pipeline_complete(job, parsed, arena, &request.pipeline, err));
    request.job_name = (char *)job->name;
    request.pipeline_options = beam_options_to_proto(job->options, job->n_options, arena);
    return request.pipeline_options && beam_message_pack(&request, out) == BEAM_OK ? BEAM_OK
                                                                                   : no_memory(err);
}

beam_status beam_job_describe(const beam_job_description *job, beam_buffer *out, beam_error *err)
{
    BeamPb__Pipeline *parsed = NULL;
    beam_arena arena = {0};
    BEAM_TRY(beam_message_unpack(&beam_pb__pipeline__descriptor, job->pipeline, job->pipeline_size,
                                 &parsed, err));
    beam_status status = pack_request(job, parsed, &arena, out, err);
    beam_arena_free(&arena);
    beam_message_free(parsed);
    return status;
}
