// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/table_encoder.h"

#include <gtest/gtest.h>

#include "base/disk.h"
#include "base/json.h"
#include "base/testing/temp_folder.h"
#include "model/bundle/bundle_store.h"
#include "model/bundle/safetensors_writer.h"
#include "model/bundle/text_head.h"
#include "model/testing/tiny_bundle.h"

namespace qiao::model {
namespace {

class TableEncoderTest : public ::testing::Test {
 protected:
  // A tiny bundle whose encoder is its word table alone.
  void SetUp() override {
    qiao::testing::TinyBundle bundle;
    bundle.labels = {"pay", "send"};
    bundle.words = {{"money", "pay"}, {"parcel", "send"}};
    qiao::testing::write_tiny_bundle(folder_ / "table", bundle);
    const std::string path = folder_ / "table/config.json";
    Json config = parse_json(read_file(path).value()).value();
    config["model_type"] = "qiao-table";
    SystemDisk disk;
    ASSERT_TRUE(write_file_atomic(disk, path, dump_json(config)));
  }

  Result<std::string> import() {
    QIAO_ASSIGN(const std::string version,
                import_bundle(folder_ / "models", "t", folder_ / "table"));
    return version_folder(folder_ / "models", "t", version);
  }

  testing::TempFolder folder_;
  SystemClock clock_;
  Metrics metrics_;
};

TEST_F(TableEncoderTest, ABundleWithoutLayersIsServedAsAMean) {
  const auto at = import();
  ASSERT_TRUE(at) << at.error().message;
  const TextHead head = TextHead::read(*at, *at + "/head.safetensors").value();
  ModelOptions options;
  options.name = "t";
  options.pooling = head.pooling();
  const auto encoder = open_bundle_encoder(*at, options, clock_, metrics_);
  ASSERT_TRUE(encoder) << encoder.error().message;
  EXPECT_TRUE((*encoder)->info().ready);
  const std::string text = "parcel";
  const Encoded encoded = head.encode(text);
  (*encoder)->encode({encoded.ids}, [&](Result<Embeddings> made) {
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_FLOAT_EQ(made->front()[1], 4.0F / 3);  // of three tokens one says it
    EXPECT_EQ(head.answer(text, encoded, made->front())->labels.front().label, "send");
  });
  EXPECT_TRUE(promote_version(folder_ / "models", "t", at->substr(at->rfind('/') + 1), 1));
  EXPECT_TRUE(verify_bundle(folder_ / "models", "t"));
  folder_.write("models/t/versions/" + at->substr(at->rfind('/') + 1) + "/table.safetensors", "x");
  EXPECT_FALSE(verify_bundle(folder_ / "models", "t"));
}

TEST_F(TableEncoderTest, StrangeTokensAreRefused) {
  ModelOptions options;
  options.name = "t";
  const auto encoder = open_bundle_encoder(import().value(), options, clock_, metrics_).value();
  for (const std::vector<std::int32_t>& strange :
       {std::vector<std::int32_t>{}, {-1}, {7}, std::vector<std::int32_t>(3000, 1)}) {
    encoder->encode({strange}, [](const Result<Embeddings>& made) {
      ASSERT_FALSE(made);
      EXPECT_EQ(made.error().code, Code::kInvalidArgument);
    });
  }
}

}  // namespace
}  // namespace qiao::model
