# Embeds a page in the library: its HTML, style and script as text, and what a Content-Security-Policy
# says to allow the style and the script, their SHA-256 in base64.
#
# weft_embed_page(TARGET FOLDER HEADER NAMESPACE) makes HEADER of FOLDER/page.html, page.css and
# page.js at every build in which one of them has changed. Each page has a namespace of its own,
# because what is in it has the same names.

if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.25)

  # The base64 of bytes that are given in hexadecimal: six digits at a time are four characters.
  function(base64_of_hex hex result)
    set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    set(text "")
    string(LENGTH "${hex}" length)
    set(at 0)
    while(at LESS length)
      string(SUBSTRING "${hex}" ${at} 6 digits)
      string(LENGTH "${digits}" got)
      string(SUBSTRING "${digits}00000" 0 6 digits)
      math(EXPR characters "(${got} * 2 + 2) / 3")
      foreach(shift IN ITEMS 18 12 6 0)
        if(characters GREATER 0)
          math(EXPR index "(0x${digits} >> ${shift}) & 63")
          string(SUBSTRING "${alphabet}" ${index} 1 character)
        else()
          set(character "=")
        endif()
        string(APPEND text "${character}")
        math(EXPR characters "${characters} - 1")
      endforeach()
      math(EXPR at "${at} + 6")
    endwhile()
    set(${result} "${text}" PARENT_SCOPE)
  endfunction()

  set(header "// Made of ${FOLDER}.\n#pragma once\n\n#include <string_view>\n\n")
  string(APPEND header "namespace ${NAMESPACE} {\n\n")
  foreach(kind IN ITEMS html css js)
    file(READ "${FOLDER}/page.${kind}" text)
    if(text MATCHES "\\)embedded\"")
      message(FATAL_ERROR "page.${kind} has what ends the literal it becomes")
    endif()
    string(APPEND header
      "inline constexpr std::string_view kPage_${kind} = R\"embedded(${text})embedded\";\n")
    file(SHA256 "${FOLDER}/page.${kind}" hash)
    base64_of_hex("${hash}" encoded)
    string(APPEND header
      "inline constexpr std::string_view kPage_${kind}_hash = \"'sha256-${encoded}'\";\n\n")
  endforeach()
  string(APPEND header "}  // namespace ${NAMESPACE}\n")
  file(WRITE "${OUTPUT}" "${header}")
  return()
endif()

set(weft_embed_page_script "${CMAKE_CURRENT_LIST_FILE}")

function(weft_embed_page target folder header namespace)
  set(output "${PROJECT_BINARY_DIR}/generated/${header}")
  add_custom_command(OUTPUT "${output}"
    COMMAND ${CMAKE_COMMAND} -D "FOLDER=${PROJECT_SOURCE_DIR}/${folder}" -D "OUTPUT=${output}"
      -D "NAMESPACE=${namespace}" -P "${weft_embed_page_script}"
    DEPENDS "${folder}/page.html" "${folder}/page.css" "${folder}/page.js"
      "${weft_embed_page_script}"
    COMMENT "" VERBATIM)
  target_sources(${target} PRIVATE "${output}")
  target_include_directories(${target} PRIVATE "${PROJECT_BINARY_DIR}/generated")
endfunction()
