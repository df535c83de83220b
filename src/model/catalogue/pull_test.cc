// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "base/digest.h"
#include "base/disk.h"
#include "base/testing/temp_folder.h"
#include "model/catalogue/catalogue.h"
#include "model/testing/fake_http.h"
#ifdef QIAO_TEST_GGUF
#include "model/testing/tiny_bert.h"
#include "model/testing/tiny_gguf.h"
#endif

namespace qiao {
namespace {

using namespace qiao::testing;

// A text or a number as GGUF has it.
std::string gguf_text(const std::string& text) {
  std::string length(8, '\0');
  length[0] = static_cast<char>(text.size());
  return length + text;
}

// A GGUF file that names its architecture and holds no tensor.
std::string gguf_of(const std::string& architecture) {
  using namespace std::string_literals;
  return "GGUF\3\0\0\0"s + std::string(8, '\0') + "\1\0\0\0\0\0\0\0"s +
         gguf_text("general.architecture") + "\x08\0\0\0"s + gguf_text(architecture) +
         std::string(200'000, 'm');
}

const std::string kModel = gguf_of("llama");

class Pull : public ::testing::Test {
 protected:
  // An entry with one file at `place`, whose hash is known.
  static CatalogueEntry entry_at(const std::string& place) {
    auto entry = describe_place(place, "tiny").value();
    entry.files[0] = {"model.gguf", kModel.size(), sha256_hex(kModel)};
    entry.bytes = kModel.size();
    entry.sha256 = entry.files[0].sha256;
    return entry;
  }
  Result<std::string> pull(const CatalogueEntry& entry, std::stop_token stop = {}) {
    return pull_model(entry, models(), {}, std::move(stop));
  }
  [[nodiscard]] std::string models() const { return folder_ / "models"; }
  [[nodiscard]] bool nothing_installed() const { return list_models(models())->empty(); }

  TempFolder folder_;
};

// The bytes that a request with `Range: bytes=N-` asks for.
HttpScript range_reply(const HttpAsked& asked, const std::string& file) {
  const auto range = asked.headers.find("range");
  if (range == asked.headers.end()) return http_reply(200, file, "ETag: \"1\"\r\n");
  const auto from = std::stoul(range->second.substr(6));
  const auto all = std::to_string(file.size());
  return http_reply(206, file.substr(from),
                    "ETag: \"1\"\r\nContent-Range: bytes " + std::to_string(from) + "-" +
                        std::to_string(file.size() - 1) + "/" + all + "\r\n");
}

TEST_F(Pull, AFileOfOnesOwnBecomesAModel) {
  const auto entry = describe_place(folder_.write("My Model.gguf", kModel), "").value();
  EXPECT_EQ(entry.name, "My-Model");
  const auto path = pull(entry);
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(*read_file(*path), kModel);
  const auto installed = list_models(models()).value();
  ASSERT_EQ(installed.size(), 1U);
  EXPECT_EQ(installed[0].name, "My-Model");
  EXPECT_EQ(installed[0].bytes, kModel.size());
  EXPECT_TRUE(verify_model(models(), "My-Model"));
  EXPECT_TRUE(remove_model(models(), "My-Model"));
  EXPECT_TRUE(nothing_installed());
  EXPECT_EQ(remove_model(models(), "My-Model").error().code, Code::kNotFound);
}

TEST_F(Pull, WhatIsThereIsNotFetchedAgain) {
  FakeHttp server([](const HttpAsked& asked, int) { return range_reply(asked, kModel); });
  const auto entry = entry_at(server.url() + "/model.gguf");
  ASSERT_TRUE(pull(entry));
  ASSERT_TRUE(pull(entry));
  EXPECT_EQ(server.asked().size(), 1U);
}

TEST_F(Pull, ABrokenConnectionIsTakenUpWhereItBroke) {
  FakeHttp server([](const HttpAsked& asked, int exchange) {
    auto reply = range_reply(asked, kModel);
    if (exchange == 0) reply.pieces[0].bytes.resize(100'000);
    return reply;
  });
  const auto path = pull(entry_at(server.url() + "/model.gguf"));
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(*read_file(*path), kModel);
  const auto asked = server.asked();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_GT(std::stoul(asked[1].headers.at("range").substr(6)), 90'000U);
}

TEST_F(Pull, ADamagedFileIsNeverInstalled) {
  auto damaged = kModel;
  damaged[1000] = 'x';
  FakeHttp server([&](const HttpAsked& asked, int) { return range_reply(asked, damaged); });
  const auto path = pull(entry_at(server.url() + "/model.gguf"));
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code, Code::kCorrupt);
  EXPECT_TRUE(nothing_installed());
}

TEST_F(Pull, TheNextSourceIsTriedAndAllReasonsAreTold) {
  FakeHttp good([](const HttpAsked& asked, int) { return range_reply(asked, kModel); });
  FakeHttp bad([](const HttpAsked&, int) { return http_reply(404, "gone"); });
  auto entry = entry_at(bad.url() + "/a.gguf");
  const auto alone = pull(entry);
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().code, Code::kNotFound);
  EXPECT_NE(alone.error().message.find("404"), std::string::npos);
  entry.sources.push_back(entry_at(good.url() + "/b.gguf").sources[0]);
  EXPECT_TRUE(pull(entry));
}

TEST_F(Pull, MoreBytesThanAnnouncedAreRefused) {
  FakeHttp server([](const HttpAsked& asked, int) { return range_reply(asked, kModel + "more"); });
  EXPECT_FALSE(pull(entry_at(server.url() + "/model.gguf")));
  EXPECT_TRUE(nothing_installed());
}

TEST_F(Pull, SomethingElseThanAModelIsRefused) {
  const auto page = describe_place(folder_.write("page.gguf", "<html>Log in</html>"), "").value();
  EXPECT_EQ(pull(page).error().code, Code::kCorrupt);
  EXPECT_TRUE(nothing_installed());
  EXPECT_EQ(describe_place(folder_ / "absent.gguf", "").error().code, Code::kNotFound);
  EXPECT_EQ(describe_place(folder_.path(), "").error().code, Code::kNotFound);
}

TEST_F(Pull, DamageOnTheDiskIsFound) {
  ASSERT_TRUE(pull(entry_at(folder_.write("tiny.gguf", kModel))));
  auto damaged = kModel;
  damaged.back() = 'x';
  folder_.write("models/tiny/model.gguf", damaged);
  EXPECT_EQ(verify_model(models(), "tiny").error().code, Code::kCorrupt);
  folder_.write("models/tiny/model.gguf", "short");
  EXPECT_TRUE(nothing_installed());  // its card names another size
}

TEST_F(Pull, WhatBearsTheNameAlreadyIsNotReplaced) {
  const std::string one = folder_.write("one/tiny.gguf", kModel);
  const std::string other = folder_.write("other/tiny.gguf", kModel + "more");
  ASSERT_TRUE(pull(describe_place(one, "").value()));
  ASSERT_TRUE(pull(describe_place(one, "").value()));  // whole already
  const auto taken = pull(describe_place(other, "").value());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kAlreadyExists);
  EXPECT_NE(taken.error().message.find(one), std::string::npos) << taken.error().message;
  EXPECT_EQ(*read_file(models() + "/tiny/model.gguf"), kModel);
  ASSERT_TRUE(pull(describe_place(other, "second").value()));

  FakeHttp server([](const HttpAsked& asked, int) { return range_reply(asked, kModel + "new"); });
  for (const char* path : {"/tiny.gguf", "/second.gguf"}) {
    const auto fetched = pull(describe_place(server.url() + path, "").value());
    EXPECT_EQ(fetched.error().code, Code::kAlreadyExists) << path;
  }
  EXPECT_EQ(pull(entry_at(server.url() + "/tiny.gguf")).value(), models() + "/tiny/model.gguf")
      << "what the catalogue means is there";
}

TEST_F(Pull, AFileThatWasWrittenAnewReplacesItsModel) {
  const std::string path = folder_.write("tiny.gguf", kModel);
  ASSERT_TRUE(pull(describe_place(path, "").value()));
  folder_.write("tiny.gguf", kModel + "more");
  ASSERT_TRUE(pull(describe_place(path, "").value()));
  EXPECT_EQ(*read_file(models() + "/tiny/model.gguf"), kModel + "more");
}

TEST_F(Pull, ABundleIsNotReplaced) {
  folder_.write("models/tiny/bundle.json", "{}");
  const std::string path = folder_.write("tiny.gguf", kModel);
  EXPECT_EQ(pull(describe_place(path, "").value()).error().code, Code::kAlreadyExists);
  EXPECT_EQ(*read_file(models() + "/tiny/bundle.json"), "{}");
}

TEST_F(Pull, AFolderTellsAllThatItLacks) {
  folder_.write("bert/pytorch_model.bin", "x");
  const auto bare = describe_place(folder_ / "bert", "");
  EXPECT_EQ(bare.error().code, Code::kNotFound);
  for (const char* name :
       {"model.safetensors or model.onnx", "vocab.txt", "config.json", "pytorch_model.bin"}) {
    EXPECT_NE(bare.error().message.find(name), std::string::npos) << bare.error().message;
  }
}

TEST_F(Pull, AFolderSaysWhatItsVectorsAreMadeOf) {
  folder_.write("bert/onnx/model.onnx", "x");
  folder_.write("bert/config.json", "{}");
  folder_.write("bert/vocab.txt", "x");
  const std::string path = (folder_ / "bert") + "/.";
  auto entry = describe_place(path, "").value();
  EXPECT_EQ(entry.name, "bert");
  EXPECT_EQ(entry.convert, "bert-onnx");
  EXPECT_EQ(entry.pooling, "mean");
  EXPECT_EQ(entry.hints.lowercase, -1);
  folder_.write("bert/1_Pooling/config.json", R"({"pooling_mode_cls_token": true})");
  folder_.write("bert/tokenizer_config.json", R"({"do_lower_case": false})");
  entry = describe_place(path, "").value();
  EXPECT_EQ(entry.pooling, "cls");
  EXPECT_EQ(entry.hints.lowercase, 0);
  folder_.write("bert/1_Pooling/config.json", R"({"pooling_mode_max_tokens": true})");
  EXPECT_EQ(describe_place(path, "").error().code, Code::kUnsupported);
  folder_.write("bert/1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
  EXPECT_TRUE(describe_place(path, ""));
  folder_.write("bert/modules.json", R"([{"type": "sentence_transformers.models.Dense"}])");
  EXPECT_EQ(describe_place(path, "").error().code, Code::kUnsupported);
}

#ifdef QIAO_TEST_GGUF
TEST_F(Pull, TheArchitectureSaysWhatAFileIs) {
  ASSERT_TRUE(pull(describe_place(folder_.write("a.gguf", gguf_of("nomic-bert")), "").value()));
  ASSERT_TRUE(pull(describe_place(folder_.write("b.gguf", kModel), "").value()));
  const auto installed = list_models(models()).value();
  ASSERT_EQ(installed.size(), 2U);
  EXPECT_EQ(installed[0].kind, "encoder");
  EXPECT_EQ(installed[1].kind, "generator");
}

TEST_F(Pull, ACutFileIsRefusedByItsPath) {
  const std::string path =
      folder_.write("cut.gguf", read_file(tiny_encoder(folder_)).value().substr(0, 2000));
  const auto cut = pull(describe_place(path, "").value());
  EXPECT_EQ(cut.error().code, Code::kCorrupt);
  EXPECT_NE(cut.error().message.find(path), std::string::npos) << cut.error().message;
  EXPECT_TRUE(nothing_installed());
}

// A BERT as Hugging Face keeps it.
class PullFolder : public Pull {
 protected:
  PullFolder() {
    folder_.write("bert/model.safetensors", tiny_safetensors(tiny_bert()));
    folder_.write("bert/tokenizer.json", tiny_tokenizer(true));
    set_config("bert");
  }
  void set_config(const std::string& type) const {
    folder_.write(
        "bert/config.json",
        dump_json({{"model_type", type}, {"num_attention_heads", 2}, {"layer_norm_eps", 1e-5}}));
  }
  Result<std::string> pull_folder(const std::string& name = "") {
    QIAO_ASSIGN(const CatalogueEntry entry, describe_place(folder_ / "bert", name));
    return pull(entry);
  }
  // What a pull that failed left of its files.
  [[nodiscard]] bool nothing_left() const {
    SystemDisk disk;
    return nothing_installed() && !disk.exists(models() + "/bert") &&
           !disk.exists(models() + "/.partial/bert/ready") &&
           !disk.exists(models() + "/.partial/bert/model.safetensors");
  }
};

TEST_F(PullFolder, BecomesTheEncoderThatAPackageOfItWouldBe) {
  const auto path = pull_folder("tiny");
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(*path, models() + "/tiny/model.gguf");
  EXPECT_EQ(*read_file(*path), *read_file(tiny_encoder(folder_)));
  const auto installed = list_models(models()).value();
  ASSERT_EQ(installed.size(), 1U);
  EXPECT_EQ(installed[0].kind, "encoder");
  EXPECT_TRUE(verify_model(models(), "tiny"));
  EXPECT_TRUE(remove_model(models(), "tiny"));
}

TEST_F(PullFolder, IsConvertedAnewWhenAnyFileChanged) {
  ASSERT_TRUE(pull_folder());
  SystemDisk disk;
  folder_.write("models/bert/seen", "");  // goes when the model is made anew
  ASSERT_TRUE(pull_folder());
  EXPECT_TRUE(disk.exists(models() + "/bert/seen"));
  folder_.write("bert/tokenizer.json", tiny_tokenizer(false));
  ASSERT_TRUE(pull_folder());
  EXPECT_FALSE(disk.exists(models() + "/bert/seen"));
}

TEST_F(PullFolder, ThatIsDamagedLeavesNothingAndIsNamed) {
  const std::string whole = tiny_safetensors(tiny_bert());
  for (const std::size_t bytes : {std::size_t{5}, std::size_t{300}, whole.size() - 1}) {
    const std::string file = folder_.write("bert/model.safetensors", whole.substr(0, bytes));
    const auto path = pull_folder();
    EXPECT_EQ(path.error().code, Code::kCorrupt) << bytes;
    EXPECT_NE(path.error().message.find(file), std::string::npos) << path.error().message;
    EXPECT_TRUE(nothing_left());
  }
}

TEST_F(PullFolder, OfAnotherArchitectureIsRefusedByName) {
  set_config("roberta");
  folder_.write("bert/tokenizer.json", R"({"model": {"type": "BPE"}})");
  const auto path = pull_folder();
  EXPECT_EQ(path.error().code, Code::kUnsupported);
  EXPECT_NE(path.error().message.find("\"roberta\""), std::string::npos) << path.error().message;
  EXPECT_TRUE(nothing_left());
}
#endif

TEST_F(Pull, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  FakeHttp server([](const HttpAsked& asked, int) { return range_reply(asked, kModel); });
  EXPECT_EQ(pull(entry_at(server.url() + "/model.gguf"), stop.get_token()).error().code,
            Code::kCancelled);
}

}  // namespace
}  // namespace qiao
