// SPDX-License-Identifier: Apache-2.0
#include "server/app.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>

#include "base/disk.h"
#include "base/logging.h"
#include "log/memory_log.h"
#include "log/repair.h"
#include "log/segment_log.h"
#include "model/catalogue/catalogue.h"
#include "server/api/api.h"
#include "server/api/guard.h"
#include "server/bundles.h"
#include "server/model_set.h"
#include "server/openai/openai_conversations.h"
#include "server/replays.h"
#include "server/server_files.h"

namespace qiao {
namespace {

constexpr std::size_t kReadersMax = 4'096;          // calls that wait for a disk
constexpr std::int64_t kModelsWaitUs = 60'000'000;  // a model that loads longer holds nobody up
constexpr std::int64_t kHttpGraceMs = 1'000;        // for answers that are ready but not yet sent

std::string url_of(const ListenAddress& address, std::uint16_t port) {
  std::string host = address.host;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "http://" + host + ":" + std::to_string(port);
}

Result<std::unique_ptr<Log>> open_log(Disk& disk, const ServerConfig& config) {
  if (config.log_backend == "memory") return std::unique_ptr<Log>(std::make_unique<MemoryLog>());
  SegmentLogOptions options;
  options.directory = config.data + "/log";
  options.sync = config.fsync;
  QIAO_TRY(check_no_repair_is_open(disk, options.directory));
  QIAO_TRY(disk.make_directories(options.directory));
  SegmentLogRecovery recovery;
  QIAO_ASSIGN(std::unique_ptr<SegmentLog> log, SegmentLog::open(disk, options, &recovery));
  if (recovery.torn_bytes > 0) {
    log_warn("log", "cut an unfinished write of " + std::to_string(recovery.torn_bytes) +
                        " bytes off the end of " + recovery.torn_file);
  }
  return std::unique_ptr<Log>(std::move(log));
}

}  // namespace

class App::Impl {
 public:
  explicit Impl(ServerConfig config)
      : config_(std::move(config)), started_us_(clock_.steady_us()), ids_(clock_, random_seed()) {}
  ~Impl() { stop(); }

  Status start() {
    QIAO_ASSIGN(const LogLevel level, parse_log_level(config_.log_level));
    set_log_level(level);
    QIAO_TRY(server::make_data_directory(config_.data));
    QIAO_ASSIGN(lock_, DirectoryLock::acquire(config_.data));
    QIAO_TRY(find_key());
    QIAO_TRY(open_broker());
    QIAO_TRY(open_models());
    QIAO_TRY(start_flows());
    return listen();
  }

  void stop();

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::string& key() const { return config_.key; }
  [[nodiscard]] bool key_is_new() const { return key_is_new_; }

 private:
  Status find_key() {
    if (!config_.key.empty()) return {};
    QIAO_ASSIGN(const server::ServerKey key, server::read_or_make_key(config_.data));
    config_.key = key.key;
    key_is_new_ = key.is_new;
    return {};
  }

  Status open_broker() {
    QIAO_ASSIGN(log_, open_log(disk_, config_));
    broker_loop_ = std::make_unique<LoopThread>("broker");
    flow_loop_ = std::make_unique<LoopThread>("flow");
    readers_ = std::make_unique<LoopThread>("readers", kReadersMax);
    QIAO_ASSIGN(history_, History::open(config_.data + "/history.db", *log_));
    BrokerOptions options;
    options.on_progress = [this] { history_->wake(); };
    options.needed_from = [this] { return history_->needed_from(); };
    QIAO_ASSIGN(broker_, Broker::open(*log_, *broker_loop_, clock_, ids_, metrics_, options));
    streams_ = std::make_unique<Streams>(clock_, *broker_, *broker_loop_, metrics_);
    broker_->when_abandoned([this](const std::string& message_id) {
      for (const auto& flow : flows_) flow->cancel(message_id);
    });
    metrics_.gauge("qiao_log_records", "Records in the log since its beginning",
                   [this] { return static_cast<double>(log_->bounds().next); });
    return {};
  }

  Status open_models() {
    QIAO_ASSIGN(server::OpenModels opened, server::open_models(config_, clock_, metrics_));
    models_ = std::move(opened.models);
    model_aliases_ = std::move(opened.aliases);
    const std::string& models = config_.models_directory;
    bundles_ = std::make_unique<server::Bundles>(
        server::Bundles::Options{models.empty() ? default_models_directory() : models,
                                 config_.bundle_engine},
        [this](std::string type, Json data) { audit(std::move(type), std::move(data)); }, clock_,
        metrics_);
    return {};
  }

  // An event that is about no message, in the log as all others.
  void audit(std::string type, Json data) {
    record::Event event;
    event.time_ms = clock_.wall_ms();
    event.type = std::move(type);
    event.data = std::move(data);
    Commit commit;
    commit.events.push_back(std::move(event));
    broker_->commit(std::move(commit), [](const auto& written) {
      if (!written) log_error("server", "an event was not kept: " + written.error().message);
    });
  }

  Status start_flows() {
    for (const std::string& directory : config_.flow_directories) {
      QIAO_ASSIGN(FlowConfig flow, load_flow(directory));
      if (server::find_flow(flows_, flow.name) != nullptr) {
        return Error{Code::kAlreadyExists,
                     directory + ": another flow is called '" + flow.name + "' too"};
      }
      FlowServices services{*broker_,    *streams_, history_.get(), models_,
                            *flow_loop_, clock_,    metrics_};
      QIAO_TRY(bundles_->need(flow));
      services.bundles = &bundles_->set();
      QIAO_ASSIGN(std::unique_ptr<FlowEngine> engine, FlowEngine::make(std::move(flow), services));
      flows_.push_back(std::move(engine));
      QIAO_TRY(start_and_wait(*flows_.back()));
    }
    return {};
  }

