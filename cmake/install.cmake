# `cmake --install`: the public headers, the static library, the command, and the two ways for
# another project to find them: a CMake package and a pkg-config file.

include(CMakePackageConfigHelpers)

install(DIRECTORY include/weft TYPE INCLUDE FILES_MATCHING PATTERN "*.hpp")
install(TARGETS weft_static EXPORT weft-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET weft_cli)
  install(TARGETS weft_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

# The package for Python, where Debian's python3 looks below /usr/local, and below /usr. The prefix
# is known when it is installed.
if(TARGET weft_python)
  file(GLOB python_files CONFIGURE_DEPENDS
    "python/weft/*.py" "python/weft/*.pyi" "python/weft/py.typed")
  list(JOIN python_files "\" \"" python_files)
  install(CODE "
    set(python_folder \"lib/python${weft_python_version}/dist-packages\")
    if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
      set(python_folder \"lib/python3/dist-packages\")
    endif()
    set(package_folder \"\${CMAKE_INSTALL_PREFIX}/\${python_folder}/weft\")
    file(INSTALL DESTINATION \"\${package_folder}\" TYPE FILE FILES
      \"${python_files}\")
    file(INSTALL DESTINATION \"\${package_folder}\" TYPE SHARED_LIBRARY
      FILES \"$<TARGET_FILE:weft_python>\")
    file(INSTALL DESTINATION \"\${package_folder}\" TYPE DIRECTORY
      FILES \"${PROJECT_SOURCE_DIR}/src/app/docs_page\")")
endif()

# What a static library's consumer links too.
set(weft_libraries liburing simdjson libsodium zlib libbrotlienc libbrotlidec libzstd lua5.4)
if(libdw_FOUND)
  list(APPEND weft_libraries libdw)
endif()
list(JOIN weft_libraries ", " weft_pc_requires)

install(FILES scripts/weft-gdb.py DESTINATION "${CMAKE_INSTALL_DATADIR}/weft")

set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/weft")
install(EXPORT weft-targets NAMESPACE weft:: DESTINATION "${package_folder}")
configure_package_config_file(cmake/weft-config.cmake.in
  "${PROJECT_BINARY_DIR}/weft-config.cmake" INSTALL_DESTINATION "${package_folder}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/weft-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/weft-config.cmake"
  "${PROJECT_BINARY_DIR}/weft-config-version.cmake" DESTINATION "${package_folder}")

# The paths in weft.pc are relative to the file, so that the tree may be moved as a whole and
# `cmake --install --prefix` may name another place than the configuration did.
file(RELATIVE_PATH weft_pc_prefix
  "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" weft_pc_prefix "${weft_pc_prefix}")
configure_file(cmake/weft.pc.in "${PROJECT_BINARY_DIR}/weft.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/weft.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
