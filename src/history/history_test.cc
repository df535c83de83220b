// SPDX-License-Identifier: Apache-2.0
#include "history/history.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/random.h"
#include "log/memory_log.h"

namespace qiao {
namespace {

// A log and a history of it in a directory of its own.
class HistoryTest : public testing::Test {
 protected:
  HistoryTest() : directory_(testing::TempDir() + "qiao-history-" + random_hex(6)) {
    std::filesystem::create_directories(directory_);
    path_ = directory_ + "/history.db";
  }
  ~HistoryTest() override {
    history_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::uint64_t append(const Record& record) {
    const auto offset = log_->append({encode(record)}, nullptr);
    EXPECT_TRUE(offset);
    return offset.value_or(0);
  }
  std::uint64_t say(const std::string& conversation, const std::string& text,
                    const std::string& id = {}, const std::string& subject = "shop.in") {
    Message message = text_message(subject, text, conversation);
    message.id = id.empty() ? "m" + std::to_string(log_->bounds().next) : id;
    message.time_ms = now_ms_ += 10;
    return append(record::Published{std::move(message)});
  }
  std::uint64_t happen(const std::string& conversation, const std::string& message_id,
                       const std::string& type, Json data) {
    return append(record::Event{now_ms_ += 10, conversation, message_id, type, std::move(data)});
  }

  void open() {
    auto history = History::open(path_, *log_);
    ASSERT_TRUE(history) << history.error().message;
    history_ = std::move(*history);
  }
  void catch_up() {
    const Status waited = history_->wait_for(log_->bounds().next, 60'000);
    ASSERT_TRUE(waited) << waited.error().message;
  }
  // What waiting says once the writer has met its fault, which may take a busy machine a while.
  static Status wait_for_failure(History& history, std::uint64_t offset) {
    Status waited;
    for (int tries = 0; tries < 100; ++tries) {
      waited = history.wait_for(offset, 200);
      if (waited || waited.error().code != Code::kDeadline) break;
    }
    return waited;
  }
  // More readers than connections: one may be told to come back.
  template <class T>
  static bool read_or_busy(const Result<T>& read) {
    return read || read.error().code == Code::kOverloaded;
  }
  std::vector<std::string> texts(const Result<std::vector<HistoryMessage>>& found) {
    EXPECT_TRUE(found) << found.error().message;
    std::vector<std::string> list;
    for (const HistoryMessage& entry : found.value()) list.push_back(entry.message.text());
    return list;
  }
  std::vector<std::string> search(const std::string& query) {
    return texts(history_->search(query, 100));
  }

  using Texts = std::vector<std::string>;
  std::string directory_;
  std::string path_;
  std::unique_ptr<MemoryLog> log_ = std::make_unique<MemoryLog>();
  std::int64_t now_ms_ = 1'000;
  std::unique_ptr<History> history_;
};

TEST_F(HistoryTest, ConversationsNewestFirst) {
  say("ann", "hello");
  say("ben", "你好");
  happen("ann", "m0", "conversation", Json{{"state", "open"}});
  say("ann", std::string(200, 'x'));
  happen("ann", "m0", "conversation", Json{{"state", "person"}});
  happen("ann", "m0", "tool.done", Json{{"state", "not this one"}});
  say("", "belongs to none");
  open();
  catch_up();
  const auto list = history_->conversations(10);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2U);
  const ConversationInfo& ann = list->at(0);
  EXPECT_EQ(ann.conversation, "ann");
  EXPECT_EQ(ann.messages, 2U);
  EXPECT_EQ(ann.first_ms, 1'010);
  EXPECT_EQ(ann.last_ms, 1'040);
  EXPECT_EQ(ann.last_text, std::string(120, 'x'));
  EXPECT_EQ(ann.state, "person");
  EXPECT_EQ(list->at(1).last_text, "你好");
  EXPECT_EQ(list->at(1).state, "");
  EXPECT_EQ(history_->conversations(1)->size(), 1U);
  const auto older = history_->conversations(10, 1'040);
  ASSERT_EQ(older->size(), 1U);
  EXPECT_EQ(older->front().conversation, "ben");
}

TEST_F(HistoryTest, TheLastTextIsCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 130; ++i) text += "好";
  say("ann", text);
  open();
  catch_up();
  EXPECT_EQ(history_->conversations(1)->front().last_text, text.substr(0, 120 * 3));
}

TEST_F(HistoryTest, MessagesAndEventsInLogOrderTheNewestOfThem) {
  for (int i = 0; i < 5; ++i) say("ann", "text " + std::to_string(i));
  const std::uint64_t decided = happen("ann", "m4", "decision", Json{{"route", "refund"}});
  happen("ann", "m4", "conversation", Json{{"state", "open"}});
  happen("ben", "other", "decision", Json{{"route", "help"}});
  open();
  catch_up();
  EXPECT_EQ(texts(history_->messages("ann", 100)),
            (Texts{"text 0", "text 1", "text 2", "text 3", "text 4"}));
  EXPECT_EQ(texts(history_->messages("ann", 2)), (Texts{"text 3", "text 4"}));
  EXPECT_EQ(texts(history_->messages("nobody", 2)), Texts{});
  EXPECT_EQ(texts(history_->messages("", 2)), Texts{});

  const auto events = history_->events("ann", 100);
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ(events->front().offset, decided);
  EXPECT_EQ(events->front().event.type, "decision");
  EXPECT_EQ(events->front().event.data["route"], "refund");
  EXPECT_EQ(events->front().event.time_ms, 1'060);
  EXPECT_EQ(history_->events_of_message("m4")->size(), 2U);
  EXPECT_EQ(history_->events_of_message("m1")->size(), 0U);
}

TEST_F(HistoryTest, AMessageByItsIdAsItWasPublished) {
  Message whole = text_message("a.b", "body", "c");
  whole.id = "unique";
  whole.headers["x"] = "1";
  whole.parts.push_back({Part::Kind::kImage, "image/png", std::string("\0\x01", 2)});
  whole.time_ms = 5;
  const std::uint64_t offset = append(record::Published{whole});
  open();
  catch_up();
  const auto found = history_->message("unique");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->message, whole);
  EXPECT_EQ(found->offset, offset);
  EXPECT_EQ(history_->message("nothing").error().code, Code::kNotFound);
}

TEST_F(HistoryTest, AnswersInAnInboxBelongToNoConversation) {
  say("ann", "question");
  say("ann", "answer", "reply", "_inbox.7.1");
  open();
  catch_up();
  EXPECT_EQ(history_->conversations(10)->front().messages, 1U);
  EXPECT_EQ(texts(history_->messages("ann", 10)), (Texts{"question"}));
  EXPECT_EQ(search("answer"), Texts{});
  EXPECT_EQ(history_->message("reply")->message.text(), "answer");
}

TEST_F(HistoryTest, SearchInBothLanguagesNewestFirst) {
  say("a", "Where is my refund for order ORD-2024-7?");
  say("a", "我的订单什么时候到");
  say("a", "申请退款，谢谢");
  say("a", "refunds are slow");
  say("a", "my Refund came");
  say("a", "iPhone坏了");
  open();
  catch_up();
  EXPECT_EQ(search("refund"),
            (Texts{"my Refund came", "Where is my refund for order ORD-2024-7?"}));
  EXPECT_EQ(search("order refund"), (Texts{"Where is my refund for order ORD-2024-7?"}));
  EXPECT_EQ(search("\"my refund\"").size(), 2U);
  EXPECT_EQ(search("\"refund my\""), Texts{});
  EXPECT_EQ(search("ord-2024-7").size(), 1U);
  EXPECT_EQ(search("2024-8"), Texts{});
  EXPECT_EQ(search("退款"), (Texts{"申请退款，谢谢"}));
  EXPECT_EQ(search("订单"), (Texts{"我的订单什么时候到"}));
  EXPECT_EQ(search("单订"), Texts{});
  EXPECT_EQ(search("退"), (Texts{"申请退款，谢谢"}));
  EXPECT_EQ(search("款"), (Texts{"申请退款，谢谢"}));
  EXPECT_EQ(search("退款 谢谢").size(), 1U);
  EXPECT_EQ(search("退款，谢谢！").size(), 1U);
  EXPECT_EQ(search("iphone坏"), (Texts{"iPhone坏了"}));
  EXPECT_EQ(search("坏了"), (Texts{"iPhone坏了"}));
  EXPECT_EQ(texts(history_->search("refund", 1)), (Texts{"my Refund came"}));
}

TEST_F(HistoryTest, HostileSearchesFindNothingAndBreakNothing) {
  say("a", "plain text");
  open();
  catch_up();
  for (const char* query : {"\"",
                            "\"\"\"",
                            "*",
                            "a*",
                            "^a",
                            "AND",
                            "OR NOT",
                            "NEAR(",
                            "column:",
                            "{a b}:c",
                            "-x",
                            "+",
                            "'; DROP TABLE messages; --",
                            "\\",
                            "%",
                            "()",
                            "((((((((",
                            "・",
                            "々",
                            "\xff\xfe",
                            "😀",
                            "\xcc\x81",
                            "a:b:c",
                            "x y z OR (",
                            "؟",
                            "\x01\x02"}) {
    EXPECT_EQ(search(query), Texts{}) << query;
  }
  EXPECT_EQ(search("plain AND"), Texts{});  // a word like any other
  EXPECT_EQ(search("plain \"").size(), 1U);
  EXPECT_EQ(history_->search(std::string(1'025, 'a'), 1).error().code, Code::kInvalidArgument);
  constexpr std::string_view kAlphabet = "\"*^:()-+{} aORNET\xe9\x80\x80";
  Rng rng(11);
  for (int i = 0; i < 300; ++i) {
    std::string query(rng.below(60), ' ');
    for (char& c : query) c = kAlphabet[rng.below(kAlphabet.size())];
    EXPECT_TRUE(history_->search(query, 10)) << query;
  }
}

TEST_F(HistoryTest, GoesOnWhereItWas) {
  say("a", "first");
  open();
  catch_up();
  history_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
  say("a", "second");
  open();
  catch_up();
  EXPECT_EQ(texts(history_->messages("a", 10)), (Texts{"first", "second"}));
  EXPECT_EQ(history_->conversations(1)->front().messages, 2U);
}

TEST_F(HistoryTest, BuiltAnewWhenTheFileIsGone) {
  say("a", "first");
  open();
  catch_up();
  history_.reset();
  std::filesystem::remove(path_);
  open();
  catch_up();
  EXPECT_EQ(search("first"), (Texts{"first"}));
}

TEST_F(HistoryTest, BuiltAnewWhenTheFileIsDamaged) {
  for (int i = 0; i < 500; ++i) say("a", "message number " + std::to_string(i));
  const auto damages = std::vector<std::function<void()>>{
      [&] { std::ofstream(path_, std::ios::trunc) << "this is no database at all, by no means"; },
      [&] { std::filesystem::resize_file(path_, 0); },
      [&] { std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2); },
      [&] {
        std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(4096);
        file << std::string(40'000, '\xAA');
      },
  };
  for (std::size_t i = 0; i < damages.size(); ++i) {
    open();
    catch_up();
    history_.reset();
    damages[i]();
    open();
    catch_up();
    EXPECT_EQ(history_->conversations(1)->front().messages, 500U) << i;
    EXPECT_EQ(search("\"number 77\"").size(), 1U) << i;
    history_.reset();
  }
}

TEST_F(HistoryTest, DamageMetWhileRunningIsMendedToo) {
  for (int i = 0; i < 2'000; ++i) say("a", "message number " + std::to_string(i));
  open();
  catch_up();
  // SQLite's own files are written over behind its back, header and all.
  for (const char* suffix : {"", "-wal"}) {
    const auto size = std::filesystem::file_size(path_ + suffix);
    std::fstream file(path_ + suffix, std::ios::in | std::ios::out | std::ios::binary);
    file << std::string(size, '\xAA');
  }
  bool noticed = false;
  const auto mended = [&] {
    const auto found = history_->messages("a", 10'000);
    noticed = noticed || !found;
    return found && found->size() == 2'000 && history_->search("\"number 1999\"", 5) &&
           history_->search("\"number 1999\"", 5)->size() == 1;
  };
  for (int i = 0; i < 1'000 && !mended(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(mended());
  EXPECT_TRUE(noticed);
}

TEST_F(HistoryTest, BuiltAnewWhenTheLogIsAnother) {
  say("a", "of the old log");
  say("a", "also old");
  open();
  catch_up();
  history_.reset();
  log_ = std::make_unique<MemoryLog>();  // shorter
  say("b", "new");
  open();
  catch_up();
  EXPECT_EQ(search("old"), Texts{});
  history_.reset();
  log_ = std::make_unique<MemoryLog>();  // longer, with another record at the same place
  say("c", "another");
  say("c", "yet another");
  open();
  catch_up();
  EXPECT_EQ(search("new"), Texts{});
  EXPECT_EQ(history_->conversations(9)->size(), 1U);
}

TEST_F(HistoryTest, BuiltAnewWhenTheLogNoLongerKeepsWhatItLacks) {
  say("a", "first");
  open();
  catch_up();
  history_.reset();
  say("a", "second");
  say("a", "third");
  ASSERT_TRUE(log_->trim(2));
  open();
  catch_up();
  EXPECT_EQ(texts(history_->messages("a", 10)), (Texts{"third"}));
}

TEST_F(HistoryTest, TrimmingBehindItIsHarmless) {
  say("a", "first");
  open();
  catch_up();
  say("a", "second");
  catch_up();
  ASSERT_TRUE(log_->trim(2));
  say("a", "third");
  catch_up();
  history_.reset();
  open();
  catch_up();
  EXPECT_EQ(texts(history_->messages("a", 10)), (Texts{"first", "second", "third"}));
}

TEST_F(HistoryTest, RecordsThatCannotBeReadAreSteppedOver) {
  say("a", "before");
  ASSERT_TRUE(log_->append({LogRecord{0, "no message"}, LogRecord{200, ""}}, nullptr));
  append(record::Acked{1, "group", 0});
  say("a", "after");
  open();
  catch_up();
  EXPECT_EQ(texts(history_->messages("a", 10)), (Texts{"before", "after"}));
}

// The log says what is durable: what may still be lost must not be told.
class HoldingLog final : public Log {
 public:
  explicit HoldingLog(MemoryLog& log) : log_(log) {}
  Result<std::uint64_t> append(std::vector<LogRecord> batch, AppendDone done) override {
    return log_.append(std::move(batch), std::move(done));
  }
  Result<std::vector<LogEntry>> read(std::uint64_t from, std::size_t count,
                                     std::size_t bytes) override {
    if (broken) return Error{Code::kCorrupt, "segment 7 is damaged"};
    return log_.read(from, count, bytes);
  }
  Status trim(std::uint64_t floor) override { return log_.trim(floor); }
  Status save_snapshot(const Snapshot& snapshot) override { return log_.save_snapshot(snapshot); }
  Result<std::optional<Snapshot>> load_snapshot() override { return log_.load_snapshot(); }
  [[nodiscard]] LogBounds bounds() const override {
    LogBounds bounds = log_.bounds();
    bounds.durable = std::min<std::uint64_t>(bounds.next, durable);
    return bounds;
  }
  [[nodiscard]] Durability durability() const override { return log_.durability(); }
  Status close() override { return log_.close(); }

  std::atomic<std::uint64_t> durable{0};
  std::atomic<bool> broken{false};

 private:
  MemoryLog& log_;
};

TEST_F(HistoryTest, TellsOnlyWhatIsDurable) {
  HoldingLog holding(*log_);
  say("a", "first");
  say("a", "second");
  holding.durable = 1;
  auto history = History::open(path_, holding);
  ASSERT_TRUE(history);
  EXPECT_TRUE((*history)->wait_for(1, 60'000));
  EXPECT_EQ((*history)->wait_for(2, 30).error().code, Code::kDeadline);
  EXPECT_EQ(texts((*history)->messages("a", 10)), (Texts{"first"}));
  holding.durable = 2;
  EXPECT_TRUE((*history)->wait_for(2, 60'000));
  EXPECT_EQ(texts((*history)->messages("a", 10)), (Texts{"first", "second"}));
}

TEST_F(HistoryTest, ALogThatCannotBeReadIsSaidAndTriedAgain) {
  HoldingLog holding(*log_);
  holding.durable = 100;
  holding.broken = true;
  say("a", "first");
  auto history = History::open(path_, holding);
  ASSERT_TRUE(history);
  const Status waited = wait_for_failure(**history, 1);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Code::kUnavailable);
  EXPECT_NE(waited.error().message.find("segment 7"), std::string::npos);
  holding.broken = false;
  EXPECT_TRUE((*history)->wait_for(1, 60'000));
}

// A file size limit is what a full disk looks like to SQLite: writes that fail.
TEST_F(HistoryTest, AFullDiskIsSurvived) {
  open();
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{64 << 10, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 300; ++i) say("a", std::string(1'000, 'x') + std::to_string(i));
  const Status waited = wait_for_failure(*history_, 300);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Code::kUnavailable);
  EXPECT_TRUE(history_->conversations(10));
  catch_up();
  EXPECT_EQ(history_->conversations(10)->front().messages, 300U);
}

TEST_F(HistoryTest, ReadsWhileItWrites) {
  open();
  std::atomic<bool> done{false};
  std::atomic<int> reads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 6; ++i) {  // more than there are connections
    readers.emplace_back([&] {
      while (!done) {
        // A batch is seen whole or not at all: the count and the rows agree in the end.
        EXPECT_TRUE(read_or_busy(history_->conversations(5)));
        EXPECT_TRUE(read_or_busy(history_->search("number", 5)));
        EXPECT_TRUE(read_or_busy(history_->messages("a", 5)));
        ++reads;
      }
    });
  }
  for (int i = 0; i < 5'000; ++i) {
    say("a", "number " + std::to_string(i));
    if (i % 100 == 0) history_->wake();
  }
  catch_up();
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(reads, 0);
  EXPECT_EQ(history_->conversations(1)->front().messages, 5'000U);
}

TEST_F(HistoryTest, APlaceItCannotWriteIsAnError) {
  path_ = directory_ + "/missing/history.db";
  const auto history = History::open(path_, *log_);
  ASSERT_FALSE(history);
  EXPECT_EQ(history.error().code, Code::kUnavailable);
  EXPECT_NE(history.error().message.find(path_), std::string::npos);
}

}  // namespace
}  // namespace qiao
