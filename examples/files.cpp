// A folder and what is in it, for browsers, download managers and all who have asked before.
//
//     files [--root .] [--host 127.0.0.1] [--port 8080] [--workers 1] [--backend auto]
//
//     curl http://127.0.0.1:8080/files/README.md
//     curl -r 0-99 http://127.0.0.1:8080/files/README.md
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>
#include <weft/weft.hpp>

int main(int argc, char** argv) {
  std::string folder = ".";
  std::vector<char*> others;  // what the server itself understands
  for (int i = 0; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--root" && i + 1 < argc) {
      folder = argv[++i];
    } else {
      others.push_back(argv[i]);
    }
  }
  const auto root = weft::FileRoot::open(folder);
  if (!root) {
    std::fprintf(stderr, "%s: %s\n", folder.c_str(), root.error().message().c_str());
    return 1;
  }

  weft::App app;
  app.get("/files/*path", [&root](weft::Context& c) {
    // What is not there, or is not for others, has been answered 404 by then.
    if (!c.file(*root, c.param("path"))) c.text("there is no such file\n");
  });
  return app.run(weft::Options::from_arguments(static_cast<int>(others.size()), others.data()));
}
