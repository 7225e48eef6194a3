# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Turns the folders of src/ into targets, following cmake/layers.txt.
#
# A room `x` becomes the object library beam_x and, of the same objects, the archive beam_x_a that
# tests are linked with.  Nothing here names a file: adding one to a room's folder is enough.

# Reads cmake/layers.txt into BEAM_ROOMS (all of them, base first), BEAM_ROOM_<room>_MAY_INCLUDE
# and BEAM_ROOM_<room>_CALLS.
macro(beam_read_layers file)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(STRINGS ${file} _lines REGEX "^[a-z]+:")
    set(BEAM_ROOMS "")
    foreach(_line IN LISTS _lines)
        string(REGEX MATCH "^([a-z]+):([^|]*)\\|?(.*)$" _ "${_line}")
        set(_room ${CMAKE_MATCH_1})
        separate_arguments(_includes UNIX_COMMAND "${CMAKE_MATCH_2}")
        string(REGEX MATCH "\\|(.*)$" _ "${_line}")
        separate_arguments(_calls UNIX_COMMAND "${CMAKE_MATCH_1}")
        list(APPEND BEAM_ROOMS ${_room})
        set(BEAM_ROOM_${_room}_MAY_INCLUDE ${_includes})
        set(BEAM_ROOM_${_room}_CALLS ${_calls})
    endforeach()
    foreach(_room IN LISTS BEAM_ROOMS)
        if(BEAM_ROOM_${_room}_MAY_INCLUDE STREQUAL "*")
            set(BEAM_ROOM_${_room}_MAY_INCLUDE ${BEAM_ROOMS})
            list(REMOVE_ITEM BEAM_ROOM_${_room}_MAY_INCLUDE ${_room})
        endif()
    endforeach()
endmacro()

# All rooms that the code of `room` may reach, itself and base among them.
function(beam_room_closure room result)
    set(found ${room} base)
    set(todo ${room})
    while(todo)
        list(POP_FRONT todo next)
        foreach(other IN LISTS BEAM_ROOM_${next}_MAY_INCLUDE BEAM_ROOM_${next}_CALLS)
            if(NOT other IN_LIST found)
                list(APPEND found ${other})
                list(APPEND todo ${other})
            endif()
        endforeach()
    endwhile()
    set(${result} ${found} PARENT_SCOPE)
endfunction()

