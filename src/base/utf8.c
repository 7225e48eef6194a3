/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Most text is ASCII, which goes many bytes a step. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#define NOT_ASCII UINT64_C(0x8080808080808080)

static size_t skip_ascii(const uint8_t *p, size_t len)
{
    typedef uint64_t __attribute__((vector_size(16), aligned(1), may_alias)) words;
    size_t i = 0;
    for (; len - i >= 4 * sizeof(words); i += 4 * sizeof(words)) {
        const words *at = (const void *)(p + i), all = at[0] | at[1] | at[2] | at[3];
        if ((all[0] | all[1]) & NOT_ASCII)
            break;
    }
    for (; len - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, sizeof word);
        if (word & NOT_ASCII)
            break;
    }
    while (i < len && p[i] < 0x80)
        i++;
    return i;
}

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Length of the well-formed sequence of several bytes at p, or 0. The bounds of the second
 * byte keep out overlong forms, surrogates and what lies beyond U+10FFFF (Unicode, 3-7). */
static size_t sequence(const uint8_t *p, size_t left)
{
    uint8_t lead = p[0];
    if (lead >= 0xc2 && lead <= 0xdf)
        return left >= 2 && is_tail(p[1]) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        uint8_t low = lead == 0xe0 ? 0xa0 : 0x80, high = lead == 0xed ? 0x9f : 0xbf;
        return left >= 3 && p[1] >= low && p[1] <= high && is_tail(p[2]) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        uint8_t low = lead == 0xf0 ? 0x90 : 0x80, high = lead == 0xf4 ? 0x8f : 0xbf;
        return left >= 4 && p[1] >= low && p[1] <= high && is_tail(p[2]) && is_tail(p[3]) ? 4 : 0;
    }
    return 0;
}

/* How much of the text is well-formed, up to what is not. */
static size_t sound(const uint8_t *p, size_t len)
{
    size_t i = 0, n;
    do {
        i += skip_ascii(p + i, len - i);
        n = i < len ? sequence(p + i, len - i) : 0;
        i += n;
    } while (n);
    return i;
}

bool beam_utf8_valid(const void *text, size_t len)
{
    return sound(text, len) == len;
}

void beam_utf8_mend(char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; (i += sound((const uint8_t *)text + i, len - i)) < len;)
        text[i] = '?';
}
