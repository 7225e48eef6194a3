# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Makes C of a page: cmake -DPAGE=FOLDER -DOUTPUT=FILE.c -P EmbedPage.cmake
#
# FOLDER/page.html gets page.css at @STYLE@, all of FOLDER's scripts at @SCRIPT@, and in its policy
# the hashes of both, so that a browser runs nothing else whatever comes to stand in the page.  What
# lies before and after @DATA@ becomes beam_page_head and beam_page_tail.

# The text's SHA-256 as Content-Security-Policy wants it: 32 bytes in base64.
function(policy_hash text result)
    set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    string(SHA256 hex "${text}")
    set(base64 "")
    foreach(at RANGE 0 60 6) # three bytes, four letters; the last byte is padding
        string(SUBSTRING "${hex}00" ${at} 6 group)
        math(EXPR bits "0x${group}")
        foreach(shift 18 12 6 0)
            math(EXPR place "(${bits} >> ${shift}) & 63")
            string(SUBSTRING ${alphabet} ${place} 1 letter)
            string(APPEND base64 ${letter})
        endforeach()
    endforeach()
    string(SUBSTRING ${base64} 0 43 base64)
    set(${result} "sha256-${base64}=" PARENT_SCOPE)
endfunction()

function(c_array name text result)
    file(WRITE ${OUTPUT}.part "${text}")
    file(READ ${OUTPUT}.part hex HEX)
    file(REMOVE ${OUTPUT}.part)
    string(LENGTH "${hex}" digits)
    math(EXPR size "${digits} / 2")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," hex "${hex}")
    set(${result} "const char ${name}[] = {${hex}0};\nconst unsigned long ${name}_size = ${size};\n"
        PARENT_SCOPE)
endfunction()

file(READ ${PAGE}/page.html html)
file(READ ${PAGE}/page.css style)
set(script "\"use strict\";\n")
file(GLOB files ${PAGE}/*.js)
foreach(file IN LISTS files)
    file(READ ${file} text)
    string(APPEND script "${text}")
endforeach()
policy_hash("${style}" style_hash)
policy_hash("${script}" script_hash)
string(REPLACE "@STYLE_HASH@" "${style_hash}" html "${html}")
string(REPLACE "@SCRIPT_HASH@" "${script_hash}" html "${html}")
string(REPLACE "@STYLE@" "${style}" html "${html}")
string(REPLACE "@SCRIPT@" "${script}" html "${html}")
string(FIND "${html}" "@DATA@" marker)
if(marker LESS 0)
    message(FATAL_ERROR "${PAGE}/page.html has no @DATA@")
endif()
string(SUBSTRING "${html}" 0 ${marker} head)
math(EXPR after "${marker} + 6")
string(SUBSTRING "${html}" ${after} -1 tail)
c_array(beam_page_head "${head}" head_array)
c_array(beam_page_tail "${tail}" tail_array)
file(WRITE ${OUTPUT} "/* Made by cmake/EmbedPage.cmake. */\n"
    "#include \"app/page.h\"\n\n${head_array}\n${tail_array}")
