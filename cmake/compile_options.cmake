# The flags of weft's own code, as two interface targets, and the helper that makes one program
# out of each source file of a folder.

# Warnings: private to weft's targets, never passed on to a consumer.
add_library(weft_warnings INTERFACE)
target_compile_options(weft_warnings INTERFACE
  -Wall -Wextra -Wpedantic
  # An options struct is written with the members that differ from the defaults.
  -Wno-missing-field-initializers
  $<$<BOOL:${WEFT_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Structures of the kernel's interface end in one, and clang complains where they are used.
  target_compile_options(weft_warnings INTERFACE -Wno-zero-length-array)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC bug 105329: false positives out of std::string at -O2.
    target_compile_options(weft_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
    # And out of a coroutine whose frame comes from an operator new with parameters, at -O0.
    target_compile_options(weft_warnings INTERFACE
      $<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete>)
  endif()
  if(WEFT_SANITIZE)
    # Instrumentation hides initialisations from this warning; a plain build still has it.
    target_compile_options(weft_warnings INTERFACE -Wno-maybe-uninitialized -Wno-error=tsan)
    if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      # And makes these see overflows of a std::string that is not even written to.
      target_compile_options(weft_warnings INTERFACE
        -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
    endif()
  endif()
endif()

# Instrumentation: public inside the build, since one program must be instrumented as a whole.
add_library(weft_instrumentation INTERFACE)
if(WEFT_SANITIZE STREQUAL "address")
  set(weft_sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_compile_definitions(weft_instrumentation INTERFACE WEFT_ASAN=1)
elseif(WEFT_SANITIZE STREQUAL "thread")
  set(weft_sanitize_flags -fsanitize=thread)
  target_compile_definitions(weft_instrumentation INTERFACE WEFT_TSAN=1)
elseif(WEFT_SANITIZE STREQUAL "fuzzer")
  set(weft_sanitize_flags -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_compile_definitions(weft_instrumentation INTERFACE WEFT_ASAN=1)
elseif(WEFT_SANITIZE)
  message(FATAL_ERROR "WEFT_SANITIZE is '${WEFT_SANITIZE}'; it must be address, thread or fuzzer")
endif()
if(WEFT_SANITIZE)
  target_compile_options(weft_instrumentation
    INTERFACE ${weft_sanitize_flags} -fno-omit-frame-pointer)
  target_link_options(weft_instrumentation INTERFACE ${weft_sanitize_flags})
endif()
if(WEFT_SANITIZE STREQUAL "thread")
  # Older ThreadSanitizer runtimes cannot place their shadow memory under the address-space
  # randomisation of newer kernels.
  find_program(WEFT_SETARCH setarch REQUIRED)
  set(weft_test_launcher ${WEFT_SETARCH} ${CMAKE_SYSTEM_PROCESSOR} -R
    env TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan_suppressions.txt)
endif()

# weft_add_programs(FOLDER LIBRARIES... SOURCES...): each source becomes FOLDER/NAME in the build
# folder. The C programs of bench/floor stand for what the kernel alone costs: they are optimised
# in every build type, and link only the system's libraries.
function(weft_add_programs folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
  foreach(source IN LISTS arg_SOURCES)
    cmake_path(GET source STEM name)
    set(target weft_${folder}_${name})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES
      OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}")
    if(source MATCHES "\\.c$")
      target_compile_options(${target} PRIVATE -O2)
      target_link_libraries(${target}
        PRIVATE weft_warnings PkgConfig::liburing Threads::Threads)
    else()
      target_link_libraries(${target} PRIVATE ${arg_UNPARSED_ARGUMENTS})
    endif()
  endforeach()
endfunction()
