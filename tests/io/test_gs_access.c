/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Who gs:// says it is, and to whom: credentials found in each of their places, tokens fetched
 * anew, and nothing secret sent, or told, to anybody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/alloc.h"
#include "base/library.h"
#include "io/gcs_server.h"
#include "io/gs.h"
#include "net/auth.h"
#include "support/files.h"

/* What the test needs of OpenSSL besides what the library does. */
#define FUNCTIONS(X)        \
    X(BIO_free)             \
    X(BIO_new)              \
    X(BIO_read)             \
    X(BIO_s_mem)            \
    X(EVP_DecodeBlock)      \
    X(EVP_DigestVerify)     \
    X(EVP_DigestVerifyInit) \
    X(EVP_MD_CTX_free)      \
    X(EVP_MD_CTX_new)       \
    X(EVP_PKEY_Q_keygen)    \
    X(EVP_PKEY_free)        \
    X(EVP_sha256)           \
    X(PEM_write_bio_PrivateKey)
BEAM_LIBRARY_DECLARE(crypto, FUNCTIONS);
BEAM_LIBRARY_DEFINE(crypto, FUNCTIONS, "libcrypto.so.3", "OpenSSL 3");
#define CALL(function) crypto_functions.function

static char *folder;
static EVP_PKEY *key;
static char pem[4096];

/* Credentials are asked for here, unlike at an emulator. */
static int start(void **state)
{
    (void)state;
    beam_gs_settings_now.first_ms = 1;
    if (!gcs_start())
        exit(77);
    unsetenv("STORAGE_EMULATOR_HOST");
    setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", gcs_address(), 1);
    if (beam_library_open(&crypto_library, NULL) != BEAM_OK)
        return -1;
    key = CALL(EVP_PKEY_Q_keygen)(NULL, NULL, "RSA", (size_t)2048);
    BIO *out = CALL(BIO_new)(CALL(BIO_s_mem)());
    CALL(PEM_write_bio_PrivateKey)(out, key, NULL, NULL, 0, NULL, NULL);
    int len = CALL(BIO_read)(out, pem, sizeof pem - 1);
    CALL(BIO_free)(out);
    return key && len > 0 ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    gcs_stop();
    CALL(EVP_PKEY_free)(key);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    gcs_reset();
    beam_gs_close();
    folder = test_folder();
    unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
    unsetenv("GOOGLE_CLOUD_QUOTA_PROJECT");
    setenv("CLOUDSDK_CONFIG", folder, 1);
    setenv("GCE_METADATA_HOST", "127.0.0.1:9", 1); /* where nobody answers */
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_remove_folder(folder);
    return 0;
}

static void set(const char *control)
{
    json_decref(gcs_control(control));
}

/* A file of credentials; its tokens come from the test's server. */
static void write_credentials(const char *name, json_t *json)
{
    char uri[96];
    snprintf(uri, sizeof uri, "%s/token", gcs_address());
    json_object_set_new(json, "token_uri", json_string(uri));
    char *text = json_dumps(json, 0);
    test_write_file(test_path(folder, name), text, strlen(text));
    assert_int_equal(chmod(test_path(folder, name), 0600), 0);
    free(text);
    json_decref(json);
}

static json_t *service_account(void)
{
    return json_pack("{s:s,s:s,s:s,s:s}", "type", "service_account", "client_email",
                     "robot@project.iam.gserviceaccount.com", "private_key", pem, "private_key_id",
                     "17");
}

static json_t *user(void)
{
    return json_pack("{s:s,s:s,s:s,s:s}", "type", "authorized_user", "client_id", "me",
                     "client_secret", "s&cret", "refresh_token", "1//again");
}

static void use(const char *name)
{
    setenv("GOOGLE_APPLICATION_CREDENTIALS", test_path(folder, name), 1);
}

static void a_service_account_signs(void **state)
{
    beam_error err = {0};
    bool exists;
    (void)state;
    write_credentials("key.json", service_account());
    use("key.json");
    set("{\"token_uses\": 3}");
    for (int i = 0; i < 7;
         i++) /* a token is good for three of them: 401 comes, and another token */
        assert_ok(beam_fs_exists("gs://bucket/none", &exists, &err), err);
    assert_int_equal(gcs_count("token jwt-bearer"), 3);
    assert_int_equal(gcs_count("refused tokens"), 1 + 1);
}

