/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "support/shortage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/alloc.h"

bool test_shortage_next(test_shortage *shortage)
{
    if (shortage->over)
        return false;
    beam_alloc_fail_at(++shortage->n, 0);
    return true;
}

void test_shortage_ends_(test_shortage *shortage, beam_status status, const char *file, int line)
{
    shortage->over = beam_alloc_count() < shortage->n;
    beam_alloc_fail_at(0, 0);
    beam_status expected = shortage->over ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    if (status == expected)
        return;
    print_error("%s without allocation %d instead of %s\n", beam_status_name(status),
                (int)shortage->n, beam_status_name(expected));
    _fail(file, line);
}
