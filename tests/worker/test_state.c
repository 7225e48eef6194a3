/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* What the engine keeps and a worker asks for: side inputs, cached by token, and iterables that
 * come in pages. */
#include <malloc.h>
#include <semaphore.h>
#include <time.h>

#include "type/windowed.h"
#include "worker/fixture.h"

BEAM_KV(pair, beam_int64, beam_int64);
BEAM_KV(named, beam_int64, beam_str);
BEAM_GROUPED(group, beam_int64, beam_int64);
BEAM_GROUPED(groups, beam_int64, group);

#define INT (&beam_int64_type)

static const beam_windowing global = {BEAM_GLOBAL_WINDOWS, 0, 0, 0, 0, BEAM_END_OF_WINDOW};

/* The time that the worker is told, so many seconds later than it is. */
static time_t passed;

time_t time(time_t *at)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += __atomic_load_n(&passed, __ATOMIC_RELAXED);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

static beam_status sum_of(const beam_iterable *values, beam_int64 *sum)
{
    beam_iter iter = beam_iterate(values, beam_int64);
    for (const beam_int64 *value; (value = beam_next(&iter, beam_int64));)
        *sum += *value;
    return iter.status;
}

/* Reads the side input twice for each element, the second time from the beginning. */
static beam_status add_side(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable values;
    beam_int64 sum = *x;
    for (int i = 0; i < 2; i++) {
        BEAM_TRY(beam_side_iterable(c, 0, &values));
        BEAM_TRY(sum_of(&values, &sum));
    }
    return beam_emit(c, beam_int64, sum);
}
BEAM_DOFN(add_side_fn, beam_int64, add_side, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({.kind = BEAM_SIDE_ITERABLE, .type = &beam_int64_type}));

/* Reads a page of what is not kept, and no further. */
static size_t held[100];

static beam_status peek(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable values;
    size_t n;
    BEAM_TRY(beam_side_iterable(c, 0, &values));
    beam_iter iter = beam_iterate(&values, beam_int64);
    for (int run = 0; run < 2; run++)
        (void)beam_next_run(&iter, beam_int64, &n);
    BEAM_TRY(iter.status);
    held[*x] = mallinfo2().uordblks;
    return beam_emit(c, beam_int64, (beam_int64)n);
}
BEAM_DOFN(peek_fn, beam_int64, peek, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({.kind = BEAM_SIDE_ITERABLE, .type = &beam_int64_type}));

static beam_status look_at_text(beam_ctx *c, const beam_int64 *x)
{
    const beam_str *text;
    BEAM_TRY(beam_side_singleton(c, 0, &text));
    return beam_emit(c, beam_int64, *x + (beam_int64)text->len + text->at[text->len - 1]);
}
BEAM_DOFN(look_at_text_fn, beam_int64, look_at_text, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({.kind = BEAM_SIDE_SINGLETON, .type = &beam_str_type}));

static sem_t reached, go; /* the function has begun; it may go on */

static beam_status add_side_late(beam_ctx *c, const beam_int64 *x)
{
    sem_post(&reached);
    sem_wait(&go);
    return add_side(c, x);
}
BEAM_DOFN(add_side_late_fn, beam_int64, add_side_late, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({.kind = BEAM_SIDE_ITERABLE, .type = &beam_int64_type}));

static beam_status add_group(beam_ctx *c, const group *g)
{
    beam_int64 sum = g->key;
    beam_iter abandoned = beam_iterate(&g->values, beam_int64);
    (void)beam_next(&abandoned, beam_int64);
    for (int i = 0; i < 2; i++)
        BEAM_TRY(sum_of(&g->values, &sum));
    return beam_emit(c, beam_int64, sum);
}
BEAM_DOFN(add_group_fn, group, add_group, BEAM_TYPES(&beam_int64_type));