static size_t unbase64(const char *text, size_t len, uint8_t *out)
{
    char copy[4096] = "";
    memcpy(copy, text, len);
    for (size_t i = 0; i < len; i++)
        copy[i] = copy[i] == '-' ? '+' : copy[i] == '_' ? '/' : copy[i];
    size_t padded = len;
    while (padded % 4)
        copy[padded++] = '=';
    return (size_t)CALL(EVP_DecodeBlock)(out, (uint8_t *)copy, (int)padded) - (padded - len);
}

static void the_signature_is_the_keys(void **state)
{
    beam_auth_file file;
    beam_error err = {0};
    char *jwt;
    uint8_t out[4096];
    (void)state;
    write_credentials("key.json", service_account());
    size_t size;
    char *text = test_read_file(test_path(folder, "key.json"), &size);
    assert_ok(beam_auth_parse("key.json", text, size, &file, &err), err);
    assert_ok(beam_auth_jwt(&file, 1700000000, &jwt, &err), err);
    const char *claims = strchr(jwt, '.') + 1, *signature = strchr(claims, '.') + 1;
    out[unbase64(claims, (size_t)(signature - 1 - claims), out)] = '\0';
    assert_non_null(strstr((char *)out, "\"exp\":1700003600"));
    assert_non_null(strstr((char *)out, "robot@project"));
    size_t len = unbase64(signature, strlen(signature), out);
    EVP_MD_CTX *md = CALL(EVP_MD_CTX_new)();
    assert_int_equal(CALL(EVP_DigestVerifyInit)(md, NULL, CALL(EVP_sha256)(), NULL, key), 1);
    assert_int_equal(
        CALL(EVP_DigestVerify)(md, out, len, (uint8_t *)jwt, (size_t)(signature - 1 - jwt)), 1);
    CALL(EVP_MD_CTX_free)(md);
    beam_free(jwt);
    beam_auth_file_free(&file);
    free(text);
}

static void where_gcloud_leaves_a_user(void **state)
{
    beam_error err = {0};
    bool exists;
    (void)state;
    write_credentials("application_default_credentials.json", user());
    set("{\"token_uses\": 100}");
    assert_ok(beam_fs_exists("gs://bucket/none", &exists, &err), err);
    assert_int_equal(gcs_count("token refresh_token"), 1);
}

static void a_machine_in_google_cloud(void **state)
{
    beam_error err = {0};
    bool exists;
    (void)state;
    setenv("GCE_METADATA_HOST", gcs_address() + strlen("http://"), 1);
    set("{\"token_uses\": 2}");
    for (int i = 0; i < 3; i++)
        assert_ok(beam_fs_exists("gs://bucket/none", &exists, &err), err);
    assert_int_equal(gcs_count("GET computeMetadata"), 3); /* is it there? and two tokens */
}

static void who_pays(void **state)
{
    beam_error err = {0};
    bool exists;
    (void)state;
    json_t *me = user();
    json_object_set_new(me, "quota_project_id", json_string("my project"));
    write_credentials("me.json", me);
    use("me.json");
    set("{\"payer\": \"my project\"}");
    assert_ok(beam_fs_exists("gs://bucket/none", &exists, &err), err);
    setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "other", 1);
    assert_fails(beam_fs_exists("gs://bucket/none", &exists, &err), BEAM_INVALID_ARGUMENT, err,
                 "requester pays");
}

static void credentials_of_no_use(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "is no JSON file"},
        {"[1]", "of type \"\""},
        {"{\"type\": \"external_account\"}", "external_account"},
        {"{\"type\": \"service_account\", \"client_email\": \"x\"}", "no \"private_key\""},
        {"{\"type\": \"service_account\", \"client_email\": \"x\", \"private_key\": \"y\"}",
         "no RSA"},
        {"{\"type\": \"authorized_user\", \"client_id\": \"x\", \"client_secret\": \"y\", "
         "\"refresh_token\": \"z\", \"token_uri\": \"http://evil.example/token\"}",
         "not https://"},
    };
    beam_error err = {0};
    bool exists;
    (void)state;
    assert_fails(beam_fs_exists("gs://bucket/none", &exists, &err), BEAM_UNAUTHENTICATED, err,
                 "three ways");
    use("none.json");
    assert_fails(beam_fs_exists("gs://bucket/none", &exists, &err), BEAM_UNAUTHENTICATED, err,
                 "none.json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_write_file(test_path(folder, "bad.json"), cases[i].text, strlen(cases[i].text));
        use("bad.json");
        assert_fails(beam_fs_exists("gs://bucket/none", &exists, &err), BEAM_UNAUTHENTICATED, err,
                     cases[i].words);
        beam_gs_close();
    }
}

