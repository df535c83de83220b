// SPDX-License-Identifier: Apache-2.0
#include "learn/files/base_model.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/testing/temp_folder.h"
#include "learn/files/gguf_file.h"
#include "model/bundle/safetensors_writer.h"
#include "model/convert/convert_safetensors.h"
#include "model/testing/tiny_bert.h"
#include "model/testing/tiny_gguf.h"

namespace qiao::learn {
namespace {

using testing::TempFolder;

Json tiny_config() {
  EncoderShape shape;
  shape.layers = 1;
  shape.width = 8;
  shape.inner = 16;
  shape.heads = 2;
  shape.positions = 12;
  shape.vocabulary = 7;
  shape.pooling = Pooling::kMean;
  return config_of_shape(shape);
}

void write_folder(const TempFolder& folder, const std::string& weights, const std::string& bytes) {
  folder.write("model/config.json", dump_json(tiny_config()));
  folder.write("model/tokenizer.json", qiao::testing::tiny_tokenizer(true));
  folder.write("model/" + weights, bytes);
}

void expect_tiny_weights(BaseModel& base, float tolerance) {
  EXPECT_EQ(base.shape.layers, 1);
  EXPECT_EQ(base.shape.heads, 2);
  EXPECT_EQ(base.shape.pooling, Pooling::kMean);
  EXPECT_EQ(base.tokenizer.pieces()[6], "##c");
  for (const qiao::testing::TinyTensor& tensor : qiao::testing::tiny_bert()) {
    const auto read = base.weights->read(tensor.name);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->shape, tensor.shape) << tensor.name;
    for (std::size_t i = 0; i < tensor.values.size(); ++i) {
      EXPECT_NEAR(read->values[i], tensor.values[i], tolerance) << tensor.name;
    }
  }
}

TEST(OpenBase, TakesThePoolingOfASentenceModel) {
  const TempFolder folder;
  write_folder(folder, "model.safetensors",
               qiao::testing::tiny_safetensors(qiao::testing::tiny_bert()));
  Json config = tiny_config();
  config.erase("qiao");
  folder.write("model/config.json", dump_json(config));
  EXPECT_EQ(open_base(folder / "model")->shape.pooling, Pooling::kCls);
  folder.write("model/1_Pooling/config.json", "{\"pooling_mode_mean_tokens\": true}");
  EXPECT_EQ(open_base(folder / "model")->shape.pooling, Pooling::kMean);
}

TEST(OpenBase, ReadsHuggingFaceFoldersOfBothKinds) {
  for (const bool onnx : {false, true}) {
    const TempFolder folder;
    const auto tensors = qiao::testing::tiny_bert();
    write_folder(
        folder, onnx ? "model.onnx" : "model.safetensors",
        onnx ? qiao::testing::tiny_onnx(tensors) : qiao::testing::tiny_safetensors(tensors));
    auto base = open_base(folder / "model");
    ASSERT_TRUE(base) << base.error().message;
    expect_tiny_weights(*base, 0);
  }
}

#ifdef QIAO_TEST_GGUF
// The GGUF that a pull leaves gives the weights back, matrices to binary16's precision.
TEST(OpenBase, ReadsThePulledGguf) {
  const TempFolder folder;
  auto base = open_base(qiao::testing::tiny_encoder(folder));
  ASSERT_TRUE(base) << base.error().message;
  expect_tiny_weights(*base, 0.01F);
}

TEST(GgufFile, ACutFileNamesWhatIsMissing) {
  const TempFolder folder;
  const std::string bytes = read_file(qiao::testing::tiny_encoder(folder)).value();
  const auto tail = GgufFile::open(folder.write("tail.gguf", bytes.substr(0, bytes.size() - 40)));
  ASSERT_TRUE(tail);
  const auto last = (*tail)->read("blk.0.layer_output_norm.bias");
  ASSERT_FALSE(last);
  EXPECT_NE(last.error().message.find("blk.0.layer_output_norm.bias"), std::string::npos);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{3}, std::size_t{20}, bytes.size() / 4}) {
    EXPECT_EQ(GgufFile::open(folder.write("head.gguf", bytes.substr(0, size))).error().code,
              Code::kCorrupt);
  }
}
#endif

