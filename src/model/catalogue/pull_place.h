// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/catalogue/catalogue.h"

namespace qiao::model {

// Where models lie on the disk:
//   <models>/<name>/model.gguf, card.json      whole and verified
//   <models>/.partial/<name>/                  a pull that is under way or was interrupted
struct ModelPlace {
  ModelPlace(const std::string& models_directory, const std::string& name);

  std::string final_directory;
  std::string gguf;  // in final_directory
  std::string card;
  std::string partial_directory;
  [[nodiscard]] std::string partial(const std::string& file) const;
};

// 1 to 64 of a-z A-Z 0-9 . _ -, beginning with a letter or digit: safe as a file name.
bool is_model_name(std::string_view name);
Status check_model_name(std::string_view name);

// Removes a file or a folder with all it holds; harmless when it is not there.
Status remove_tree(const std::string& path);
// Bytes of all files under `path` now; 0 when it is not there.
std::uint64_t tree_bytes(const std::string& path);

// Rises when convert_* writes another GGUF for the same files: installed ones are then made anew.
inline constexpr std::int64_t kConverterVersion = 1;

// What card.json says of an installed model.
struct ModelCard {
  std::string name;
  std::string kind;
  std::string licence;
  std::string source;       // client and packages it came from
  std::string fetched;      // SHA-256 of the weights as fetched; of a folder, of all its files'
  std::string gguf;         // SHA-256 of model.gguf
  std::uint64_t bytes = 0;  // of model.gguf
  std::string convert;
  std::int64_t converter = 0;  // kConverterVersion when it was converted
  std::string pooling;
};
Status write_card(const std::string& path, const ModelCard& card);
Result<ModelCard> read_card(const std::string& path);

}  // namespace qiao::model
