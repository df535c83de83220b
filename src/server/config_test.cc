// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/disk.h"
#include "base/testing/temp_folder.h"

namespace qiao {
namespace {

// A folder with a qiao.yaml, and an environment without our variables.
class Config : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const ConfigKey& key : config_keys()) ::unsetenv(std::string(key.variable).c_str());
  }
  void TearDown() override {
    for (const ConfigKey& key : config_keys()) ::unsetenv(std::string(key.variable).c_str());
  }

  std::string file(const std::string& text) { return folder_.write("qiao.yaml", text); }
  Result<ServerConfig> load(const std::string& text,
                            std::map<std::string, std::string> flags = {}) {
    return load_config({file(text), std::move(flags)});
  }
  std::string fault_of(const std::string& text) {
    const auto config = load(text);
    return config ? "no fault" : config.error().message;
  }

  testing::TempFolder folder_;
};

TEST_F(Config, LaterSourcesWinAndEachValueKnowsItsOrigin) {
  ::setenv("QIAO_LISTEN", "127.0.0.1:2", 1);
  ::setenv("QIAO_LOG_LEVEL", "warn", 1);
  const auto config =
      load("listen: 127.0.0.1:1\nfsync: no\nlog_level: debug\n", {{"log_level", "error"}});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->listen, "127.0.0.1:2");
  EXPECT_FALSE(config->fsync);
  EXPECT_EQ(config->log_level, "error");
  EXPECT_EQ(config->origin.at("listen"), "QIAO_LISTEN");
  EXPECT_EQ(config->origin.at("fsync"), folder_ / "qiao.yaml:2");
  EXPECT_EQ(config->origin.at("log_level"), "--log-level");
  EXPECT_EQ(config->origin.at("data"), "default");
}

TEST_F(Config, UnknownKeyNamesFileLineAndNearestKey) {
  const std::string fault = fault_of("data: x\nlisen: 127.0.0.1:1\n");
  EXPECT_NE(fault.find("qiao.yaml:2: "), std::string::npos) << fault;
  EXPECT_NE(fault.find("'lisen'"), std::string::npos) << fault;
  EXPECT_NE(fault.find("'listen'"), std::string::npos) << fault;
}

TEST_F(Config, UnknownFlagIsRefusedWithoutALine) {
  const auto config = load("", {{"lisen", "x"}});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::kInvalidArgument);
  EXPECT_EQ(config.error().message.find(":0:"), std::string::npos) << config.error().message;
  EXPECT_NE(config.error().message.find("--lisen: unknown key"), std::string::npos)
      << config.error().message;
}

TEST_F(Config, BadValuesSayWhatIsWanted) {
  EXPECT_NE(fault_of("listen: here").find("HOST:PORT"), std::string::npos);
  EXPECT_NE(fault_of("log: tape").find("segments or memory"), std::string::npos);
  EXPECT_NE(fault_of("fsync: perhaps").find("true or false"), std::string::npos);
  EXPECT_NE(fault_of("language: fr").find("en or zh"), std::string::npos);
  EXPECT_NE(fault_of("stop_grace: 1h").find("at most 10m"), std::string::npos);
  EXPECT_NE(fault_of("body_bytes_max: 3").find("must be from"), std::string::npos);
  EXPECT_NE(fault_of("requests_per_second: -1").find("negative"), std::string::npos);
  EXPECT_NE(fault_of("key: short").find("at least 8"), std::string::npos);
  EXPECT_NE(fault_of("log_level: loud").find("qiao.yaml:1"), std::string::npos);
}

TEST_F(Config, AllFaultsOfAFileAreToldAtOnce) {
  const std::string fault = fault_of("log: tape\nlanguage: fr\n");
  EXPECT_NE(fault.find("qiao.yaml:1"), std::string::npos) << fault;
  EXPECT_NE(fault.find("qiao.yaml:2"), std::string::npos) << fault;
}

