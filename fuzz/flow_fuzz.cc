// SPDX-License-Identifier: Apache-2.0
// Flow files: one is taken whole or refused with places; what is taken is within its bounds.
#include <cstdint>
#include <cstdio>

#include "base/testing/temp_folder.h"
#include "flow/config/flow_config.h"
#include "fuzz_input.h"

namespace {

// A folder that holds nothing but the flow: what it names beside itself is not there.
const std::string& folder() {
  static const qiao::testing::TempFolder kFolder;
  return kFolder.path();
}

void write(std::string_view text) {
  std::FILE* file = std::fopen((folder() + "/flow.yaml").c_str(), "wb");
  QIAO_CHECK(file != nullptr);
  QIAO_CHECK(std::fwrite(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  write(qiao::fuzz::text_of(data, size));
  const auto flow = qiao::load_flow(folder());
  if (!flow) {
    QIAO_CHECK(!flow.error().message.empty());
    return 0;
  }
  QIAO_CHECK(flow->agents.size() <= qiao::kFlowAgentsMax);
  QIAO_CHECK(flow->tools.size() <= qiao::kFlowToolsMax);
  QIAO_CHECK(qiao::parse_json(qiao::dump_json(qiao::to_json(*flow))).has_value());
  return 0;
}
