#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <unistd.h>

#include <cstdint>
#include <ranges>

#include "gvt/debug_information.hpp"

namespace weft::gvt {

namespace {

// Files installed under the module's build id. The library's own search would go on to servers.
int find_installed(Dwfl_Module* module, void** user_data, const char* name, Dwarf_Addr base,
                   const char* file, const char* link, GElf_Word link_checksum, char** found) {
  return ::dwfl_build_id_find_debuginfo(module, user_data, name, base, file, link, link_checksum,
                                        found);
}

std::string function_name(Dwarf_Die& function) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    const char* linkage = ::dwarf_formstring(::dwarf_attr_integrate(&function, name, &attribute));
    if (linkage != nullptr) return demangle(linkage);
  }
  const char* plain = ::dwarf_diename(&function);
  return plain != nullptr ? plain : "";
}

bool is_inlined(Dwarf_Die& scope) { return ::dwarf_tag(&scope) == DW_TAG_inlined_subroutine; }
bool is_function(Dwarf_Die& scope) {
  return is_inlined(scope) || ::dwarf_tag(&scope) == DW_TAG_subprogram;
}
bool is_namespace(Dwarf_Die& scope) { return ::dwarf_tag(&scope) == DW_TAG_namespace; }

// Members of local classes, lambdas among them, may be described inside of another function, so
// that only a search of everything finds them.
enum class Search : std::uint8_t { at_the_top, everywhere };

// Adds the functions in `parent` around an address, outermost first. Not dwarf_getscopes(), which
// does not look into namespaces.
bool enter(Dwarf_Die& parent, Dwarf_Addr address, Search search,
           std::vector<Dwarf_Die>& functions) {
  Dwarf_Die child;
  if (::dwarf_child(&parent, &child) != 0) return false;
  do {
    if (::dwarf_haspc(&child, address) == 1) {
      if (is_function(child)) functions.push_back(child);
      const bool inner = enter(child, address, search, functions);
      if (inner || !functions.empty()) return true;
    } else if (is_namespace(child) || search == Search::everywhere) {
      if (enter(child, address, search, functions)) return true;
    }
  } while (::dwarf_siblingof(&child, &child) == 0);
  return false;
}

unsigned number_of(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word number = 0;
  ::dwarf_formudata(::dwarf_attr(&die, name, &attribute), &number);
  return static_cast<unsigned>(number);
}

class LibdwInformation final : public DebugInformation {
 public:
  LibdwInformation() : dwfl_(::dwfl_begin(&callbacks_)) { report_modules(); }
  ~LibdwInformation() override { ::dwfl_end(dwfl_); }

  std::vector<Symbol> look_up(const void* address) override {
    const auto wanted = reinterpret_cast<Dwarf_Addr>(address);
    Dwfl_Module* module = module_of(wanted);
    if (module == nullptr) return {};
    std::vector<Symbol> found = functions_at(module, wanted);
    complete(module, wanted, found);
    return found;
  }

  bool has(const void* address) override {
    Dwfl_Module* module = module_of(reinterpret_cast<Dwarf_Addr>(address));
    Dwarf_Addr bias = 0;
    return module != nullptr && ::dwfl_module_getdwarf(module, &bias) != nullptr;
  }

 private:
  void report_modules() {
    if (dwfl_ == nullptr) return;
    ::dwfl_report_begin(dwfl_);
    ::dwfl_linux_proc_report(dwfl_, ::getpid());
    ::dwfl_report_end(dwfl_, nullptr, nullptr);
  }

  Dwfl_Module* module_of(Dwarf_Addr address) {
    if (dwfl_ == nullptr) return nullptr;
    if (Dwfl_Module* module = ::dwfl_addrmodule(dwfl_, address)) return module;
    // What was loaded since is not in the list yet.
    report_modules();
    return ::dwfl_addrmodule(dwfl_, address);
  }

  // The unit of compilation. Some compilers write no index of addresses, and what an index then
  // gives is the last unit before that has one.
  static Dwarf_Die* unit_of(Dwfl_Module* module, Dwarf_Addr address, Dwarf_Addr* bias) {
    Dwarf_Die* unit = ::dwfl_module_addrdie(module, address, bias);
    if (unit != nullptr && ::dwarf_haspc(unit, address - *bias) == 1) return unit;
    unit = nullptr;
    while ((unit = ::dwfl_module_nextcu(module, unit, bias)) != nullptr)
      if (::dwarf_haspc(unit, address - *bias) == 1) return unit;
    return nullptr;
  }

  static void set_line(Symbol& symbol, Dwarf_Die* unit, Dwarf_Addr address) {
    Dwarf_Line* line = ::dwarf_getsrc_die(unit, address);
    int number = 0;
    if (line == nullptr || ::dwarf_lineno(line, &number) != 0 || number <= 0) return;
    const char* file = ::dwarf_linesrc(line, nullptr, nullptr);
    symbol.file = file != nullptr ? file : "";
    symbol.line = static_cast<unsigned>(number);
  }

  // Where an inlined function was called is a place in the function around it.
  static void set_call(Symbol& caller, Dwarf_Die* unit, Dwarf_Die& inlined) {
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    if (::dwarf_getsrcfiles(unit, &files, &count) != 0) return;
    const char* file =
        ::dwarf_filesrc(files, number_of(inlined, DW_AT_call_file), nullptr, nullptr);
    caller.file = file != nullptr ? file : "";
    caller.line = number_of(inlined, DW_AT_call_line);
  }

  // The functions around an address, innermost first, as far as debug information tells.
  static std::vector<Symbol> functions_at(Dwfl_Module* module, Dwarf_Addr address) {
    Dwarf_Addr bias = 0;
    Dwarf_Die* unit = unit_of(module, address, &bias);
    if (unit == nullptr) return {};
    std::vector<Dwarf_Die> functions;
    if (!enter(*unit, address - bias, Search::at_the_top, functions))
      enter(*unit, address - bias, Search::everywhere, functions);
    std::vector<Symbol> found;
    Dwarf_Die* called = nullptr;
    for (Dwarf_Die& function : std::views::reverse(functions)) {
      Symbol& symbol = found.emplace_back();
      symbol.function = function_name(function);
      symbol.inlined = is_inlined(function);
      if (called == nullptr) {
        set_line(symbol, unit, address - bias);
      } else {
        set_call(symbol, unit, *called);
      }
      called = &function;
    }
    return found;
  }

  // What the table of symbols tells: the name where there is no debug information, and the offset.
  static void complete(Dwfl_Module* module, Dwarf_Addr address, std::vector<Symbol>& found) {
    GElf_Off offset = 0;
    GElf_Sym entry;
    const char* name =
        ::dwfl_module_addrinfo(module, address, &offset, &entry, nullptr, nullptr, nullptr);
    if (found.empty() && name == nullptr) return;
    if (found.empty()) found.emplace_back().function = demangle(name);
    const char* file =
        ::dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    for (Symbol& symbol : found) {
      symbol.module = file != nullptr ? file : "";
      symbol.offset = name != nullptr ? offset : 0;
    }
  }

  static constexpr Dwfl_Callbacks callbacks_{.find_elf = &::dwfl_linux_proc_find_elf,
                                             .find_debuginfo = &find_installed,
                                             .section_address = nullptr,
                                             .debuginfo_path = nullptr};
  Dwfl* dwfl_;
};

}  // namespace

std::unique_ptr<DebugInformation> DebugInformation::of_this_process() {
  return std::make_unique<LibdwInformation>();
}

}  // namespace weft::gvt
