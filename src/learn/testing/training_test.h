// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "base/digest.h"
#include "base/testing/temp_folder.h"
#include "learn/commands/progress.h"

namespace qiao::learn::testing {

// What every training is given.
class TrainingTest : public ::testing::Test {
 protected:
  // Of a bundle's weights: the same of the same bits.
  std::string sum(const std::string& bundle) {
    return sha256_file_hex(folder_ / (bundle + "/model.safetensors")).value_or("none");
  }

  qiao::testing::TempFolder folder_;
  SystemDisk disk_;
  Progress progress_{Language::kEnglish, false};
  std::atomic<bool> stop_{false};
};

}  // namespace qiao::learn::testing