  static Status start_and_wait(FlowEngine& engine) {
    auto started = std::make_shared<std::promise<Status>>();
    std::future<Status> future = started->get_future();
    engine.start([started](Status status) { started->set_value(std::move(status)); });
    return future.get();
  }

  Status listen() {
    QIAO_ASSIGN(const ListenAddress address, parse_listen(config_.listen));
    const bool loopback = is_loopback(address.host);
    if (!loopback) {
      log_warn("server", config_.listen +
                             " can be reached from other machines, without TLS; put "
                             "a proxy with TLS in front");
    }
    services_.emplace(services());
    guard_ = std::make_unique<server::Guard>(
        server::Guard::Options{config_.key, loopback, config_.requests_per_second}, clock_);
    router_ = std::make_unique<server::Router>(
        [this](const HttpRequest& request, server::Access access) {
          return guard_->check(request, access);
        },
        metrics_);
    server::add_all_routes(*router_, *services_);
    HttpServerOptions options;
    options.address = address.host;
    options.port = address.port;
    options.body_bytes_max = config_.body_bytes_max;
    http_ = std::make_unique<HttpServer>(
        options,
        [this](HttpRequest request, std::shared_ptr<ResponseWriter> writer) {
          router_->dispatch(std::move(request), std::move(writer));
        },
        metrics_);
    QIAO_ASSIGN(const std::uint16_t port, http_->start());
    listening_ = true;
    url_ = url_of(address, port);
    log_info("server", "listening on " + url_);
    return server::write_server_file(config_.data, url_, config_.key);
  }

  server::ApiServices services() {
    return {
        *broker_,       *streams_,     *history_,      *log_,     models_,
        model_aliases_, flows_,        *broker_loop_,  *readers_, ids_,
        clock_,         metrics_,      conversations_, replays_,  [this] { return readiness(); },
        started_us_,    bundles_.get()};
  }

  server::Readiness readiness();
  void stop_flows();

  ServerConfig config_;
  SystemClock clock_;
  const std::int64_t started_us_;
  IdMaker ids_;
  Metrics metrics_;
  SystemDisk disk_;
  std::string url_;
  bool key_is_new_ = false;
  bool listening_ = false;
  std::atomic<bool> was_ready_{false};
  std::atomic<bool> stopping_{false};

  // In the order they are built; stop() goes backwards.
  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<History> history_;
  std::unique_ptr<LoopThread> broker_loop_;
  std::unique_ptr<LoopThread> flow_loop_;
  std::unique_ptr<LoopThread> readers_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Streams> streams_;
  ModelSet models_;
  std::map<std::string, std::string> model_aliases_;
  std::unique_ptr<server::Bundles> bundles_;
  server::Flows flows_;
  server::ConversationFinder conversations_;
  server::Replays replays_;
  std::optional<server::ApiServices> services_;
  std::unique_ptr<server::Guard> guard_;
  std::unique_ptr<server::Router> router_;
  std::unique_ptr<HttpServer> http_;
};

// Models load after the door is open; one that takes too long, or fell over later, is told but
// holds nobody up.
server::Readiness App::Impl::readiness() {
  server::Readiness out;
  if (stopping_) {
    out.waiting.emplace_back("the server is stopping");
    return out;
  }
  if (const std::optional<Error> failed = broker_->failure()) {
    out.waiting.push_back("the log: " + failed->message);
    return out;
  }
  for (const auto& [name, model] : models_) {
    const ModelInfo info = model->info();
    if (info.ready) continue;
    out.waiting.push_back("model " + name + (info.note.empty() ? "" : ": " + info.note));
  }
  if (bundles_) {
    for (std::string& what : bundles_->waiting()) out.waiting.push_back(std::move(what));
  }
  const bool waited = clock_.steady_us() - started_us_ > kModelsWaitUs;
  if (out.waiting.empty() || waited) was_ready_ = true;
  out.ready = was_ready_;
  return out;
}

void App::Impl::stop_flows() {
  std::vector<std::future<void>> stopped;
  for (const auto& flow : flows_) {
    auto done = std::make_shared<std::promise<void>>();
    stopped.push_back(done->get_future());
    flow->stop(config_.stop_grace_ms, [done] { done->set_value(); });
  }
  for (std::future<void>& flow : stopped) flow.wait();
}

void App::Impl::stop() {
  if (stopping_.exchange(true)) return;
  replays_.stop();
  stop_flows();
  if (http_) http_->stop(kHttpGraceMs);
  if (listening_) server::remove_server_file(config_.data);
  if (readers_) readers_->stop();
  if (bundles_) bundles_->stop();
  if (streams_) streams_->flush();
  if (broker_) broker_->stop();
  if (flow_loop_) flow_loop_->stop();
  if (broker_loop_) broker_loop_->stop();
  flows_.clear();
  bundles_.reset();
  models_.clear();
  history_.reset();
  streams_.reset();
  broker_.reset();
  if (log_) {
    if (const Status closed = log_->close(); !closed)
      log_error("log", "closing: " + closed.error().message);
  }
  lock_.reset();
}

App::App(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
App::~App() = default;

Result<std::unique_ptr<App>> App::start(ServerConfig config) {
  auto impl = std::make_unique<Impl>(std::move(config));
  QIAO_TRY(impl->start());
  return std::unique_ptr<App>(new App(std::move(impl)));
}

std::string App::url() const {
  return impl_->url();
}
const std::string& App::key() const {
  return impl_->key();
}
bool App::key_is_new() const {
  return impl_->key_is_new();
}
void App::stop() {
  impl_->stop();
}

}  // namespace qiao
