// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/digest.h"
#include "model/catalogue/catalogue.h"
#include "model/open_model.h"

namespace qiao {

// The encoder of that name in the models' folder, in this process: for the programs that train.
inline Result<std::shared_ptr<Model>> open_encoder(const std::string& name, const Clock& clock,
                                                   Metrics& metrics) {
  ModelOptions options;
  options.name = name;
  options.engine = "in-process";
  options.encoder = true;
  options.path = default_models_directory() + "/" + name + "/model.gguf";
  return open_model(options, clock, metrics);
}

// Vectors by encoder and text, kept in a folder between runs.
class TrainingVectors {
 public:
  static constexpr std::size_t kBatch = 64;

  TrainingVectors(Model& encoder, std::string name, std::string folder)
      : encoder_(encoder), name_(std::move(name)), folder_(std::move(folder)) {}

  Result<Embeddings> of(const std::vector<std::string>& texts) {
    const auto size = static_cast<std::size_t>(encoder_.info().embedding_size);
    std::string whole = name_;
    for (const std::string& text : texts) whole += '\n' + text;
    const std::string path = folder_.empty() ? "" : folder_ + "/" + sha256_hex(whole);
    if (auto kept = load(path, texts.size(), size); !kept.empty()) return kept;
    Embeddings vectors;
    for (std::size_t begin = 0; begin < texts.size(); begin += kBatch) {
      const std::size_t end = std::min(texts.size(), begin + kBatch);
      const auto at = [&](std::size_t i) { return texts.begin() + static_cast<std::ptrdiff_t>(i); };
      QIAO_ASSIGN(Embeddings made, embed_and_wait(encoder_, {at(begin), at(end)}));
      std::move(made.begin(), made.end(), std::back_inserter(vectors));
    }
    save(path, vectors);
    return vectors;
  }

 private:
  static Embeddings load(const std::string& path, std::size_t count, std::size_t size) {
    std::ifstream file(path, std::ios::binary);
    Embeddings vectors;
    for (std::size_t i = 0; file && i < count; ++i) {
      std::vector<float> vector(size);
      file.read(reinterpret_cast<char*>(vector.data()),
                static_cast<std::streamsize>(size * sizeof(float)));
      vectors.push_back(std::move(vector));
    }
    return file && vectors.size() == count ? vectors : Embeddings();
  }
  static void save(const std::string& path, const Embeddings& vectors) {
    if (path.empty()) return;
    std::ofstream file(path, std::ios::binary);
    for (const auto& vector : vectors) {
      file.write(reinterpret_cast<const char*>(vector.data()),
                 static_cast<std::streamsize>(vector.size() * sizeof(float)));
    }
  }

  Model& encoder_;
  std::string name_;
  std::string folder_;
};

}  // namespace qiao