# Compiles src/model/proto/*.proto; sets `sources` to the generated C files.
function(beam_protos sources)
    find_program(PROTOC_C NAMES protoc-c REQUIRED)
    file(GLOB protos CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/model/proto/*.proto)
    set(generated "")
    file(MAKE_DIRECTORY ${BEAM_GENERATED_DIR})
    foreach(proto IN LISTS protos)
        get_filename_component(name ${proto} NAME_WE)
        set(stem ${BEAM_GENERATED_DIR}/model/proto/${name}.pb-c)
        # All protos are dependencies of each: they import one another, and take no time.
        add_custom_command(OUTPUT ${stem}.c ${stem}.h
            COMMAND ${PROTOC_C} --proto_path=${PROJECT_SOURCE_DIR}/src
                    --c_out=${BEAM_GENERATED_DIR} model/proto/${name}.proto
            DEPENDS ${protos}
            COMMENT "protoc-c ${name}.proto"
            VERBATIM)
        list(APPEND generated ${stem}.c ${stem}.h)
    endforeach()
    set(${sources} ${generated} PARENT_SCOPE)
endfunction()

# Makes C of the page that src/app/page.h tells of; sets `source` to the file.
function(beam_page folder source)
    set(made ${BEAM_GENERATED_DIR}/app/page_text.c)
    set(script ${PROJECT_SOURCE_DIR}/cmake/EmbedPage.cmake)
    file(GLOB parts CONFIGURE_DEPENDS ${folder}/*)
    file(MAKE_DIRECTORY ${BEAM_GENERATED_DIR}/app)
    add_custom_command(OUTPUT ${made}
        COMMAND ${CMAKE_COMMAND} -DPAGE=${folder} -DOUTPUT=${made} -P ${script}
        DEPENDS ${script} ${parts}
        COMMENT "embedding the report's page"
        VERBATIM)
    set(${source} ${made} PARENT_SCOPE)
endfunction()

# What a program sees of the library: public headers, and what libbeam.a is linked with.
add_library(beam_public INTERFACE)
target_include_directories(beam_public INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(beam_public INTERFACE _GNU_SOURCE)
target_link_libraries(beam_public INTERFACE
    Threads::Threads PkgConfig::PROTOBUF_C PkgConfig::XXHASH PkgConfig::ZSTD ZLIB::ZLIB PNG::PNG
    JPEG::JPEG PkgConfig::JANSSON ${CMAKE_DL_LIBS} m)

# What the library's own files, tests, tools and benchmarks are compiled with: src/ too.
add_library(beam_settings INTERFACE)
target_include_directories(beam_settings INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_include_directories(beam_settings SYSTEM INTERFACE
    ${BEAM_GENERATED_DIR} ${OneDNN_INCLUDE_DIR} ${CURL_INCLUDE_DIRS} ${OPENSSL_INCLUDE_DIR}
    ${NGHTTP2_INCLUDE_DIRS})
target_link_libraries(beam_settings INTERFACE beam_public PJRT::header)

set(BEAM_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes)
if(BEAM_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # What gcc makes of a sanitizer's extra code; the release build has these warnings.
    list(APPEND BEAM_WARNINGS -Wno-format-truncation -Wno-maybe-uninitialized)
endif()
if(BEAM_WERROR)
    list(APPEND BEAM_WARNINGS -Werror)
endif()

beam_read_layers(${PROJECT_SOURCE_DIR}/cmake/layers.txt)
beam_protos(BEAM_PROTO_SOURCES)
add_custom_target(beam_protos DEPENDS ${BEAM_PROTO_SOURCES})
if(BEAM_PROTO_SOURCES)
    # Objects of their own: generated code is not held to the project's warnings.
    add_library(beam_proto_objects OBJECT ${BEAM_PROTO_SOURCES})
    target_link_libraries(beam_proto_objects PRIVATE beam_settings)
endif()

# Rooms on disk that the table does not know are a mistake, not something to leave out.
file(GLOB _folders CONFIGURE_DEPENDS LIST_DIRECTORIES true ${PROJECT_SOURCE_DIR}/src/*)
foreach(_folder IN LISTS _folders)
    get_filename_component(_room ${_folder} NAME)
    if(IS_DIRECTORY ${_folder} AND NOT _room IN_LIST BEAM_ROOMS)
        message(FATAL_ERROR "src/${_room} is not in cmake/layers.txt")
    endif()
endforeach()

set(BEAM_PRESENT_ROOMS "")
foreach(_room IN LISTS BEAM_ROOMS)
    file(GLOB _sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${_room}/*.c)
    file(GLOB _headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${_room}/*.h)
    if(_room STREQUAL "model" AND BEAM_PROTO_SOURCES)
        list(APPEND _sources $<TARGET_OBJECTS:beam_proto_objects>)
    elseif(_room STREQUAL "app")
        beam_page(${PROJECT_SOURCE_DIR}/src/app/page _page)
        list(APPEND _sources ${_page})
    endif()
    if(NOT _sources)
        continue()
    endif()
    list(APPEND BEAM_PRESENT_ROOMS ${_room})
    add_library(beam_${_room} OBJECT ${_sources} ${_headers})
    set_target_properties(beam_${_room} PROPERTIES LINKER_LANGUAGE C)
    target_link_libraries(beam_${_room} PRIVATE beam_settings)
    target_compile_options(beam_${_room} PRIVATE ${BEAM_WARNINGS})
    if(_room STREQUAL "ml") # where the files of share/ are: see src/ml/share.h
        target_compile_definitions(beam_ml PRIVATE
            BEAM_SOURCE_SHARE_DIR="${PROJECT_SOURCE_DIR}/share"
            BEAM_INSTALL_SHARE_DIR="${CMAKE_INSTALL_FULL_DATADIR}/libbeam")
    endif()
    if(_room STREQUAL "net")
        target_compile_definitions(beam_net PRIVATE BEAM_GRPC_SONAME="${BEAM_GRPC_SONAME}")
    elseif(_room STREQUAL "submit")
        target_compile_definitions(beam_submit PRIVATE BEAM_VERSION="${PROJECT_VERSION}")
    endif()
    if(_room STREQUAL "model" OR "model" IN_LIST BEAM_ROOM_${_room}_MAY_INCLUDE)
        add_dependencies(beam_${_room} beam_protos)
    endif()
    add_library(beam_${_room}_a STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:beam_${_room}>)
    set_target_properties(beam_${_room}_a PROPERTIES LINKER_LANGUAGE C)
    if(_room STREQUAL "model" AND BEAM_PROTO_SOURCES)
        target_sources(beam_${_room}_a PRIVATE $<TARGET_OBJECTS:beam_proto_objects>)
    endif()
endforeach()

# The archives of the rooms given, as one group that the linker may go round in.
function(beam_link_rooms target)
    set(archives "")
    foreach(room IN LISTS ARGN)
        if(room IN_LIST BEAM_PRESENT_ROOMS)
            list(APPEND archives beam_${room}_a)
        endif()
    endforeach()
    target_link_libraries(${target} PRIVATE
        "$<LINK_GROUP:RESCAN,${archives}>" beam_settings)
endfunction()
