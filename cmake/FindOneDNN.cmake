# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Finds oneDNN's C library (v3) and makes the target OneDNN::dnnl.
#
# Looked for in OneDNN_ROOT, then in the cache folder that scripts/deps fills from the pinned
# packages; when neither has it, scripts/deps is asked to fetch it.

if(NOT OneDNN_ROOT)
    execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/deps onednn
        OUTPUT_VARIABLE OneDNN_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _result)
    if(NOT _result EQUAL 0)
        set(OneDNN_ROOT "")
    endif()
endif()

find_path(OneDNN_INCLUDE_DIR oneapi/dnnl/dnnl.h PATHS ${OneDNN_ROOT}/include NO_DEFAULT_PATH)
find_library(OneDNN_LIBRARY NAMES libdnnl.so.3 PATHS ${OneDNN_ROOT}/lib NO_DEFAULT_PATH)
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR)

if(OneDNN_FOUND AND NOT TARGET OneDNN::dnnl)
    add_library(OneDNN::dnnl SHARED IMPORTED)
    set_target_properties(OneDNN::dnnl PROPERTIES
        IMPORTED_LOCATION ${OneDNN_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${OneDNN_INCLUDE_DIR})
endif()
