// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace qiao {

// Bundles (docs/learning.md) made ready to be served, under the names flows use:
//   <models>/<name>/bundle.json             which version is served, and which were before
//   <models>/<name>/versions/<version>/     model.gguf (of a table: table.safetensors),
//                                           head.safetensors, config.json, labels.json,
//                                           tokenizer.json, card.json, import.json
// A version is named by its content: the same bundle is the same version. Versions never change
// once they are there; what is served changes by one atomic write of bundle.json.
//
// Functions on files; thread-safe; several programs may use one folder: each sees the whole old or
// the whole new state. A bundle keeps kVersionsMax versions, the oldest promoted go first.
inline constexpr std::size_t kVersionsMax = 10;
inline constexpr std::size_t kVersionDigits = 12;

struct PromotedVersion {
  std::string version;
  std::int64_t at_ms = 0;  // when it was promoted
};

struct BundleState {
  std::string name;
  std::vector<PromotedVersion> promoted;  // the one that is served last

  [[nodiscard]] std::string current() const {
    return promoted.empty() ? "" : promoted.back().version;
  }
};

// Converts the bundle in `folder` into a version of `name` and gives the version's name; harmless
// when it is there. The encoder becomes a GGUF, everything is checked before it is put in place.
// Serves nothing by itself. Blocks for seconds. Errors name file and tensor.
Result<std::string> import_bundle(const std::string& models_directory, const std::string& name,
                                  const std::string& folder);

// Whether a flow can use a bundle of the kind in `folder`; `unsupported`, naming `name` and what it
// does, when none can (it tells a number, it judges pairs).
Status check_served(const std::string& name, const std::string& folder);
// The version of `name` that `what` means: one that is there, or the bundle in that folder, which
// is imported. As import_bundle() and check_served().
Result<std::string> find_or_import(const std::string& models_directory, const std::string& name,
                                   const std::string& what);

// not_found when there is no such bundle.
Result<BundleState> read_bundle_state(const std::string& models_directory, const std::string& name);
// Makes `version`, which must be there, the one that is served.
Status promote_version(const std::string& models_directory, const std::string& name,
                       const std::string& version, std::int64_t at_ms);
// Takes the version served now off and gives what was served before; `precondition` when there
// was none.
Result<std::string> roll_back_version(const std::string& models_directory, const std::string& name);
// Where a version lies; not_found when it does not.
Result<std::string> version_folder(const std::string& models_directory, const std::string& name,
                                   std::string_view version);

// Reads the GGUF of every version again and compares it with what was noted when it was made;
// `corrupt` when it differs.
Status verify_bundle(const std::string& models_directory, const std::string& name);

// What `qiao model ls` tells of one.
struct InstalledBundle {
  BundleState state;
  std::string task;
  Json labels;              // a list, or of several heads an object of lists
  std::uint64_t bytes = 0;  // of the version that is served
  Json card;
};
// Sorted by name; what is damaged is left out.
Result<std::vector<InstalledBundle>> list_bundles(const std::string& models_directory);

}  // namespace qiao