/* Reads all groups of the side input twice. */
static beam_status add_groups(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable values;
    beam_int64 sum = *x;
    for (int i = 0; i < 2; i++) {
        BEAM_TRY(beam_side_iterable(c, 0, &values));
        beam_iter iter = beam_iterate(&values, group);
        for (const group *g; (g = beam_next(&iter, group)); sum += g->key)
            BEAM_TRY(sum_of(&g->values, &sum));
        BEAM_TRY(iter.status);
    }
    return beam_emit(c, beam_int64, sum);
}
BEAM_DOFN(add_groups_fn, beam_int64, add_groups, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({.kind = BEAM_SIDE_ITERABLE, .type = &group_type}));

/* Of each group a page is read, and no further. */
static beam_status peek_into_each(beam_ctx *c, const groups *all)
{
    beam_iter iter = beam_iterate(&all->values, group);
    for (const group *g; (g = beam_next(&iter, group));) {
        beam_iter page = beam_iterate(&g->values, beam_int64);
        size_t n;
        for (int run = 0; run < 2; run++)
            (void)beam_next_run(&page, beam_int64, &n);
        BEAM_TRY(page.status);
        held[g->key] = mallinfo2().uordblks;
    }
    BEAM_TRY(iter.status);
    return beam_emit(c, beam_int64, all->key);
}
BEAM_DOFN(peek_into_each_fn, groups, peek_into_each, BEAM_TYPES(&beam_int64_type));

static beam_status look_up(beam_ctx *c, const beam_int64 *key)
{
    const beam_str *text;
    BEAM_TRY(beam_side_get(c, 0, key, &text));
    held[*key] = mallinfo2().uordblks;
    return beam_emit(c, beam_int64, *key + (beam_int64)text->len);
}
BEAM_DOFN(look_up_fn, beam_int64, look_up, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({.kind = BEAM_SIDE_MAP, .type = &named_type}));

/* Does not ask whether what it read was all. */
static beam_status add_heedlessly(beam_ctx *c, const group *g)
{
    beam_int64 sum = g->key;
    (void)sum_of(&g->values, &sum);
    return beam_emit(c, beam_int64, sum);
}
BEAM_DOFN(add_heedlessly_fn, group, add_heedlessly, BEAM_TYPES(&beam_int64_type));

static void tell_where_state_is(fixture *f)
{
    BeamPb__ApiServiceDescriptor *service =
        stage_message(&f->stage, &beam_pb__api_service_descriptor__descriptor);
    service->url = (char *)engine_endpoint(f->engine);
    f->stage.descriptor.state_api_service_descriptor = service;
}

static void begin_side_of(void **state, const beam_dofn *fn)
{
    const beam_type *type = fn->sides[0].type;
    fixture *f = fixture_new();
    tell_where_state_is(f);
    stage_pcoll(&f->stage, "numbers", INT, global);
    stage_pcoll(&f->stage, "others", type, global);
    stage_pcoll(&f->stage, "sums", INT, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, INT, "", "out0=numbers");
    stage_pardo(&f->stage, "add", fn, NULL, "in0=numbers side0=others", "out0=sums");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, INT, "in0=sums", "");
    fixture_start(f, false);
    *state = f;
}

static int begin_side(void **state)
{
    begin_side_of(state, &add_side_fn);
    return 0;
}

static int begin_peek(void **state)
{
    begin_side_of(state, &peek_fn);
    return 0;
}

static int begin_text(void **state)
{
    begin_side_of(state, &look_at_text_fn);
    return 0;
}

static int begin_groups(void **state)
{
    begin_side_of(state, &add_groups_fn);
    return 0;
}

static int begin_look_up(void **state)
{
    begin_side_of(state, &look_up_fn);
    return 0;
}

static int begin_late(void **state)
{
    sem_init(&reached, 0, 0);
    sem_init(&go, 0, 0);
    begin_side_of(state, &add_side_late_fn);
    return 0;
}

static int end_late(void **state)
{
    sem_post(&go); /* where the test failed before */
    int status = fixture_end(state);
    sem_destroy(&reached);
    sem_destroy(&go);
    return status;
}

