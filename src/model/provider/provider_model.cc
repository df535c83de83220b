// SPDX-License-Identifier: Apache-2.0
#include "model/provider/provider_model.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "base/logging.h"
#include "model/provider/provider_http.h"
#include "model/provider/provider_pool.h"
#include "model/provider/provider_sse.h"
#include "model/provider/provider_wire.h"

namespace qiao {
namespace model {
namespace {

constexpr std::int64_t kEmbedDeadlineMs = 60'000;
constexpr std::size_t kWholeAnswerBytesMax = 64 << 20;

double ms_between(std::int64_t from_us, std::int64_t to_us) {
  return static_cast<double>(to_us - from_us) / 1000.0;
}

// One streamed (or whole) answer being read.
class AnswerReader {
 public:
  AnswerReader(Model::OnText on_text, const Clock& clock)
      : builder_(std::move(on_text)), clock_(clock) {}

  bool* is_stream() { return &is_stream_; }

  Status take(std::string_view bytes) {
    if (is_stream_)
      return events_.feed(bytes, [this](std::string_view data) { return event(data); });
    if (whole_.size() + bytes.size() > kWholeAnswerBytesMax) {
      return Error{Code::kModelFailed, "the provider's answer is larger than 64 MiB"};
    }
    whole_.append(bytes);
    return {};
  }

  Result<Generated> finish() {
    if (is_stream_) {
      QIAO_TRY(events_.finish([this](std::string_view data) { return event(data); }));
    } else {
      QIAO_ASSIGN(const Json json, parse(whole_));
      QIAO_TRY(builder_.add_whole(json));
    }
    if (!builder_.finished()) return unavailable("the provider's answer broke off before its end");
    Generated generated = builder_.take();
    generated.first_token_ms = first_us_ == 0 ? 0 : ms_between(start_us_, first_us_);
    generated.total_ms = ms_between(start_us_, clock_.steady_us());
    return generated;
  }

 private:
  static Result<Json> parse(std::string_view text) {
    auto json = parse_json(text);
    if (json) return json;
    return Error{Code::kModelFailed, "the provider sent no JSON: " + json.error().message};
  }

  Status event(std::string_view data) {
    if (data == "[DONE]") return {};
    QIAO_ASSIGN(const Json chunk, parse(data));
    QIAO_TRY(builder_.add_chunk(chunk));
    if (first_us_ == 0 && !builder_.empty()) first_us_ = clock_.steady_us();
    return {};
  }

  AnswerBuilder builder_;
  const Clock& clock_;
  SseParser events_;
  std::string whole_;
  bool is_stream_ = true;
  std::int64_t start_us_ = clock_.steady_us();
  std::int64_t first_us_ = 0;
};

class ProviderModel final : public Model {
 public:
  ProviderModel(const ModelOptions& options, ProviderAddress address, std::size_t threads,
                const Clock& clock, Metrics& metrics)
      : clock_(clock),
        http_(std::move(address), clock, metrics),
        pool_(threads, std::max<std::size_t>(options.requests_max, 1), clock) {
    info_.name = options.name;
    info_.kind = options.encoder ? "encoder" : "generator";
    info_.where = "provider";
    info_.context_tokens = options.context_tokens;
    info_.slots = static_cast<std::int32_t>(threads);
    info_.ready = true;  // until an exchange shows otherwise
  }

  [[nodiscard]] ModelInfo info() const override {
    std::lock_guard lock(mutex_);
    return info_;
  }

  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override {
    Result<Json> body = chat_body(request, http_.address().remote_name);
    if (!body) {
      on_done(std::move(body.error()));
      return 0;
    }
    const std::int64_t deadline_us = clock_.steady_us() + request.deadline_ms * 1000;
    const auto job_done = std::make_shared<OnGenerated>(std::move(on_done));
    auto run = [this, body = std::move(*body), on_text = std::move(on_text), job_done,
                deadline_us](const std::stop_token& stop) {
      auto answer = answer_once(body, on_text, deadline_us, stop);
      note(answer ? nullptr : &answer.error());
      (*job_done)(std::move(answer));
    };
    return submit({request.priority, deadline_us, std::move(run),
                   [job_done](Error error) { (*job_done)(std::move(error)); }},
                  [&](Error error) { (*job_done)(std::move(error)); });
  }

  void cancel(RequestId request) override { pool_.cancel(request); }

  void embed(std::vector<std::string> texts, OnEmbedded on_done) override {
    const std::int64_t deadline_us = clock_.steady_us() + kEmbedDeadlineMs * 1000;
    const auto job_done = std::make_shared<OnEmbedded>(std::move(on_done));
    auto run = [this, texts = std::move(texts), job_done,
                deadline_us](const std::stop_token& stop) {
      auto embedded = embed_all(texts, deadline_us, stop);
      note(embedded ? nullptr : &embedded.error());
      (*job_done)(std::move(embedded));
    };
    constexpr std::uint8_t kEmbedPriority = 6;  // answers wait for it
    submit({kEmbedPriority, deadline_us, std::move(run),
            [job_done](Error error) { (*job_done)(std::move(error)); }},
           [&](Error error) { (*job_done)(std::move(error)); });
  }

