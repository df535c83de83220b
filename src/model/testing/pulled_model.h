// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "model/catalogue/catalogue.h"
#include "model/open_model.h"

namespace qiao::testing {

// The file of a model that `qiao model pull` got; "" when it is not there.
inline std::string pulled_file(const std::string& name) {
  const std::string path = default_models_directory() + "/" + name + "/model.gguf";
  return std::filesystem::exists(path) ? path : "";
}

// A fixture whose tests run pulled models, or skip and say how to get them.
class PulledModelTest : public ::testing::Test {
 protected:
  // Options for the model `name` of the catalogue; a path of "" when the test is to be skipped.
  static ModelOptions options_for(const std::string& name, const std::string& engine) {
    ModelOptions options;
    options.name = name;
    options.engine = engine;
    options.path = pulled_file(name);
    options.encoder = find_model(name).value().kind == "encoder";
    return options;
  }
  std::shared_ptr<Model> open(const ModelOptions& options) {
    auto model = open_model(options, clock_, metrics_);
    EXPECT_TRUE(model) << model.error().message;
    return model ? *model : nullptr;
  }

  SystemClock clock_;
  Metrics metrics_;
};

}  // namespace qiao::testing

// Ends the test as skipped when `options` has no file.
#define QIAO_SKIP_WITHOUT_MODEL(options)                                                \
  if ((options).path.empty()) {                                                         \
    GTEST_SKIP() << "the model " << (options).name << " is not there: qiao model pull " \
                 << (options).name;                                                     \
  }
