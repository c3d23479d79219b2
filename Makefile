# The front door. `make` lists what there is.

SHELL := /bin/bash
.DEFAULT_GOAL := help
# Prerequisites are made in the order they are named; the builds and tests are parallel themselves.
.NOTPARALLEL:

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
HOST ?= 127.0.0.1
PORT ?= 8080
FUZZ_SECONDS ?= 60
BENCH_ARGS ?=

PYTHON := /usr/bin/python3

# $(call ctest,PRESET,LABEL): runs the tests and leaves their results, output uncut, in a file.
# Where machines are shared (CI) an entry that fails runs once more. What the first run said stays in
# the output: an entry that needs a second one has a fault all the same.
ctest = ctest $(if $(CI),--repeat until-pass:2) --test-dir build/$(1) -L $(2) --output-on-failure --no-tests=error \
  --output-junit $(CURDIR)/build/$(1)/test-$(2).xml --test-output-size-passed 100000000 \
  --test-output-size-failed 100000000

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z][a-zA-Z0-9_-]*\|bench-NAME\):.*## /\1\t/p' $(MAKEFILE_LIST) | \
	  while IFS=$$'\t' read -r target text; do printf '  make %-15s %s\n' "$$target" "$$text"; done

.PHONY: deps
deps: ## Install the packages that building and testing need, where they are missing
	@scripts/install-deps.sh base

.PHONY: build
build: build-release ## Build build/release/weft and build/release/examples/

.PHONY: run
run: deps build ## Build, then serve the demonstration on HOST:PORT (127.0.0.1:8080)
	exec build/release/weft demo --host $(HOST) --port $(PORT)

.PHONY: test
test: deps-python build ## Build, then run the quick tests and the fast checks of the sources
	@$(call ctest,release,quick) --parallel $(JOBS)

.PHONY: test-slow
test-slow: test-asan test-tsan test-clang test-aarch64 test-valgrind test-release-slow ## Run all that `make test` leaves out, but for Debian 13

.PHONY: test-release-slow
test-release-slow: deps-slow build
	@WEFT_CLIENTS_REQUIRED=1 $(call ctest,release,slow)

.PHONY: test-asan test-tsan test-clang
test-asan: deps build-asan ## Run the quick tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(call ctest,asan,quick) --parallel $(JOBS)
test-tsan: deps build-tsan ## Run the quick tests under ThreadSanitizer
	@$(call ctest,tsan,quick) --parallel $(JOBS)
test-clang: deps-slow build-clang ## Run the quick tests as built by clang
	@$(call ctest,clang,quick) --parallel $(JOBS)

.PHONY: test-aarch64 test-valgrind
test-aarch64: deps-slow ## Build the unit tests for 64-bit Arm and run them under qemu-user
	@JOBS=$(JOBS) scripts/test-aarch64.sh
# A thread that waits in io_uring keeps valgrind's others from running. A death test dies twice, and
# a child that ends well has what its parent's threads had, which looks lost. The other tests left
# out ask about mappings, resident memory, signal stacks and dead stack memory, which are valgrind's.
test-valgrind: deps-slow build ## Run the quick tests of green threads under memcheck
	@scripts/without_io_uring.py valgrind -q --fair-sched=yes --error-exitcode=1 --leak-check=full \
	  --show-leak-kinds=definite --errors-for-leak-kinds=definite \
	  build/release/tests/weft_gvt_test --gtest_brief=1 \
	  --gtest_filter='-Slow*.*:*DeathTest*:ManyStacks.*:AlternateSignalStack.*:ParkedBacktrace.leaves*:*/ForkTest.child_that_ends_*:*/StormTest.over_several_workers_*'

.PHONY: test-debian13
test-debian13: deps-debian13 ## Run `make test` in a Debian 13 tree of its own (needs root)
	@scripts/debian13-root.sh make test

.PHONY: tidy
tidy: deps-tidy build ## Check formatting, layers, headers one by one, and run clang-tidy
	@status=0; \
	$(PYTHON) scripts/check_layers.py || status=1; \
	$(PYTHON) scripts/check_style.py || status=1; \
	scripts/format.sh --check || status=1; \
	$(PYTHON) scripts/check_headers.py --jobs $(JOBS) || status=1; \
	scripts/clang-tidy.sh build/release $(JOBS) || status=1; \
	exit $$status

.PHONY: reference
reference: deps-docs ## Write the reference of the public headers to build/reference/index.html
	@$(PYTHON) -B scripts/check_reference.py build/reference

.PHONY: format
format: deps-tidy ## Format the C++ sources in place
	@scripts/format.sh

# A script, bench/NAME.py, writes build/bench/NAME.json itself; a program prints it.
bench-NAME: ## Run one benchmark, with BENCH_ARGS; the results are in build/bench/NAME.json
	@echo "NAME is one of:" $(sort $(BENCHES)); exit 2
BENCHES = $(patsubst bench/%.py,%,$(filter-out bench/harness.py,$(wildcard bench/*.py))) \
  $(patsubst bench/micro/%.cpp,%,$(wildcard bench/micro/*.cpp))

bench-%: deps build
	@mkdir -p build/bench
	@if [ -f bench/$*.py ]; then exec $(PYTHON) bench/$*.py $(BENCH_ARGS); \
	else build/release/bench/$* $(BENCH_ARGS) > build/bench/$*.json.new && \
	  mv build/bench/$*.json.new build/bench/$*.json && cat build/bench/$*.json; fi

.PHONY: fuzz
fuzz: deps-slow build-fuzz ## Fuzz each target for FUZZ_SECONDS (60)
	@scripts/fuzz.sh build/fuzz $(FUZZ_SECONDS)

.PHONY: install
install: build ## Install below PREFIX (/usr/local)
	cmake --install build/release --prefix $(PREFIX)

.PHONY: wheel
wheel: deps build ## Build a wheel of the package for Python in build/wheel, for pip install
	@$(PYTHON) -B scripts/make_wheel.py build/release build/wheel

.PHONY: clean
clean: ## Remove build/, all but the Debian 13 tree
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name debian13 -exec rm -rf {} +; fi

.PHONY: deps-docs deps-slow deps-tidy deps-debian13 deps-python
deps-docs deps-slow deps-tidy deps-debian13 deps-python: deps-%:
	@scripts/install-deps.sh base $*

build/%/build.ninja: CMakePresets.json
	@cmake --preset $* --log-level=WARNING

.PRECIOUS: build/%/build.ninja
build-%: build/%/build.ninja
	@cmake --build build/$* --parallel $(JOBS)