  // An estimate: a token for each character that is not ASCII, one for four that are.
  Result<std::int32_t> count_tokens(std::string_view text) override {
    std::size_t ascii = 0;
    std::size_t wide = 0;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      ascii += byte < 0x80 ? 1 : 0;
      wide += byte >= 0xC0 ? 1 : 0;  // the first byte of a character
    }
    return static_cast<std::int32_t>(std::min<std::size_t>(wide + (ascii + 3) / 4, 1 << 30));
  }

 private:
  template <class Refused>
  RequestId submit(ProviderPool::Job job, const Refused& refused) {
    Result<std::uint64_t> id = pool_.submit(std::move(job));
    if (id) return *id;
    refused(std::move(id.error()));
    return 0;
  }

  Result<Generated> answer_once(const Json& body, const OnText& on_text, std::int64_t deadline_us,
                                const std::stop_token& stop) {
    AnswerReader reader(on_text, clock_);
    QIAO_TRY(http_.post(
        "/chat/completions", body, deadline_us, stop,
        [&](std::string_view bytes) { return reader.take(bytes); }, reader.is_stream()));
    return reader.finish();
  }

  Result<Embeddings> embed_all(const std::vector<std::string>& texts, std::int64_t deadline_us,
                               const std::stop_token& stop) {
    Embeddings all;
    for (std::size_t at = 0; at < texts.size(); at += kProviderTextsMax) {
      const std::size_t end = std::min(at + kProviderTextsMax, texts.size());
      const std::vector<std::string> some(texts.begin() + static_cast<std::ptrdiff_t>(at),
                                          texts.begin() + static_cast<std::ptrdiff_t>(end));
      std::string answer;
      QIAO_TRY(http_.post("/embeddings", embeddings_body(some, http_.address().remote_name),
                          deadline_us, stop, [&](std::string_view bytes) -> Status {
                            if (answer.size() + bytes.size() > kWholeAnswerBytesMax) {
                              return Error{Code::kModelFailed, "embeddings over 64 MiB"};
                            }
                            answer.append(bytes);
                            return {};
                          }));
      const Result<Json> json = parse_json(answer);
      if (!json) return Error{Code::kModelFailed, "the provider sent no JSON"};
      QIAO_ASSIGN(Embeddings part, parse_embeddings(*json, some.size()));
      std::move(part.begin(), part.end(), std::back_inserter(all));
    }
    if (!all.empty()) set_embedding_size(all.front().size());
    return all;
  }

  void set_embedding_size(std::size_t size) {
    std::lock_guard lock(mutex_);
    info_.embedding_size = static_cast<std::int32_t>(size);
  }

  // Keeps in info() whether the last exchange showed the model out of reach.
  void note(const Error* error) {
    const bool out_of_reach =
        error != nullptr &&
        (error->code == Code::kUnauthenticated || error->code == Code::kPermission ||
         error->code == Code::kNotFound || error->code == Code::kUnavailable);
    if (error != nullptr && !out_of_reach) return;
    std::lock_guard lock(mutex_);
    if (info_.ready && out_of_reach) log_warn("model", error->message);
    info_.ready = !out_of_reach;
    info_.note = out_of_reach ? error->message : "";
  }

  const Clock& clock_;
  mutable std::mutex mutex_;
  ModelInfo info_;
  ProviderHttp http_;
  ProviderPool pool_;  // last: its threads use the others
};

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

Result<ProviderAddress> address_of(const ModelOptions& options) {
  const std::string who = "model " + options.name + ": ";
  ProviderAddress address;
  address.name = options.name;
  address.url = options.url;
  while (address.url.ends_with('/')) address.url.pop_back();
  const bool plain = address.url.starts_with("http://");
  if (!plain && !address.url.starts_with("https://")) {
    return invalid_argument(who +
                            "url must be the provider's http or https address up to and "
                            "with /v1");
  }
  address.remote_name = options.remote_name.empty() ? options.name : options.remote_name;
  address.key_env = options.api_key_env;
  if (options.api_key_env.empty()) return address;
  const char* key = std::getenv(options.api_key_env.c_str());
  address.key = key == nullptr ? "" : key;
  if (address.key.empty()) {
    return Error{Code::kUnauthenticated, who + "the environment variable " + options.api_key_env +
                                             " with the provider's key is not set"};
  }
  if (!is_printable(address.key)) {
    return Error{Code::kUnauthenticated,
                 who + "the key in $" + options.api_key_env + " holds a space or line break"};
  }
  return address;
}

}  // namespace
}  // namespace model

Result<std::shared_ptr<Model>> open_provider(const ModelOptions& options, const Clock& clock,
                                             Metrics& metrics) {
  QIAO_ASSIGN(model::ProviderAddress address, model::address_of(options));
  const int threads = std::clamp(options.slots, 1, kProviderThreadsMax);
  return std::shared_ptr<Model>(std::make_shared<model::ProviderModel>(
      options, std::move(address), static_cast<std::size_t>(threads), clock, metrics));
}

}  // namespace qiao
