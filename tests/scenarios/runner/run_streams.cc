// SPDX-License-Identifier: Apache-2.0
// Token streams in a scenario: writers and readers over the broker of the run.
#include <algorithm>
#include <utility>

#include "scenarios/runner/run.h"

namespace qiao::scenario {
namespace {

StreamEvent event_of(StreamEvent::Kind kind, std::string text) {
  StreamEvent event;
  event.kind = kind;
  event.text = std::move(text);
  return event;
}

}  // namespace

// Made at its first use after each opening: most scenarios have none.
Streams& Run::streams() {
  if (!streams_) {
    metrics_ = std::make_unique<Metrics>();
    streams_ = std::make_unique<Streams>(bus_.clock(), bus_.broker(), bus_.loop(), *metrics_);
  }
  return *streams_;
}

void Run::forget_streams() {
  streams_.reset();
  writers_.clear();
}

Status Run::begin(Words& words) {
  const std::string stream = words.word("a stream");
  QIAO_TRY(words.finish());
  const auto writer = streams().begin(stream);
  if (writer) writers_[stream].push_back(*writer);
  return judge(writer);
}

// The writer begun last, or the N-th of this process.
Result<Streams::WriterId> Run::writer_of(const std::string& stream, Words& words) {
  const auto& all = writers_[stream];
  std::uint64_t number = all.size();
  if (words.take_if("writer")) number = words.number("a number");
  QIAO_TRY(words.finish());
  if (number == 0 || number > all.size()) return unmet("that writer of " + stream + " never began");
  return all[number - 1];
}

Status Run::write(Words& words) {
  const std::string stream = words.word("a stream");
  const std::string text = words.text();
  QIAO_ASSIGN(const Streams::WriterId writer, writer_of(stream, words));
  return judge(streams().write(stream, writer, event_of(StreamEvent::Kind::kText, text)));
}

// The turn commits: its last words and the end become durable with it.
Status Run::finish_stream(Words& words) {
  const std::string stream = words.word("a stream");
  const std::string text = words.text();
  const bool unseen = words.take_if("unseen");
  QIAO_ASSIGN(const Streams::WriterId writer, writer_of(stream, words));
  std::vector<StreamEvent> last;
  if (!text.empty()) last.push_back(event_of(StreamEvent::Kind::kText, text));
  last.push_back(event_of(StreamEvent::Kind::kEnd, ""));
  Commit commit;
  if (auto chunk = streams().prepare_end(stream, writer, std::move(last)))
    commit.chunks.push_back(std::move(*chunk));
  const auto done =
      bus_.call<std::vector<Published>>([&](auto then) { bus_.broker().commit(commit, then); });
  if (done && !unseen) streams().show_end(stream, writer);
  return judge(done);
}

void Run::read_on(Follower& follower) {
  const auto state = follower.state;
  Streams::Reader reader;
  reader.on_event = [state](const StreamEvent& event) { state->take(event); };
  StreamPlace from = state->last;
  if (from.attempt != 0) ++from.offset;
  if (const auto attached = streams().attach(follower.stream, from, std::move(reader)); !attached)
    failed_ = attached.error();
}

void Run::Follower::State::take(const StreamEvent& event) {
  last = {event.attempt, event.offset};
  if (event.kind == StreamEvent::Kind::kReset) text.clear();
  if (event.kind == StreamEvent::Kind::kEnd) ended = true;
  text += event.text;
}

Status Run::follow(Words& words) {
  const std::string name = words.word("a name");
  const std::string stream = words.word("a stream");
  QIAO_TRY(words.finish());
  if (followers_.contains(name)) return unmet("there is a reader " + name);
  Follower& follower = followers_[name];
  follower.stream = stream;
  follower.state = std::make_shared<Follower::State>();
  read_on(follower);
  return judge(Status());
}

// A new connection that goes on after the last id it got; what the old one still hears is lost.
Status Run::resume(Words& words) {
  const std::string name = words.word("a reader");
  QIAO_TRY(words.finish());
  const auto found = followers_.find(name);
  if (found == followers_.end()) return unmet("there is no reader " + name);
  found->second.state = std::make_shared<Follower::State>(*found->second.state);
  read_on(found->second);
  return judge(Status());
}

Status Run::leave(Words& words) {
  const std::string name = words.word("a request");
  QIAO_TRY(words.finish());
  const auto found = request_ids_.find(name);
  if (found == request_ids_.end()) return unmet("there is no request " + name);
  bus_.broker().cancel_request(found->second);
  return judge(Status());
}

Status Run::expect_text(Words& words) {
  const std::string name = words.word("a reader");
  const std::string text = words.text();
  std::optional<std::uint64_t> attempt;
  if (words.take_if("attempt")) attempt = words.number("an attempt");
  const bool ended = words.take_if("ended");
  QIAO_TRY(words.finish());
  const auto found = followers_.find(name);
  if (found == followers_.end()) return unmet("there is no reader " + name);
  const Follower::State& state = *found->second.state;
  if (state.text != text) return unmet("it read " + in_quotes(state.text));
  if (attempt && *attempt != state.last.attempt)
    return unmet("it read attempt " + std::to_string(state.last.attempt));
  if (ended != state.ended) return unmet(state.ended ? "it has ended" : "it has not ended");
  return {};
}

}  // namespace qiao::scenario