TEST_F(Config, PathsOfAFileAreSeenFromItsFolder) {
  const auto config = load(
      "data: state\nflows: [ shop, /abs ]\nmodels:\n  chat: { engine: scripted, path: s.yaml }\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->data, folder_ / "state");
  EXPECT_EQ(config->flow_directories, (std::vector<std::string>{folder_ / "shop", "/abs"}));
  EXPECT_EQ(config->models.at("chat").path, folder_ / "s.yaml");
}

TEST_F(Config, FlowsInAVariableAreSeparatedByColons) {
  ::setenv("QIAO_FLOWS", "a:b/c::d", 1);
  const auto config = load("");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->flow_directories, (std::vector<std::string>{"a", "b/c", "d"}));
}

TEST_F(Config, ModelsAreCheckedKeyByKey) {
  const auto config = load(
      "models:\n  chat: { engine: provider, url: \"http://h/v1\", remote_name: m, api_key_env: K "
      "}\n"
      "  encoder-en: { path: /m.gguf, pooling: mean, threads: 2 }\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->models.at("chat").remote_name, "m");
  EXPECT_FALSE(config->models.at("chat").encoder);
  EXPECT_TRUE(config->models.at("encoder-en").encoder);
  EXPECT_EQ(config->models.at("encoder-en").engine, "worker");
  EXPECT_EQ(config->models.at("encoder-en").threads, 2);

  EXPECT_NE(fault_of("models:\n  chat: { engin: worker }\n").find("'engine'"), std::string::npos);
  EXPECT_NE(fault_of("models:\n  chat: { engine: worker }\n").find("'path'"), std::string::npos);
  EXPECT_NE(fault_of("models:\n  chat: { engine: provider }\n").find("'url'"), std::string::npos);
  EXPECT_NE(fault_of("models:\n  chat: { path: a, slots: 0 }\n").find("'slots' must be from 1"),
            std::string::npos);
  EXPECT_EQ(load("models:\n  chat: { path: /m.gguf, adapter: /a/../l.gguf }\n")
                ->models.at("chat")
                .adapter,
            "/l.gguf");
  EXPECT_NE(fault_of("models:\n  encoder-en: { path: a, adapter: b }\n").find("'adapter'"),
            std::string::npos);
  EXPECT_NE(fault_of("models: [ chat ]\n").find("must be a map"), std::string::npos);
}

TEST_F(Config, AMissingFileThatWasNamedIsAnError) {
  const auto config = load_config({folder_ / "none.yaml", {}});
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("none.yaml"), std::string::npos);
}

TEST_F(Config, TheKeyIsNeverPrinted) {
  const auto config = load("key: very-secret-key\n");
  ASSERT_TRUE(config);
  const std::string printed = dump_json(to_json(*config, true));
  EXPECT_EQ(printed.find("very-secret-key"), std::string::npos);
  EXPECT_NE(printed.find("qiao.yaml:1"), std::string::npos);
}

TEST_F(Config, EveryKeyIsPrintedAndDocumented) {
  const auto config = load("");
  ASSERT_TRUE(config);
  const Json printed = to_json(*config, true);
  const auto page = read_file(std::string(QIAO_SOURCE) + "/docs/reference/config.md");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(printed.size(), config_keys().size());
  for (const ConfigKey& key : config_keys()) {
    EXPECT_TRUE(printed.contains(std::string(key.name))) << key.name;
    EXPECT_NE(page->find("| `" + std::string(key.name) + "` |"), std::string::npos) << key.name;
    EXPECT_NE(page->find(key.variable), std::string::npos) << key.variable;
  }
}

TEST(Listen, HostAndPortAreTakenApart) {
  EXPECT_EQ(parse_listen("127.0.0.1:0")->port, 0);
  EXPECT_EQ(parse_listen("[::1]:80")->host, "::1");
  EXPECT_EQ(parse_listen("localhost:80")->host, "127.0.0.1");
  for (const char* bad : {"", "7411", ":7411", "h:", "h:x", "h:65536", "h:-1", "[]:1"})
    EXPECT_FALSE(parse_listen(bad)) << bad;
}

TEST(Listen, LoopbackIsByAddressNotByPrefix) {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "127.evil.example", "localhost.evil.example", "10.0.0.1", ""})
    EXPECT_FALSE(is_loopback(host)) << host;
}

}  // namespace
}  // namespace qiao