static int begin_group_of(void **state, const beam_dofn *fn)
{
    fixture *f = fixture_new();
    tell_where_state_is(f);
    stage_pcoll(&f->stage, "groups", fn->in, global);
    stage_pcoll(&f->stage, "sums", INT, global);
    fixture_port(f, "source", BEAM_URN_DATA_SOURCE, fn->in, "", "out0=groups");
    stage_pardo(&f->stage, "add", fn, NULL, "in0=groups", "out0=sums");
    fixture_port(f, "sink", BEAM_URN_DATA_SINK, INT, "in0=sums", "");
    fixture_start(f, false);
    *state = f;
    return 0;
}

static int begin_group(void **state)
{
    return begin_group_of(state, &add_group_fn);
}

static int begin_heedless(void **state)
{
    return begin_group_of(state, &add_heedlessly_fn);
}

static int begin_nested(void **state)
{
    return begin_group_of(state, &peek_into_each_fn);
}

/* ---- An engine's part -------------------------------------------------------------------- */

static void ask_with_token(fixture *f, const char *id, const char *token)
{
    BeamPb__InstructionRequest request = BEAM_PB__INSTRUCTION_REQUEST__INIT;
    BeamPb__ProcessBundleRequest bundle = BEAM_PB__PROCESS_BUNDLE_REQUEST__INIT;
    BeamPb__ProcessBundleRequest__CacheToken cache =
        BEAM_PB__PROCESS_BUNDLE_REQUEST__CACHE_TOKEN__INIT;
    BeamPb__ProcessBundleRequest__CacheToken *tokens = &cache;
    BeamPb__ProcessBundleRequest__CacheToken__SideInput side =
        BEAM_PB__PROCESS_BUNDLE_REQUEST__CACHE_TOKEN__SIDE_INPUT__INIT;
    side.transform_id = (char *)"add";
    side.side_input_id = (char *)"side0";
    cache.type_case = BEAM_PB__PROCESS_BUNDLE_REQUEST__CACHE_TOKEN__TYPE_SIDE_INPUT;
    cache.side_input = &side;
    cache.token = (ProtobufCBinaryData){strlen(token), (uint8_t *)token};
    bundle.process_bundle_descriptor_id = (char *)"stage";
    bundle.cache_tokens = &tokens;
    bundle.n_cache_tokens = 1;
    request.instruction_id = (char *)id;
    request.request_case = BEAM_PB__INSTRUCTION_REQUEST__REQUEST_PROCESS_BUNDLE;
    request.process_bundle = &bundle;
    engine_send(f->engine, ENGINE_CONTROL, &request);
}

static void add_number(beam_buffer *bytes, beam_int64 number)
{
    const beam_element_info info = beam_info_global(5);
    STAGE_OK(beam_encode_windowed(INT, &beam_global_window_type, BEAM_NESTED, &info, &number, bytes,
                                  NULL));
}

static void send_number(fixture *f, const char *id, beam_int64 number)
{
    beam_buffer bytes = {0};
    add_number(&bytes, number);
    send_piece(f, id, bytes.data, bytes.len, true);
    beam_buffer_free(&bytes);
}

static BeamPb__StateRequest *take_question(fixture *f, const char *id, const char *token)
{
    BeamPb__StateRequest *q =
        engine_take(f->engine, ENGINE_STATE, &beam_pb__state_request__descriptor);
    assert_non_null(q);
    assert_string_equal(q->instruction_id, id);
    assert_int_equal(q->request_case, BEAM_PB__STATE_REQUEST__REQUEST_GET);
    assert_int_equal(q->get->continuation_token.len, strlen(token));
    assert_memory_equal(q->get->continuation_token.data, token, strlen(token));
    return q;
}

