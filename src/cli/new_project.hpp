// The files of a project that `weft new` writes: a small server with its test and configuration.
//
// Constants of the program; `@NAME@` in them stands for the name of the project.
#pragma once

#include <span>
#include <string_view>

namespace weft::cli {

struct ProjectFile {
  std::string_view path;  // beneath the project's folder
  std::string_view text;
};

std::span<const ProjectFile> project_files();

}  // namespace weft::cli
