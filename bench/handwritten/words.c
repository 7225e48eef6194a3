/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Words are found 64 bytes at a time, looked up in blocks so that the table's cache lines are on
 * their way before they are needed, and compared as two integers when they have up to 16 bytes. */
#include "words.h"

#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

enum { SHORT = 16, QUEUE = 64 };

/* The bytes of a word with more than SHORT of them. */
typedef struct long_word {
    size_t length;
    char bytes[];
} long_word;

typedef struct entry {
    uint64_t head[2]; /* the first 16 bytes, with zeros behind a shorter word */
    uint64_t count;   /* 0 in a free slot */
    /* The length of a short word, which can be no address; else where the word is. */
    union {
        uintptr_t length;
        const long_word *word;
    } rest;
} entry;

typedef struct found {
    uint64_t head[2];
    uint64_t hash;
    const char *bytes;
    size_t length;
} found;

struct hw_words {
    entry *entries;
    unsigned bits;
    uint64_t used;
    hw_arena arena;
};

static void table_init(hw_words *w, unsigned bits)
{
    w->bits = bits;
    w->entries = hw_pages(sizeof(entry) << bits);
}

hw_words *hw_words_new(void)
{
    hw_words *w = hw_pages(sizeof *w);
    table_init(w, 17);
    return w;
}

static inline uint64_t hash_head(const uint64_t head[2])
{
    uint64_t a = head[0] * 0x9E3779B97F4A7C15U, b = head[1] * 0xC2B2AE3D27D4EB4FU;
    return (a ^ (b >> 31 | b << 33)) * 0xD6E8FEB86659FD93U;
}

static __attribute__((noinline)) uint64_t hash_long(const char *bytes, size_t length)
{
    uint64_t hash = length, head[2];
    for (; length >= SHORT; bytes += SHORT, length -= SHORT) {
        memcpy(head, bytes, SHORT);
        head[0] ^= hash;
        hash = hash_head(head) ^ hash >> 29;
    }
    memset(head, 0, SHORT);
    memcpy(head, bytes, length);
    head[0] ^= hash;
    return hash_head(head);
}

static inline void load(found *f, const char *bytes, size_t length)
{
    static const uint64_t ones[4] = {UINT64_MAX, UINT64_MAX, 0, 0};
    uint64_t mask[2];
    size_t keep = length < SHORT ? length : SHORT;
    memcpy(mask, (const char *)ones + SHORT - keep, SHORT);
    memcpy(f->head, bytes, SHORT);
    f->head[0] &= mask[0];
    f->head[1] &= mask[1];
    f->bytes = bytes;
    f->length = length;
    f->hash = length <= SHORT ? hash_head(f->head) : hash_long(bytes, length);
}

static inline bool same(const entry *e, const found *f)
{
    if (e->head[0] != f->head[0] || e->head[1] != f->head[1])
        return false;
    if (f->length <= SHORT)
        return e->rest.length == f->length;
    return e->rest.length > SHORT && e->rest.word->length == f->length &&
           memcmp(e->rest.word->bytes, f->bytes, f->length) == 0;
}

static inline found as_found(const entry *e)
{
    found f;
    if (e->rest.length <= SHORT)
        load(&f, (const char *)e->head, e->rest.length);
    else
        load(&f, e->rest.word->bytes, e->rest.word->length);
    return f;
}

static inline entry *find(const hw_words *w, const found *f)
{
    uint64_t mask = ((uint64_t)1 << w->bits) - 1;
    uint64_t i = f->hash >> (64 - w->bits);
    while (w->entries[i].count && !same(&w->entries[i], f))
        i = (i + 1) & mask;
    return &w->entries[i];
}