static void a_key_that_others_may_read(void **state)
{
    char words[2048] = "";
    beam_error err = {0};
    bool exists;
    (void)state;
    write_credentials("key.json", service_account());
    assert_int_equal(chmod(test_path(folder, "key.json"), 0644), 0);
    use("key.json");
    int usual = dup(2), out = memfd_create("stderr", 0);
    assert_true(usual >= 0 && out >= 0 && dup2(out, 2) == 2);
    beam_status status = beam_fs_exists("gs://bucket/none", &exists, &err);
    assert_int_equal(dup2(usual, 2), 2);
    assert_true(pread(out, words, sizeof words - 1, 0) > 0);
    close(out);
    close(usual);
    assert_ok(status, err);
    assert_non_null(strstr(words, "chmod 600"));
    assert_null(strstr(words, "PRIVATE"));
}

/* What would go there is the token. */
static void a_redirect_is_not_followed(void **state)
{
    char control[160];
    beam_error err = {0};
    bool exists;
    (void)state;
    write_credentials("me.json", user());
    use("me.json");
    snprintf(control, sizeof control, "{\"redirect\": \"%s/_leak\"}", gcs_address());
    set(control);
    assert_fails(beam_fs_exists("gs://bucket/none", &exists, &err), BEAM_UNKNOWN, err, "302");
    assert_int_equal(gcs_count("GET _leak"), 0);
    assert_null(strstr(err.message, "token-"));
}

static void tokens_go_to_https_only(void **state)
{
    beam_error err = {0};
    bool exists;
    (void)state;
    write_credentials("me.json", user());
    use("me.json");
    setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "http://storage.example", 1);
    beam_status status = beam_fs_exists("gs://bucket/none", &exists, &err);
    setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", gcs_address(), 1);
    assert_int_equal(status, BEAM_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "https://"));
}

static void names_inject_nothing(void **state)
{
    static const char *const paths[] = {
        "gs://bucket/a\r\nX-Evil: 1",
        "gs://bucket/a\nb",
        "gs://bu\rcket/a",
        "gs://bucket?x=1/a",
        "gs://bucket#/a",
        "gs://../a",
        "gs:///a",
        "gs://Bucket/a",
    };
    beam_error err = {0};
    beam_http http = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    beam_http_response response;
    bool exists;
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(beam_fs_exists(paths[i], &exists, &err), BEAM_INVALID_ARGUMENT);
    const char *headers[] = {"X-Fine: yes", "X-Name: a\r\nX-Evil: 1"};
    const beam_http_request request = {
        .method = "GET", .url = gcs_address(), .headers = headers, .n_headers = 2};
    assert_fails(beam_http_perform(&http, &request, &response, &err), BEAM_INVALID_ARGUMENT, err,
                 "control character");
    const beam_http_request other = {.method = "GET", .url = "http://127.0.0.1:1/a b"};
    assert_fails(beam_http_perform(&http, &other, &response, &err), BEAM_INVALID_ARGUMENT, err,
                 "blank");
    beam_http_close(&http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_service_account_signs, begin, end),
        cmocka_unit_test_setup_teardown(the_signature_is_the_keys, begin, end),
        cmocka_unit_test_setup_teardown(where_gcloud_leaves_a_user, begin, end),
        cmocka_unit_test_setup_teardown(a_machine_in_google_cloud, begin, end),
        cmocka_unit_test_setup_teardown(who_pays, begin, end),
        cmocka_unit_test_setup_teardown(credentials_of_no_use, begin, end),
        cmocka_unit_test_setup_teardown(a_key_that_others_may_read, begin, end),
        cmocka_unit_test_setup_teardown(a_redirect_is_not_followed, begin, end),
        cmocka_unit_test_setup_teardown(tokens_go_to_https_only, begin, end),
        cmocka_unit_test_setup_teardown(names_inject_nothing, begin, end),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
