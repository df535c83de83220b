// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "model/model.h"

namespace qiao {

inline constexpr int kSlotsMax = 64;
inline constexpr std::int32_t kContextTokensMin = 256;
inline constexpr std::int32_t kContextTokensMax = 1 << 20;

// Where one model runs and with what; a `models:` entry of the server's config.
struct ModelOptions {
  std::string name;      // how flows call it: "chat"
  std::string engine;    // "worker" (default), "in-process", "provider", "scripted"
  std::string path;      // GGUF file, for worker and in-process; script YAML for scripted
  std::string adapter;   // a LoRA's GGUF that the file runs with; "": none
  bool encoder = false;  // embed instead of generate
  std::string pooling;   // "cls" or "mean"; "": what the file says
  int threads = 0;       // 0: see docs/reference/models.md
  int slots = 8;         // conversations decoded side by side
  std::int32_t context_tokens = 8192;  // shared by the slots
  std::size_t requests_max = 256;
  std::size_t memory_bytes_max = 0;  // of the worker; 0: file size × 2 + 2 GiB
  int hang_s = 120;                  // a worker without a sign of life for so long is started again
  std::string url;                   // provider: base URL up to and with /v1
  std::string api_key_env;           // provider: name of the environment variable with the key
  std::string remote_name;           // provider: the model's name there
  std::string worker_program;        // the executable started with `worker`; "": this program
};

// Opens without waiting for a worker to load: info().ready tells. Errors: a path that is not
// there (not_found), a file that is not a whole GGUF (corrupt), an unknown engine.
Result<std::shared_ptr<Model>> open_model(const ModelOptions& options, const Clock& clock,
                                          Metrics& metrics);

// The models one server has, by the names flows use. Built at start, then only read.
using ModelSet = std::map<std::string, std::shared_ptr<Model>>;

// The body of the hidden verb `qiao worker`: serves one model on the socket that is descriptor
// `fd` until the peer closes. Restricts itself (seccomp, limits) before it opens the file.
int run_worker(int fd);

}  // namespace qiao