static void send_page(fixture *f, const char *question, const void *bytes, size_t size,
                      const char *next)
{
    BeamPb__StateResponse response = BEAM_PB__STATE_RESPONSE__INIT;
    BeamPb__StateGetResponse get = BEAM_PB__STATE_GET_RESPONSE__INIT;
    get.data = (ProtobufCBinaryData){size, (uint8_t *)bytes};
    get.continuation_token = (ProtobufCBinaryData){strlen(next), (uint8_t *)next};
    response.id = (char *)question;
    response.response_case = BEAM_PB__STATE_RESPONSE__RESPONSE_GET;
    response.get = &get;
    engine_send(f->engine, ENGINE_STATE, &response);
}

/* Asked for the page `token`, the engine gives these bytes. */
static void give_page(fixture *f, const char *id, const char *token, const void *bytes, size_t size,
                      const char *next)
{
    BeamPb__StateRequest *q = take_question(f, id, token);
    send_page(f, q->id, bytes, size, next);
    beam_message_free(q);
}

/* 1000, 1001, ..., two bytes each. */
static beam_int64 numbers(beam_buffer *bytes, beam_int64 n)
{
    beam_int64 sum = 0;
    for (beam_int64 i = 1000; i < 1000 + n; i++) {
        STAGE_OK(beam_encode(INT, BEAM_NESTED, &i, bytes, NULL));
        sum += i;
    }
    return sum;
}

static void expect_sum(fixture *f, const char *id, beam_int64 expected)
{
    beam_buffer bytes = {0};
    beam_arena arena = {0};
    beam_element_info info;
    beam_int64 sum;
    expect_done(f, id);
    take_elements(f, id, &bytes);
    beam_reader reader = beam_reader_of(bytes.data, bytes.len);
    STAGE_OK(beam_decode_windowed(INT, &beam_global_window_type, BEAM_NESTED, &reader, &info, &sum,
                                  &arena, NULL));
    assert_int_equal(sum, expected);
    assert_int_equal(beam_reader_left(&reader), 0);
    beam_arena_free(&arena);
    beam_buffer_free(&bytes);
}

/* ---- Tests ------------------------------------------------------------------------------- */

/* Pages may cut a value; the bundles after it with the same token ask nothing, one with another
 * token or none does. */
static void cached_by_token(void **state)
{
    fixture *f = *state;
    beam_buffer bytes = {0};
    beam_int64 sum = numbers(&bytes, 100);
    ask_with_token(f, "first", "t1");
    send_number(f, "first", 1);
    give_page(f, "first", "", bytes.data, 7, "more");
    give_page(f, "first", "more", bytes.data + 7, bytes.len - 7, "");
    expect_sum(f, "first", 2 * sum + 1);
    ask_with_token(f, "second", "t1");
    send_number(f, "second", 2);
    expect_sum(f, "second", 2 * sum + 2);
    ask_with_token(f, "third", "t2");
    send_number(f, "third", 3);
    give_page(f, "third", "", bytes.data, 2, "");
    expect_sum(f, "third", 2003);
    ask_bundle(f, "fourth");
    send_number(f, "fourth", 4);
    give_page(f, "fourth", "", "", 0, "");
    expect_sum(f, "fourth", 4);
    ask_with_token(f, "fifth", "t1");
    send_number(f, "fifth", 5);
    expect_sum(f, "fifth", 2 * sum + 5);
    beam_buffer_free(&bytes);
}

/* The engine answers the second bundle's question before the first one's. */
static void answered_out_of_order(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "one");
    send_number(f, "one", 1);
    BeamPb__StateRequest *first = take_question(f, "one", "");
    ask_bundle(f, "two");
    send_number(f, "two", 2);
    give_page(f, "two", "", "\x05", 1, "");
    expect_sum(f, "two", 12);
    send_page(f, first->id, "\x07", 1, "");
    beam_message_free(first);
    expect_sum(f, "one", 15);
}

