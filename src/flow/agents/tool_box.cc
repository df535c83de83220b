// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/tool_box.h"

#include <algorithm>
#include <utility>

#include "flow/turn/conversation.h"

namespace qiao {
namespace {

constexpr std::size_t kArgumentBytesMax = 1'024;

bool is_loopback(std::string_view url) {
  return url.starts_with("http://127.0.0.1") || url.starts_with("http://localhost") ||
         url.starts_with("http://[::1]");
}

FetchRequest request_of(const ToolConfig& tool, std::string url, const std::string& key,
                        const std::map<std::string, std::string>& arguments) {
  FetchRequest request;
  request.method = tool.method;
  request.no_proxy = is_loopback(url);
  request.url = std::move(url);
  request.headers = tool.headers;
  request.headers.emplace_back("idempotency-key", key);
  request.timeout_ms = tool.timeout_ms;
  request.connect_timeout_ms = tool.timeout_ms;
  request.body_bytes_max = ToolBox::kAnswerBytesMax;
  if (tool.method != "GET" && tool.method != "DELETE") {
    request.headers.emplace_back("content-type", "application/json");
    Json body = Json::object();
    for (const auto& [name, value] : arguments) body[name] = value;
    request.body = dump_json(body);
  }
  return request;
}

// The answer as JSON; a body that is not JSON becomes { "text": … }.
void read_answer(const Result<FetchResponse>& response, ToolOutcome& outcome) {
  if (!response) {
    outcome.error = response.error().message;
    return;
  }
  outcome.status = response->status;
  if (response->status >= 400) {
    outcome.error = "the tool answered with HTTP status " + std::to_string(response->status);
    return;
  }
  auto json = parse_json(response->body);
  outcome.result = json ? std::move(*json) : Json{{"text", response->body}};
}

}  // namespace

std::string percent_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  return out;
}

Result<std::string> fill_url(std::string_view url,
                             const std::map<std::string, std::string>& arguments) {
  std::string out;
  for (std::size_t i = 0; i < url.size(); ++i) {
    const std::size_t close = url[i] == '{' ? url.find('}', i) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += url[i];
      continue;
    }
    const auto argument = arguments.find(std::string(url.substr(i + 1, close - i - 1)));
    if (argument == arguments.end()) {
      return invalid_argument("the tool's URL needs {" +
                              std::string(url.substr(i + 1, close - i - 1)) + "}");
    }
    out += percent_encode(argument->second);
    i = close;
  }
  return out;
}

ToolBox::ToolBox(const FlowConfig& config, WorkPool& pool, bool start_helpers, ToolOutside outside)
    : config_(config),
      pool_(pool),
      clock_(outside.clock != nullptr ? *outside.clock : machine_clock_),
      fetch_(outside.fetch ? std::move(outside.fetch) : ToolFetch(fetch)),
      helpers_(start_helpers ? config.tools : std::vector<ToolConfig>{}, config.directory) {}

void ToolBox::call(const std::string& tool, std::map<std::string, std::string> arguments,
                   const std::string& key, OnOutcome done) {
  ToolOutcome refused;
  refused.tool = tool;
  refused.arguments = arguments;
  const ToolConfig* config = config_.tool(tool);
  if (config == nullptr) {
    refused.error = "there is no tool called " + cut_utf8(tool, 80);
    return done(std::move(refused));
  }
  const Status submitted =
      pool_.submit([this, config, arguments, key, done](const std::stop_token& stop) {
        done(call_now(*config, arguments, key, stop));
      });
  if (!submitted) {
    refused.error = submitted.error().message;
    done(std::move(refused));
  }
}

ToolOutcome ToolBox::call_now(const ToolConfig& tool, std::map<std::string, std::string> arguments,
                              const std::string& key, const std::stop_token& stop) {
  const std::int64_t begin_us = clock_.steady_us();
  ToolOutcome outcome;
  outcome.tool = tool.name;
  for (auto& [name, value] : arguments) value = cut_utf8(value, kArgumentBytesMax);
  outcome.arguments = arguments;

  std::map<std::string, std::string> fields = arguments;
  Status ready;
  if (!tool.start.empty()) {
    const auto port = helpers_.port(tool.name, tool.timeout_ms, stop);
    if (port) fields["port"] = std::to_string(*port);
    if (!port) ready = port.error();
  }
  auto url = fill_url(tool.url, fields);
  if (!ready) {
    outcome.error = ready.error().message;
  } else if (!url) {
    outcome.error = url.error().message;
  } else {
    read_answer(fetch_(request_of(tool, std::move(*url), key, arguments), stop), outcome);
  }
  outcome.ms = static_cast<double>(clock_.steady_us() - begin_us) / 1e3;
  return outcome;
}

Json ToolBox::openai_tools(const std::vector<std::string>& names, Language language) const {
  Json list = Json::array();
  for (const std::string& name : names) {
    const ToolConfig* tool = config_.tool(name);
    if (tool == nullptr) continue;
    Json properties = Json::object();
    for (const std::string& need : tool->needs) properties[need] = {{"type", "string"}};
    list.push_back(
        {{"type", "function"},
         {"function",
          {{"name", name},
           {"description", tool->describe.in(language)},
           {"parameters",
            {{"type", "object"}, {"properties", properties}, {"required", tool->needs}}}}}});
  }
  return list;
}

}  // namespace qiao
