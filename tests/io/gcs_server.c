/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/gcs_server.h"
#include "io/gs.h"
#include "support/server.h"

static test_server server;
static beam_http http = {.mutex = PTHREAD_MUTEX_INITIALIZER};

bool gcs_start(void)
{
    const char *const script[] = {"python3", BEAM_SOURCE_DIR "/tests/support/gcs_fault.py",
                                  BEAM_SOURCE_DIR "/src/base/crc32c.c", NULL};
    return test_server_start(&server, script) &&
           setenv("STORAGE_EMULATOR_HOST", server.address, 1) == 0;
}

void gcs_stop(void)
{
    beam_gs_close();
    beam_http_close(&http);
    test_server_stop(&server);
}

const char *gcs_address(void)
{
    return server.address;
}

json_t *gcs_control(const char *json)
{
    char url[96];
    beam_http_response response;
    beam_error err = {0};
    (void)snprintf(url, sizeof url, "%s/_control", server.address);
    const beam_http_request request = {
        .method = "POST", .url = url, .body = json, .body_size = strlen(json)};
    if (beam_http_perform(&http, &request, &response, &err) != BEAM_OK)
        fail_msg("%s", err.message);
    json_t *counts = json_loadb((const char *)response.body.data, response.body.len, 0, NULL);
    beam_http_response_free(&response);
    assert_non_null(counts);
    return counts;
}

void gcs_reset(void)
{
    json_decref(gcs_control("{\"clear\": true, \"rate\": 0, \"faults\": [], \"page\": 1000, "
                            "\"rewrite_steps\": 1, \"token_uses\": 0, \"payer\": \"\", "
                            "\"wrong_crc\": false, \"redirect\": \"\", \"accept\": 0, "
                            "\"hang_after\": 0, "
                            "\"updated\": \"2026-01-31T12:00:00.123Z\"}"));
}

int gcs_count(const char *what)
{
    json_t *counts = gcs_control("{}");
    int n = (int)json_integer_value(json_object_get(counts, what));
    json_decref(counts);
    return n;
}

size_t gcs_objects(void)
{
    json_t *counts = gcs_control("{}");
    size_t n = json_array_size(json_object_get(counts, "objects"));
    json_decref(counts);
    return n;
}