/* What does not fit is asked for again with each reading, a page at a time. */
static void larger_than_is_kept(void **state)
{
    fixture *f = *state;
    beam_buffer bytes = {0};
    beam_int64 sum = numbers(&bytes, 9 << 20); /* 27 MB or so a page */
    ask_with_token(f, "large", "t");
    send_number(f, "large", 0);
    give_page(f, "large", "", bytes.data, bytes.len - 1, "b"); /* kept, but for the last */
    for (int i = 0; i < 2; i++) {
        give_page(f, "large", "b", bytes.data + bytes.len - 1, 1, "c");
        give_page(f, "large", "c", "\x01\x02", 2, "d");
        give_page(f, "large", "d", "", 0, "");
    }
    expect_sum(f, "large", 2 * sum + 2 * 3);
    beam_buffer_free(&bytes);
}

/* One value of so many characters, all 'x'. */
static void a_text(size_t len, beam_buffer *bytes)
{
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'x', len);
    STAGE_OK(beam_encode(&beam_str_type, BEAM_NESTED, &(const beam_str){text, len}, bytes, NULL));
    free(text);
}

/* One value that is larger than what is read at once. */
static void a_large_value(void **state)
{
    enum { LEN = 40 << 20, HALF = LEN / 2 };
    fixture *f = *state;
    beam_buffer bytes = {0};
    a_text(LEN, &bytes);
    ask_bundle(f, "large");
    send_number(f, "large", 7);
    give_page(f, "large", "", bytes.data, HALF, "b");
    give_page(f, "large", "b", bytes.data + HALF, bytes.len - HALF, "c");
    give_page(f, "large", "c", "", 0, "");
    expect_sum(f, "large", 7 + LEN + 'x');
    beam_buffer_free(&bytes);
}

/* Readings that are given up, element by element, do not add up. */
static void given_up_each_time(void **state)
{
    enum { N = sizeof held / sizeof *held, PAGE = 200000 };
    fixture *f = *state;
    beam_buffer bytes = {0}, elements = {0};
    (void)numbers(&bytes, 9 << 20);
    for (beam_int64 i = 0; i < N; i++)
        add_number(&elements, i);
    ask_bundle(f, "peeks");
    send_piece(f, "peeks", elements.data, elements.len, true);
    give_page(f, "peeks", "", bytes.data, bytes.len, "b");
    for (size_t i = 0; i < N; i++)
        give_page(f, "peeks", "b", bytes.data, PAGE, "c");
    expect_done(f, "peeks");
    assert_true(held[N - 1] < held[1] + 20 * PAGE);
    beam_buffer_free(&elements);
    beam_buffer_free(&bytes);
}

/* What was looked up by key is kept, but not all of it. */
static void looked_up(void **state)
{
    enum { N = sizeof held / sizeof *held, LEN = 1 << 20, MOST = 24 << 20 };
    fixture *f = *state;
    beam_buffer bytes = {0}, elements = {0};
    a_text(LEN, &bytes);
    add_number(&elements, 0); /* which is asked for once at the beginning, and once at the end */
    for (beam_int64 i = 0; i <= N; i++)
        add_number(&elements, i % N);
    ask_bundle(f, "many");
    send_piece(f, "many", elements.data, elements.len, true);
    for (size_t i = 0; i <= N; i++) {
        BeamPb__StateRequest *q = take_question(f, "many", "");
        const ProtobufCBinaryData *key = &q->state_key->multimap_side_input->key;
        assert_int_equal(key->len, 1);
        assert_int_equal(key->data[0], i % N);
        send_page(f, q->id, bytes.data, bytes.len, "");
        beam_message_free(q);
    }
    expect_done(f, "many");
    if (held[N - 1] > held[1] + MOST)
        fail_msg("%zu bytes for the answers to %d questions", held[N - 1] - held[1], N - 2);
    beam_buffer_free(&elements);
    beam_buffer_free(&bytes);
}

/* A bundle that has waited long enough fails; that its answer comes after all is no other's
 * concern.
 */
