# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Finds the header of PJRT's C API and makes the target PJRT::header.  There is nothing to link:
# plugins are opened when a program runs.
#
# Looked for in PJRT_ROOT; without that, in the cache folder that scripts/deps fills from a pinned
# wheel and fetches when it is not there.

set(_prefix ${PJRT_ROOT})
if(NOT PJRT_ROOT)
    execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/deps get xla-cpu-pjrt
        OUTPUT_VARIABLE _prefix OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _result)
    if(NOT _result EQUAL 0)
        set(_prefix "")
    endif()
endif()

find_path(PJRT_INCLUDE_DIR pjrt_c_api.h PATHS ${_prefix}
    PATH_SUFFIXES include xla_plugins/xla_cpu_pjrt/include xla/pjrt/c NO_DEFAULT_PATH)
mark_as_advanced(PJRT_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PJRT REQUIRED_VARS PJRT_INCLUDE_DIR)

if(PJRT_FOUND AND NOT TARGET PJRT::header)
    add_library(PJRT::header INTERFACE IMPORTED)
    target_include_directories(PJRT::header SYSTEM INTERFACE ${PJRT_INCLUDE_DIR})
endif()
