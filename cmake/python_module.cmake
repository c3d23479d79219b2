# The module for Python: src/python becomes weft/_weft.….so, of the interpreter that the system has,
# beside links to the Python sources: PYTHONPATH=<build folder>/python is all that it takes to use
# it. The library and the command know nothing of Python.
#
# An interpreter that is not instrumented cannot load what is.

set(weft_python_found FALSE)
if(WEFT_BUILD_PYTHON AND NOT WEFT_SANITIZE)
  find_program(WEFT_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
  if(WEFT_PYTHON)
    execute_process(
      COMMAND "${WEFT_PYTHON}" -c "import sysconfig as s; \
print(s.get_path('include'), s.get_config_var('EXT_SUFFIX'), s.get_python_version(), sep='|')"
      OUTPUT_VARIABLE weft_python_facts OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REPLACE "|" ";" weft_python_facts "${weft_python_facts}")
    list(GET weft_python_facts 0 weft_python_include)
    list(GET weft_python_facts 1 weft_python_suffix)
    list(GET weft_python_facts 2 weft_python_version)
    if(EXISTS "${weft_python_include}/Python.h" AND weft_python_version VERSION_GREATER_EQUAL 3.11)
      set(weft_python_found TRUE)
    endif()
  endif()
  if(WEFT_BUILD_PYTHON STREQUAL "ON" AND NOT weft_python_found)
    message(FATAL_ERROR "WEFT_BUILD_PYTHON is ON, but /usr/bin/python3 is older than 3.11 or has no "
      "headers: install python3-dev")
  endif()
endif()

if(weft_python_found)
  file(GLOB python_sources CONFIGURE_DEPENDS "src/python/*.cpp")
  set(weft_python_folder "${PROJECT_BINARY_DIR}/python")
  add_library(weft_python MODULE ${python_sources})
  set_target_properties(weft_python PROPERTIES
    OUTPUT_NAME _weft PREFIX "" SUFFIX "${weft_python_suffix}"
    LIBRARY_OUTPUT_DIRECTORY "${weft_python_folder}/weft"
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_include_directories(weft_python SYSTEM PRIVATE "${weft_python_include}")
  target_link_libraries(weft_python PRIVATE weft_internal)
  # Nothing of the library's is anybody else's in the process.
  target_link_options(weft_python PRIVATE -Wl,--exclude-libs,ALL)

  file(GLOB python_package CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/python/weft"
    "python/weft/*.py" "python/weft/*.pyi" "python/weft/py.typed" "python/weft/docs_page")
  file(MAKE_DIRECTORY "${weft_python_folder}/weft")
  foreach(file IN LISTS python_package)
    file(CREATE_LINK "${PROJECT_SOURCE_DIR}/python/weft/${file}"
      "${weft_python_folder}/weft/${file}" SYMBOLIC)
  endforeach()
endif()
