#include <iostream>
#include <weft/version.hpp>

int main() { std::cout << weft::version() << '\n'; }
