/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* key_table.h - the hash table that precombine keeps accumulators in: from a key's canonical
 * image and a window's number to the accumulator's place.
 *
 * Open addressing, slots side by side.  A slot holds keys of 8 bytes as a number, those of up
 * to 16 bytes in two words, and longer ones by pointer and hash; so most lookups touch
 * nothing but the slot.  Accumulators move when the table grows; they are values, and may. */
#ifndef PLAN_KEY_TABLE_H
#define PLAN_KEY_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "type/key.h"

/* Where a key is looked for. */
typedef struct beam_table_key {
    uint64_t a, b; /* `number` keys: a only; short texts: both words; long ones: a is the
                      hash and b the address of the bytes */
    uint32_t len;  /* of the image, in bytes */
    uint32_t tag;  /* of the window, from 1 */
} beam_table_key;

typedef struct beam_table_slot {
    uint64_t a;
    uint32_t tag; /* 0: free */
    uint32_t len;
    uint64_t b; /* not there in tables of numbers: payload begins here */
} beam_table_slot;

enum { BEAM_TABLE_SHORT = 16 }; /* bytes of a text that a slot holds by itself */

typedef struct beam_key_table {
    char *slots;
    size_t capacity; /* a power of two */
    size_t max_capacity;
    size_t used;
    size_t stride;  /* of slots */
    size_t payload; /* offset of what belongs to the key: `number` 16, else 24 */
    unsigned shift; /* a hash's top bits are the first place */
    bool number;
    beam_arena texts; /* images longer than BEAM_TABLE_SHORT */
} beam_key_table;

enum { BEAM_TABLE_TEXTS = 1 << 20 }; /* bytes of long images until the table counts as full */

/* `payload_size` bytes go with each key.  max_bytes bounds the slots. Allocates nothing. */
void beam_table_init(beam_key_table *table, bool number, size_t payload_size, size_t max_bytes);
void beam_table_free(beam_key_table *table);
/* Room for `more` keys without moving any; false: it is full, or memory is out (grown says). */
bool beam_table_make_room_(beam_key_table *table, size_t more, bool *out_of_memory);
static inline bool beam_table_reserve(beam_key_table *table, size_t more, bool *out_of_memory)
{
    return BEAM_LIKELY(table->used + more <= table->capacity / 2 &&
                       table->texts.total <= BEAM_TABLE_TEXTS) ||
           beam_table_make_room_(table, more, out_of_memory);
}
/* Forgets the long images; all slots must be free. */
void beam_table_cleared(beam_key_table *table);
/* Slots before `end` must be free: as far as they fill huge pages, they take no memory until they
 * are used again. */
void beam_table_rest(const beam_key_table *table, const beam_table_slot *end);

/* The first 16 bytes of a text, with zeros behind a shorter one.  Lengths vary from word to word,
 * and a branch on them would be mispredicted time and again; so 16 bytes are read whatever the
 * length, unless that could touch another page, and those behind the text are masked away.  The
 * sanitizers are told that this is meant. */
#define BEAM_TABLE_READS_ON_ __attribute__((no_sanitize("address", "thread")))
BEAM_TABLE_READS_ON_
static inline void beam_table_load(const char *at, size_t len, uint64_t words[2])
{
    typedef uint64_t __attribute__((may_alias, aligned(1))) anywhere;
    static const uint64_t ones_then_zeros[4] = {UINT64_MAX, UINT64_MAX, 0, 0};
    enum { SMALLEST_PAGE = 4096 };
    words[0] = words[1] = 0;
    if (BEAM_UNLIKELY(((uintptr_t)at & (SMALLEST_PAGE - 1)) > SMALLEST_PAGE - BEAM_TABLE_SHORT)) {
        memcpy(words, at, len);
        return;
    }
    const char *mask = (const char *)ones_then_zeros + BEAM_TABLE_SHORT - len;
    words[0] = ((const anywhere *)(const void *)at)[0] & ((const anywhere *)(const void *)mask)[0];
    words[1] = ((const anywhere *)(const void *)at)[1] & ((const anywhere *)(const void *)mask)[1];
}

static inline beam_table_key beam_table_text(const void *image, size_t len, uint32_t tag)
{
    beam_table_key key = {0, 0, (uint32_t)len, tag};
    if (BEAM_UNLIKELY(len > BEAM_TABLE_SHORT)) {
        key.a = beam_key_hash(image, len);
        key.b = (uint64_t)(uintptr_t)image;
        return key;
    }
    uint64_t words[2];
    if (len == 0) /* there may be no address */
        return key;
    beam_table_load((const char *)image, len, words);
    key.a = words[0];
    key.b = words[1];
    return key;
}

/* The bytes of a short text, from its slot's words; there is room for BEAM_TABLE_SHORT. */
static inline void beam_table_unpack(uint64_t a, uint64_t b, char *text)
{
    memcpy(text, &a, sizeof a);
    memcpy(text + sizeof a, &b, sizeof b);
}

static inline uint64_t beam_table_hash(const beam_table_key *key, bool number)
{
    uint64_t tag = key->tag * UINT64_C(0x2545f4914f6cdd1d);
    if (number)
        return (key->a ^ tag) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t b = key->len > BEAM_TABLE_SHORT ? 0 : key->b; /* an address says nothing */
    __uint128_t product = (__uint128_t)(key->a ^ tag ^ UINT64_C(0x9e3779b97f4a7c15)) *
                          (b ^ key->len ^ UINT64_C(0xd6e8feb86659fd93));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline bool beam_table_matches(const beam_table_slot *slot, const beam_table_key *key,
                                      bool number)
{
    if (number)
        return slot->a == key->a && slot->tag == key->tag;
    uint64_t differs = (slot->a ^ key->a) | (slot->tag ^ key->tag) | (slot->len ^ key->len);
    if (BEAM_LIKELY((differs | (slot->b ^ key->b)) == 0))
        return true;
    if (BEAM_LIKELY(differs != 0 || key->len <= BEAM_TABLE_SHORT))
        return false;
    return memcmp((const void *)(uintptr_t)slot->b, (const void *)(uintptr_t)key->b, key->len) == 0;
}

static inline beam_table_slot *beam_table_at(const beam_key_table *table, size_t place)
{
    return (beam_table_slot *)(void *)(table->slots + place * table->stride);
}

/* The key's slot, or the free one (tag 0) where it belongs; there is one by beam_table_reserve.
 * `number` is table->number, a constant where speed counts. */
static inline beam_table_slot *
beam_table_find(const beam_key_table *table, const beam_table_key *key, uint64_t hash, bool number)
{
    size_t place = hash >> table->shift;
    for (;;) {
        beam_table_slot *slot = beam_table_at(table, place);
        if (BEAM_LIKELY(beam_table_matches(slot, key, number)) || slot->tag == 0)
            return slot;
        place = (place + 1) & (table->capacity - 1);
    }
}

/* Makes a free slot the key's. A long image is copied; false: no memory for that. */
static inline bool beam_table_take(beam_key_table *table, beam_table_slot *slot,
                                   const beam_table_key *key)
{
    if (!table->number) {
        slot->b = key->b;
        if (key->len > BEAM_TABLE_SHORT) {
            const void *copy =
                beam_arena_copy(&table->texts, (const void *)(uintptr_t)key->b, key->len);
            if (!copy)
                return false;
            slot->b = (uint64_t)(uintptr_t)copy;
        }
    }
    slot->a = key->a;
    slot->len = key->len;
    slot->tag = key->tag;
    table->used++;
    return true;
}

#endif