static void answered_late(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "one");
    send_number(f, "one", 1);
    BeamPb__StateRequest *q = take_question(f, "one", "");
    __atomic_store_n(&passed, 1000, __ATOMIC_RELAXED);
    BeamPb__InstructionResponse *answer = take_response(f, "one");
    __atomic_store_n(&passed, 0, __ATOMIC_RELAXED);
    assert_non_null(strstr(answer->error, "did not answer for state within 600 s"));
    beam_message_free(answer);
    send_page(f, q->id, "\x05", 1, "");
    beam_message_free(q);
    ask_bundle(f, "two");
    send_number(f, "two", 2);
    give_page(f, "two", "", "\x07", 1, "");
    expect_sum(f, "two", 16);
}

static void an_error(void **state)
{
    fixture *f = *state;
    BeamPb__StateResponse response = BEAM_PB__STATE_RESPONSE__INIT;
    ask_bundle(f, "fails");
    send_number(f, "fails", 1);
    BeamPb__StateRequest *q = take_question(f, "fails", "");
    response.id = q->id;
    response.error = (char *)"the state is lost";
    engine_send(f->engine, ENGINE_STATE, &response);
    beam_message_free(q);
    BeamPb__InstructionResponse *answer = take_response(f, "fails");
    assert_non_null(strstr(answer->error, "the state is lost"));
    assert_non_null(strstr(answer->error, "side0"));
    beam_message_free(answer);
    ask_bundle(f, "damaged");
    send_number(f, "damaged", 1);
    give_page(f, "damaged", "", "\x80", 1, "");
    answer = take_response(f, "damaged");
    assert_non_null(strstr(answer->error, "ends in a value"));
    beam_message_free(answer);
}

/* An engine, or a proxy before it, that ends the stream since its time is over. */
static void ended_by_a_deadline(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "late");
    send_number(f, "late", 1);
    beam_message_free(take_question(f, "late", ""));
    engine_end_with(f->engine, ENGINE_STATE, BEAM_DEADLINE_EXCEEDED);
    BeamPb__InstructionResponse *answer = take_response(f, "late");
    assert_non_null(strstr(answer->error, "did not tell state in time"));
    beam_message_free(answer);
}

static void expect_ended(fixture *f)
{
    BeamPb__InstructionResponse *answer =
        engine_take(f->engine, ENGINE_CONTROL, &beam_pb__instruction_response__descriptor);
    assert_non_null(answer);
    assert_non_null(strstr(answer->error, "the engine ended the state stream"));
    beam_message_free(answer);
}

/* The bundles that wait for answers fail; later ones ask over another stream, as often as the
 * engine ends one. */
static void ended_midway(void **state)
{
    static const char *const ids[][3] = {{"a", "b", "c"}, {"d", "e", "f"}, {"g", "h", "i"}};
    fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        const char *const *id = ids[round];
        for (int i = 0; i < 2; i++) {
            ask_bundle(f, id[i]);
            send_number(f, id[i], 1);
            beam_message_free(take_question(f, id[i], ""));
        }
        engine_end(f->engine, ENGINE_STATE);
        engine_accept_again(f->engine, ENGINE_STATE);
        expect_ended(f);
        expect_ended(f);
        ask_bundle(f, id[2]);
        send_number(f, id[2], 2);
        give_page(f, id[2], "", "\x07", 1, "");
        expect_sum(f, id[2], 16);
    }
}

/* The bundle that finds the stream at its end fails, and no other. */
static void ended_unseen(void **state)
{
    fixture *f = *state;
    ask_bundle(f, "one");
    send_number(f, "one", 1);
    give_page(f, "one", "", "\x05", 1, "");
    expect_sum(f, "one", 11);
    engine_end(f->engine, ENGINE_STATE);
    engine_accept_again(f->engine, ENGINE_STATE);
    ask_bundle(f, "cut");
    send_number(f, "cut", 1);
    BeamPb__InstructionResponse *answer = take_response(f, "cut");
    assert_non_null(strstr(answer->error, "side0"));
    beam_message_free(answer);
    ask_bundle(f, "next");
    send_number(f, "next", 2);
    give_page(f, "next", "", "\x07", 1, "");
    expect_sum(f, "next", 16);
}

