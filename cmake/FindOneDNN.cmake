# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Finds oneDNN's C library (v3): OneDNN_LIBRARY and OneDNN_INCLUDE_DIR.  Nothing is linked to it:
# the library is opened when a program first uses it.
#
# Looked for in OneDNN_ROOT; without that, in the cache folders that scripts/deps fills from the
# pinned wheels and fetches when they are not there.

set(_prefixes ${OneDNN_ROOT})
if(NOT OneDNN_ROOT)
    foreach(_wheel onednn-cpu-gomp onednn-devel-cpu-gomp)
        execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/deps get ${_wheel}
            OUTPUT_VARIABLE _folder OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _result)
        if(_result EQUAL 0)
            list(APPEND _prefixes ${_folder})
        endif()
    endforeach()
endif()

find_path(OneDNN_INCLUDE_DIR oneapi/dnnl/dnnl.h PATHS ${_prefixes} PATH_SUFFIXES include NO_DEFAULT_PATH)
find_library(OneDNN_LIBRARY NAMES libdnnl.so.3 PATHS ${_prefixes} PATH_SUFFIXES lib NO_DEFAULT_PATH)
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR)