/* Adds a word that the table lacks; at most half of the slots are used. */
static __attribute__((noinline)) entry *add(hw_words *w, const found *f)
{
    if (++w->used * 2 > (uint64_t)1 << w->bits) {
        hw_words old = *w;
        table_init(w, old.bits + 1);
        for (uint64_t i = 0; i < (uint64_t)1 << old.bits; i++) {
            if (old.entries[i].count) {
                found moved = as_found(&old.entries[i]);
                *find(w, &moved) = old.entries[i];
            }
        }
    }
    entry *e = find(w, f);
    *e = (entry){.head = {f->head[0], f->head[1]}, .rest.length = f->length};
    if (f->length > SHORT) {
        long_word *word =
            hw_arena_take(&w->arena, (sizeof *word + f->length + SHORT + 63) / 64 * 64);
        word->length = f->length;
        memcpy(word->bytes, f->bytes, f->length);
        e->rest.word = word;
    }
    return e;
}

static inline void count_word(hw_words *w, const found *f, uint64_t count)
{
    entry *e = find(w, f);
    if (!e->count)
        e = add(w, f);
    e->count += count;
}

/* One bit for each of 64 bytes, set for a separator. */
static inline uint64_t separators(const char *p)
{
#if defined(__AVX512BW__)
    __m512i v = _mm512_loadu_si512(p);
    return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(' ')) |
           _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\n'));
#elif defined(__SSE2__)
    uint64_t bits = 0;
    for (int i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)p + i);
        __m128i is = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')),
                                  _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
        bits |= (uint64_t)(unsigned)_mm_movemask_epi8(is) << (16 * i);
    }
    return bits;
#else
    uint64_t bits = 0;
    for (int i = 0; i < 64; i++)
        bits |= (uint64_t)(p[i] == ' ' || p[i] == '\n') << i;
    return bits;
#endif
}

typedef struct queue {
    hw_words *words;
    unsigned count;
    found items[QUEUE];
} queue;

static void drain(queue *q)
{
    for (unsigned i = 0; i < q->count; i++)
        count_word(q->words, &q->items[i], 1);
    q->count = 0;
}

static inline void push(queue *q, const char *bytes, size_t length)
{
    if (length == 0)
        return;
    found *f = &q->items[q->count];
    load(f, bytes, length);
    __builtin_prefetch(&q->words->entries[f->hash >> (64 - q->words->bits)], 1);
    if (++q->count == QUEUE)
        drain(q);
}

void hw_words_scan(hw_words *words, const char *text, size_t length)
{
    queue q = {.words = words};
    const char *word = text, *end = text + length;
    for (const char *p = text; p < end; p += 64) {
        uint64_t bits = separators(p);
        if (end - p < 64)
            bits &= ((uint64_t)1 << (end - p)) - 1;
        for (; bits; bits &= bits - 1) {
            const char *stop = p + __builtin_ctzll(bits);
            push(&q, word, (size_t)(stop - word));
            word = stop + 1;
        }
    }
    if (word < end)
        push(&q, word, (size_t)(end - word));
    drain(&q);
}

void hw_words_merge(hw_words *into, const hw_words *from)
{
    for (uint64_t i = 0; i < (uint64_t)1 << from->bits; i++) {
        const entry *e = &from->entries[i];
        if (e->count) {
            found f = as_found(e);
            count_word(into, &f, e->count);
        }
    }
}

hw_checksum hw_words_print(const hw_words *words, FILE *file)
{
    hw_checksum total = {0};
    for (uint64_t i = 0; i < (uint64_t)1 << words->bits; i++) {
        const entry *e = &words->entries[i];
        if (!e->count)
            continue;
        char tail[24];
        char *digit = tail + sizeof tail;
        *--digit = '\n';
        for (uint64_t n = e->count; n; n /= 10)
            *--digit = (char)('0' + n % 10);
        *--digit = ' ';
        *--digit = ':';
        if (e->rest.length <= SHORT)
            fwrite(e->head, 1, e->rest.length, file);
        else
            fwrite(e->rest.word->bytes, 1, e->rest.word->length, file);
        fwrite(digit, 1, (size_t)(tail + sizeof tail - digit), file);
        total.count++;
        total.sum += (int64_t)e->count;
    }
    return total;
}
