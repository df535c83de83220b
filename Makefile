# SPDX-License-Identifier: Apache-2.0
# The two commands: `make run` starts the customer-service flow and a chat with it;
# `make test` builds and runs everything CI runs. The rest are their parts.

JOBS ?= $(shell nproc)
# The chat model `make run` uses; `make run CHAT_MODEL=smollm2-135m` is the small choice.
CHAT_MODEL ?= qwen2.5-coder-1.5b
PORT ?= 7411

.PHONY: run test build setup models bench crash-test soak fuzz worker-murder sanitize format clean

run: build
	tools/run --chat-model $(CHAT_MODEL) --port $(PORT)

test: setup
	cmake --preset ci
	cmake --build --preset ci -j $(JOBS)
	tools/pull_test_models build/bin/qiao
	ctest --preset ci -j $(JOBS)

build: setup
	cmake --preset release
	cmake --build --preset release --target programs -j $(JOBS)

setup:
	tools/setup

bench: build
	tools/bench

# The proofs that take long; each has a bounded default time, writes bench/results and, with
# ARGS=--json, prints JSON. tools/crash_test --help and so on tell what can be set.
crash-test: build
	tools/crash_test $(ARGS)

soak: build
	tools/soak $(ARGS)

fuzz:
	tools/fuzz $(ARGS)

worker-murder: build
	tools/worker_murder $(ARGS)

# The suite under sanitizers: what it leaves out, and why, is said by tools/sanitize --help.
sanitize:
	tools/sanitize $(ARGS)

format:
	git ls-files 'src/*.h' 'src/*.cc' 'tests/*.cc' 'fuzz/*.cc' 'fuzz/*.h' | xargs clang-format-14 -i

clean:
	rm -rf build
