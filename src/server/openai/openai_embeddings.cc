// SPDX-License-Identifier: Apache-2.0
#include "server/openai/openai_embeddings.h"

#include <bit>

#include "base/base64.h"
#include "server/api/fields.h"

namespace qiao::server {
namespace {

constexpr std::size_t kInputsMax = 2'048;

struct EmbeddingRequest {
  std::string model;
  std::vector<std::string> inputs;
  bool base64 = false;
};

Status read_inputs(const Json* input, std::vector<std::string>& out) {
  const Error fault = invalid_argument("'input' is a text or a list of 1 to " +
                                       std::to_string(kInputsMax) + " texts");
  if (input == nullptr) return fault;
  const Json list = input->is_array() ? *input : Json::array({*input});
  if (list.empty() || list.size() > kInputsMax) return fault;
  for (const Json& item : list) {
    if (!item.is_string() || item.get_ref<const std::string&>().empty()) return fault;
    out.push_back(item.get<std::string>());
  }
  return {};
}

Result<EmbeddingRequest> read_request(const Json& body) {
  EmbeddingRequest request;
  Fields fields(body);
  request.model = fields.needed_text("model");
  const std::string format = fields.text("encoding_format").value_or("float");
  if (format != "float" && format != "base64") fields.fault("'encoding_format' is float or base64");
  request.base64 = format == "base64";
  const Json* input = fields.any("input");
  if (fields.any("dimensions") != nullptr)
    return Error{Code::kUnsupported, "'dimensions' is not supported"};
  fields.known({"user"});
  QIAO_TRY(fields.finish());
  QIAO_TRY(read_inputs(input, request.inputs));
  return request;
}

Json vector_json(const std::vector<float>& vector, bool base64) {
  if (!base64) return vector;
  static_assert(std::endian::native == std::endian::little, "floats are sent as they lie");
  return to_base64({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)});
}

Json embeddings_json(const EmbeddingRequest& request, const Embeddings& vectors,
                     std::int64_t tokens) {
  Json data = Json::array();
  for (const std::vector<float>& vector : vectors) {
    data.push_back({{"object", "embedding"},
                    {"index", data.size()},
                    {"embedding", vector_json(vector, request.base64)}});
  }
  return Json{{"object", "list"},
              {"data", std::move(data)},
              {"model", request.model},
              {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}};
}

// A model's own words for it are for whoever opens models, not for a client.
Error no_embeddings(const std::string& name, const std::string& encoders) {
  return Error{Code::kUnsupported,
               "model '" + name + "' has no embeddings; " +
                   (encoders.empty() ? "no model of this server has" : "these have: " + encoders)};
}

std::string encoders_of(const ApiServices& services) {
  std::string names;
  for (const auto& [name, model] : services.models) {
    if (model->info().kind == "encoder") names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

// On the readers' thread: counting asks the model and waits a moment.
void embed(Model& model, EmbeddingRequest request, const std::string& encoders,
           const Writer& writer) {
  std::int64_t tokens = 0;
  for (const std::string& input : request.inputs) {
    const Result<std::int32_t> counted = model.count_tokens(input);
    if (!counted) return send_error(*writer, counted.error());
    tokens += *counted;
  }
  std::vector<std::string> inputs = request.inputs;
  model.embed(std::move(inputs), [writer, request = std::move(request), encoders,
                                  tokens](const Result<Embeddings>& vectors) {
    if (!vectors && vectors.error().code == Code::kUnsupported)
      return send_error(*writer, no_embeddings(request.model, encoders));
    if (!vectors) return send_error(*writer, vectors.error());
    send_json(*writer, 200, embeddings_json(request, *vectors, tokens));
  });
}

}  // namespace

std::shared_ptr<Model> find_model(const ApiServices& services, const std::string& name) {
  const auto alias = services.model_aliases.find(name);
  const auto found =
      services.models.find(alias == services.model_aliases.end() ? name : alias->second);
  return found == services.models.end() ? nullptr : found->second;
}

void answer_embeddings(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Result<EmbeddingRequest> request = read_request(*body);
  if (!request) return send_error(*call.writer, request.error());
  const std::shared_ptr<Model> model = find_model(services, request->model);
  if (!model) {
    return send_error(*call.writer, not_found("there is no encoder '" + request->model +
                                              "'; GET /v1/models lists what is here"));
  }
  const Status posted = services.readers.post(
      [model, request = std::move(*request), encoders = encoders_of(services),
       writer = call.writer]() mutable { embed(*model, std::move(request), encoders, writer); });
  if (!posted) send_error(*call.writer, posted.error());
}

}  // namespace qiao::server
