# Embeds the version and the git commit in one source file. The commit is looked up at every
# build, and the file is compiled again only when it has changed.
#
# WEFT_COMMIT, as a cache entry or in the environment, stands in where there is no repository.

if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.25)
  set(commit "${FALLBACK}")
  if(NOT commit)
    set(commit "$ENV{WEFT_COMMIT}")
  endif()
  if(NOT commit)
    execute_process(
      COMMAND git -C "${SOURCE_DIR}" rev-parse --short=12 HEAD
      OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE
      ERROR_QUIET RESULT_VARIABLE failed)
    if(failed)
      set(commit unknown)
    endif()
  endif()
  file(CONFIGURE OUTPUT "${OUTPUT}"
    CONTENT "#pragma once\n#define WEFT_COMMIT \"@commit@\"\n" @ONLY)
  return()
endif()

set(WEFT_COMMIT "" CACHE STRING "The commit to report; empty: ask git")
set(weft_commit_script "${CMAKE_CURRENT_LIST_FILE}")

function(weft_embed_commit target source)
  set(folder "${PROJECT_BINARY_DIR}/generated")
  add_custom_target(weft_commit
    COMMAND ${CMAKE_COMMAND} -D "FALLBACK=${WEFT_COMMIT}" -D "SOURCE_DIR=${PROJECT_SOURCE_DIR}"
      -D "OUTPUT=${folder}/weft_commit.hpp" -P "${weft_commit_script}"
    BYPRODUCTS "${folder}/weft_commit.hpp"
    COMMENT "" VERBATIM)
  add_dependencies(${target} weft_commit)
  target_include_directories(${target} PRIVATE "${folder}")
  set_source_files_properties(${source} PROPERTIES
    COMPILE_DEFINITIONS "WEFT_VERSION=\"${PROJECT_VERSION}\"")
endfunction()