TEST(OpenBase, TokenizerAndWeightsMustBelongTogether) {
  const TempFolder folder;
  write_folder(folder, "model.safetensors",
               qiao::testing::tiny_safetensors(qiao::testing::tiny_bert()));
  Json config = tiny_config();
  config["vocab_size"] = 8;
  folder.write("model/config.json", dump_json(config));
  EXPECT_EQ(open_base(folder / "model").error().code, Code::kCorrupt);
  EXPECT_EQ(open_base("no-such-model").error().code, Code::kNotFound);
}

// A disk that is full after some bytes.
class FullDisk final : public Disk {
 public:
  explicit FullDisk(std::uint64_t room) : room_(room) {}
  Result<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) override {
    QIAO_ASSIGN(auto file, disk_.open(path, mode));
    return std::unique_ptr<DiskFile>(std::make_unique<File>(std::move(file), room_));
  }
  Result<std::vector<std::string>> list(const std::string& at) override { return disk_.list(at); }
  Status make_directories(const std::string& at) override { return disk_.make_directories(at); }
  Status rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  Status remove(const std::string& path) override { return disk_.remove(path); }
  Status sync_directory(const std::string& path) override { return disk_.sync_directory(path); }
  bool exists(const std::string& path) override { return disk_.exists(path); }

 private:
  class File final : public DiskFile {
   public:
    File(std::unique_ptr<DiskFile> file, std::uint64_t& room)
        : file_(std::move(file)), room_(room) {}
    Status write_at(std::uint64_t offset, std::string_view bytes) override {
      if (bytes.size() > room_) return unavailable("no space left on device; free some space");
      room_ -= bytes.size();
      return file_->write_at(offset, bytes);
    }
    Result<std::string> read_at(std::uint64_t offset, std::size_t size) override {
      return file_->read_at(offset, size);
    }
    Status sync_data() override { return file_->sync_data(); }
    Result<std::uint64_t> size() override { return file_->size(); }
    Status truncate(std::uint64_t size) override { return file_->truncate(size); }
    Status preallocate(std::uint64_t size) override { return file_->preallocate(size); }

   private:
    std::unique_ptr<DiskFile> file_;
    std::uint64_t& room_;
  };
  SystemDisk disk_;
  std::uint64_t room_;
};

TEST(WriteSafetensors, ReadsBackAndLeavesNothingOnAFullDisk) {
  const TempFolder folder;
  const std::vector<float> a = {1, 2, 3, 4, 5, 6};
  const std::vector<float> b = {-1};
  const std::vector<model::NamedValues> rows = {{"a", {2, 3}, a.data()}, {"b", {1}, b.data()}};
  SystemDisk disk;
  const std::string path = folder / "weights.safetensors";
  ASSERT_TRUE(model::write_safetensors(disk, path, rows, {{"format", "pt"}}));
  const auto file = model::open_safetensors(path).value();
  EXPECT_EQ(file->read("a")->values, a);
  EXPECT_EQ(file->read("b")->shape, (std::vector<std::int64_t>{1}));

  constexpr std::uint64_t kValueBytes = 7 * sizeof(float);
  FullDisk full(std::filesystem::file_size(path) - kValueBytes + 10);  // the header and a bit
  const std::string other = folder / "other.safetensors";
  const Status written = model::write_safetensors(full, other, rows, {{"format", "pt"}});
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("tensor"), std::string::npos) << written.error().message;
  EXPECT_FALSE(disk.exists(other));
  EXPECT_FALSE(disk.exists(other + ".partial"));
}

}  // namespace
}  // namespace qiao::learn
