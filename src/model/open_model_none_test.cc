// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "model/open_model.h"

namespace qiao {
namespace {

TEST(OpenModelWithoutLlama, SaysWhatIsMissing) {
  const SystemClock clock;
  Metrics metrics;
  ModelOptions options;
  options.path = "/model.gguf";
  for (const char* engine : {"worker", "in-process"}) {
    options.engine = engine;
    const auto model = open_model(options, clock, metrics);
    ASSERT_FALSE(model) << engine;
    EXPECT_EQ(model.error().code, Code::kUnsupported) << engine;
    EXPECT_NE(model.error().message.find("QIAO_WITH_LLAMA"), std::string::npos);
  }
}

}  // namespace
}  // namespace qiao