/* A worker that ends asks nothing any more: nobody might answer. */
static void first_asked_at_the_end(void **state)
{
    fixture *f = *state;
    engine_expect_faults(f->engine);
    ask_bundle(f, "late");
    send_number(f, "late", 1);
    sem_wait(&reached);
    engine_end(f->engine, ENGINE_CONTROL);
    while (engine_is_open(f->engine, ENGINE_DATA)) /* until the worker ends it */
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    sem_post(&go);
    assert_null(engine_take(f->engine, ENGINE_STATE, &beam_pb__state_request__descriptor));
}

/* A group with the values 10 and 20, and those that the engine keeps. */
static void add_group_of(beam_buffer *bytes, beam_int64 key, const char *token)
{
    static const beam_int64 prefix[] = {10, 20};
    const beam_iterable_tail tail = {INT, prefix, 2, {token, strlen(token)}};
    const group g = {key, {&beam_iterable_tail_ops, &tail, BEAM_LEN_UNKNOWN}};
    STAGE_OK(beam_encode(&group_type, BEAM_NESTED, &g, bytes, NULL));
}

static void send_group(fixture *f, const char *id, beam_int64 key, const char *token)
{
    const beam_element_info info = beam_info_global(5);
    beam_buffer bytes = {0};
    STAGE_OK(beam_encode_info(&beam_global_window_type, &info, &bytes, NULL));
    add_group_of(&bytes, key, token);
    send_piece(f, id, bytes.data, bytes.len, true);
    beam_buffer_free(&bytes);
}

static void check_runner_key(const BeamPb__StateRequest *q, const char *token)
{
    assert_int_equal(q->state_key->type_case, BEAM_PB__STATE_KEY__TYPE_RUNNER);
    assert_int_equal(q->state_key->runner->key.len, strlen(token));
    assert_memory_equal(q->state_key->runner->key.data, token, strlen(token));
}

static void state_backed(void **state)
{
    fixture *f = *state;
    beam_buffer bytes = {0};
    beam_int64 sum = numbers(&bytes, 5000);
    ask_bundle(f, "group");
    send_group(f, "group", 7, "values of 7");
    for (int i = 0; i < 2; i++) {
        BeamPb__StateRequest *q = take_question(f, "group", "");
        check_runner_key(q, "values of 7");
        send_page(f, q->id, bytes.data, 4001, "rest");
        beam_message_free(q);
        q = take_question(f, "group", "rest");
        check_runner_key(q, "values of 7");
        send_page(f, q->id, bytes.data + 4001, bytes.len - 4001, "");
        beam_message_free(q);
    }
    expect_sum(f, "group", 7 + 2 * (30 + sum));
    beam_buffer_free(&bytes);
}

/* Values that are groups with values of their own: what is read of those does not add up. */
static void state_backed_within(void **state)
{
    enum { N = sizeof held / sizeof *held, PAGE = 200000 };
    fixture *f = *state;
    const beam_element_info info = beam_info_global(5);
    const beam_iterable_tail tail = {&group_type, NULL, 0, {"all", 3}};
    const groups g = {7, {&beam_iterable_tail_ops, &tail, BEAM_LEN_UNKNOWN}};
    beam_buffer bytes = {0};
    STAGE_OK(beam_encode_windowed(&groups_type, &beam_global_window_type, BEAM_NESTED, &info, &g,
                                  &bytes, NULL));
    ask_bundle(f, "groups");
    send_piece(f, "groups", bytes.data, bytes.len, true);
    bytes.len = 0;
    (void)numbers(&bytes, PAGE);
    for (beam_int64 i = 0; i < N; i++) {
        beam_buffer page = {0};
        add_group_of(&page, i, "one");
        give_page(f, "groups", i ? "more" : "", page.data, page.len, i + 1 < N ? "more" : "");
        give_page(f, "groups", "", bytes.data, PAGE, "rest");
        beam_buffer_free(&page);
    }
    expect_sum(f, "groups", 7);
    assert_true(held[N - 1] < held[1] + 20 * PAGE);
    beam_buffer_free(&bytes);
}

/* What a GroupByKey made, as a side input: its values come in pages, too, each time they are read,
 * whatever token there is for the groups. */
static void state_backed_on_the_side(void **state)
{
    static const char *const ids[] = {"first", "second"};
    fixture *f = *state;
    beam_buffer pairs = {0}, bytes = {0};
    beam_int64 sum = numbers(&bytes, 3000);
    add_group_of(&pairs, 1, "values of 1");
    add_group_of(&pairs, 2, "values of 2");
    for (size_t b = 0; b < 2; b++) {
        ask_with_token(f, ids[b], "t");
        send_number(f, ids[b], 5);
        give_page(f, ids[b], "", pairs.data, pairs.len, "");
        for (int i = 0; i < 2; i++) {
            BeamPb__StateRequest *q = take_question(f, ids[b], "");
            check_runner_key(q, "values of 1");
            send_page(f, q->id, bytes.data, 3001, "rest");
            beam_message_free(q);
            give_page(f, ids[b], "rest", bytes.data + 3001, bytes.len - 3001, "");
            q = take_question(f, ids[b], "");
            check_runner_key(q, "values of 2");
            send_page(f, q->id, "\x03", 1, "");
            beam_message_free(q);
        }
        expect_sum(f, ids[b], 5 + 2 * (1 + 30 + sum + 2 + 30 + 3));
    }
    beam_buffer_free(&pairs);
    beam_buffer_free(&bytes);
}

static void group_fails(fixture *f, const char *page, size_t len, const char *words)
{
    ask_bundle(f, "group");
    send_group(f, "group", 7, "values of 7");
    give_page(f, "group", "", page, len, "");
    BeamPb__InstructionResponse *answer = take_response(f, "group");
    assert_non_null(strstr(answer->error, words));
    beam_message_free(answer);
}

static void state_backed_fails(void **state)
{
    group_fails(*state, "\x80", 1, "add_group_fn");
}

/* Half of the values would be a wrong result: the bundle fails, and the next is none the worse. */
static void state_backed_fails_unseen(void **state)
{
    fixture *f = *state;
    group_fails(f, "\x05\x80", 2, "ends in a value");
    ask_bundle(f, "next");
    send_group(f, "next", 7, "values of 7");
    give_page(f, "next", "", "\x05", 1, "");
    expect_sum(f, "next", 7 + 30 + 5);
}

#define SIDE(name) cmocka_unit_test_setup_teardown(name, begin_side, fixture_end)
#define GROUP(name) cmocka_unit_test_setup_teardown(name, begin_group, fixture_end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SIDE(cached_by_token),
        SIDE(answered_out_of_order),
        SIDE(larger_than_is_kept),
        cmocka_unit_test_setup_teardown(given_up_each_time, begin_peek, fixture_end),
        cmocka_unit_test_setup_teardown(a_large_value, begin_text, fixture_end),
        cmocka_unit_test_setup_teardown(looked_up, begin_look_up, fixture_end),
        SIDE(answered_late),
        SIDE(an_error),
        SIDE(ended_by_a_deadline),
        SIDE(ended_midway),
        SIDE(ended_unseen),
        cmocka_unit_test_setup_teardown(first_asked_at_the_end, begin_late, end_late),
        GROUP(state_backed),
        cmocka_unit_test_setup_teardown(state_backed_within, begin_nested, fixture_end),
        cmocka_unit_test_setup_teardown(state_backed_on_the_side, begin_groups, fixture_end),
        GROUP(state_backed_fails),
        cmocka_unit_test_setup_teardown(state_backed_fails_unseen, begin_heedless, fixture_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
