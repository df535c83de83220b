// SPDX-License-Identifier: Apache-2.0
#include "learn/training/importance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "learn/data/examples.h"
#include "learn/training/task_loss.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kJudgedTexts = 8;
constexpr std::size_t kJudgedTokens = 2048;
constexpr std::int64_t kStretchTokens = 128;

// Σ w·∂L/∂w down each column; zeros where nothing was learnt.
torch::Tensor gate_of_columns(const torch::Tensor& weight) {
  if (!weight.grad().defined()) return torch::zeros({weight.size(1)}, weight.device());
  return (weight * weight.grad()).sum(0);
}

double gate_of(const torch::Tensor& tensor) {
  return tensor.defined() && tensor.grad().defined() ? (tensor * tensor.grad()).sum().item<double>()
                                                     : 0;
}

void add(std::vector<double>& sums, const torch::Tensor& gates) {
  const torch::Tensor sizes = gates.abs().cpu().to(torch::kDouble).contiguous();
  sums.resize(static_cast<std::size_t>(sizes.numel()), 0);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += sizes.data_ptr<double>()[i];
}

void set_length_to_one(std::vector<double>& values) {
  const double length =
      std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
  for (double& value : values) value /= std::max(length, 1e-30);
}

// Gathers the gates of the layers after each backward().
class Judge {
 public:
  explicit Judge(std::size_t layers) {
    importance_.heads.resize(layers);
    importance_.neurons.resize(layers);
    importance_.layers.resize(layers, 0);
  }

  // What attention and the feed-forward part write through; the columns of a head stand together.
  void add_layer(std::size_t layer, const torch::Tensor& attention, std::int64_t heads,
                 const torch::Tensor& down) {
    add(importance_.heads[layer], gate_of_columns(attention).view({heads, -1}).sum(1));
    add(importance_.neurons[layer], gate_of_columns(down));
  }
  // The gates of all that each of the two writes.
  void add_written(std::size_t layer, double attention, double fed) {
    importance_.layers[layer] += std::abs(attention) + std::abs(fed);
  }
  void add_norm(const torch::nn::LayerNorm& norm) {
    if (!norm->weight.grad().defined()) return;
    add(importance_.columns, norm->weight * norm->weight.grad() + norm->bias * norm->bias.grad());
  }

  Importance take() {
    for (auto& layer : importance_.heads) set_length_to_one(layer);
    for (auto& layer : importance_.neurons) set_length_to_one(layer);
    return std::move(importance_);
  }

 private:
  Importance importance_;
};

void judge_encoder(const Encoder& encoder, Judge& judge) {
  judge.add_norm(encoder->norm);
  for (std::size_t i = 0; i < encoder->layers.size(); ++i) {
    const EncoderLayer& layer = encoder->layers[i];
    const Projection& output = layer->attention->output;
    judge.add_layer(i, output->weight, encoder->shape().heads_of(i), layer->down->weight);
    judge.add_written(i, gate_of(output->weight) + gate_of(output->bias),
                      gate_of(layer->down->weight) + gate_of(layer->down->bias));
    judge.add_norm(layer->attention_norm);
    judge.add_norm(layer->output_norm);
  }
}

Error stopped() {
  return {Code::kCancelled, "stopped while it was judged what is important"};
}

}  // namespace

Result<Importance> importance_of(const Bundle& bundle, const Exam& exam,
                                 const std::atomic<bool>& stop) {
  TextModel model = bundle.model;
  Judge judge(model->encoder->layers.size());
  model->eval();
  const auto rows = std::min(exam.examples.size(), kJudgedRowsMax);
  const std::vector<Example> judged(exam.examples.begin(),
                                    exam.examples.begin() + static_cast<std::ptrdiff_t>(rows));
  bool any = false;
  for (const auto& chosen : plan_batches_in_order(judged, kJudgedTexts, kJudgedTokens)) {
    if (stop.load()) return stopped();
    const Batch batch = make_batch(judged, chosen, exam.task, bundle.tokenizer.pad());
    if (!has_target(exam.task, batch.targets)) continue;
    any = true;
    model->zero_grad();
    const torch::Tensor scores = model(batch.ids, batch.present, batch.segments);
    task_loss(bundle, scores, batch.targets, {}).backward();
    const torch::NoGradGuard no_grad;
    judge_encoder(model->encoder, judge);
  }
  if (!any) return invalid_argument("no row has a label of the model: what is important?");
  model->zero_grad();
  return judge.take();
}

Result<Importance> importance_of(const LanguageBundle& bundle, const std::vector<std::int64_t>& ids,
                                 const std::atomic<bool>& stop) {
  if (ids.size() < 2) return invalid_argument("the text has fewer than two tokens of the model's");
  Judge judge(static_cast<std::size_t>(bundle.shape.layers));
  bundle.model->eval();
  const auto weights = bundle.model->named_parameters();
  const auto length = std::min(
      static_cast<std::size_t>(std::min(bundle.shape.context, kStretchTokens)), ids.size() - 1);
  for (std::size_t i = 0; i < kJudgedStretchesMax && (i + 1) * length < ids.size(); ++i) {
    if (stop.load()) return stopped();
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(i * length);
    const torch::Tensor stretch =
        torch::tensor(std::vector<std::int64_t>(begin, begin + std::ptrdiff_t(length) + 1));
    const auto count = static_cast<std::int64_t>(length);
    bundle.model->zero_grad();
    const torch::Tensor scores = bundle.model->forward(stretch.narrow(0, 0, count).unsqueeze(0))[0];
    torch::nn::functional::cross_entropy(scores, stretch.narrow(0, 1, count).to(scores.device()))
        .backward();
    const torch::NoGradGuard no_grad;
    for (std::size_t layer = 0; layer < static_cast<std::size_t>(bundle.shape.layers); ++layer) {
      const std::string at = "blk." + std::to_string(layer) + ".";
      const torch::Tensor& output = weights[at + "attn_output.weight"];
      const torch::Tensor& down = weights[at + "ffn_down.weight"];
      judge.add_layer(layer, output, bundle.shape.kv_heads_of(layer), down);
      judge.add_written(layer, gate_of(output), gate_of(down));
    }
  }
  bundle.model->zero_grad();
  return judge.take();
}

std::vector<std::int64_t> most_important(const std::vector<double>& importance, std::size_t count) {
  std::vector<std::int64_t> order(importance.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return importance[static_cast<std::size_t>(a)] > importance[static_cast<std::size_t>(b)];
  });
  order.resize(std::min(count, order.size()));
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<std::vector<std::int64_t>> most_important_of_all(
    const std::vector<std::vector<double>>& layers, double kept, std::size_t least,
    std::size_t step) {
  std::vector<double> all;
  for (const auto& layer : layers) all.insert(all.end(), layer.begin(), layer.end());
  const auto count = static_cast<std::size_t>(std::ceil(kept * static_cast<double>(all.size())));
  const std::vector<std::int64_t> best = most_important(all, count);
  std::vector<std::vector<std::int64_t>> out;
  std::size_t begin = 0;
  for (const auto& layer : layers) {
    const auto inside =
        static_cast<std::size_t>(std::count_if(best.begin(), best.end(), [&](std::int64_t one) {
          return one >= static_cast<std::int64_t>(begin) &&
                 one < static_cast<std::int64_t>(begin + layer.size());
        }));
    const std::size_t stays = std::max(least, (inside + step - 1) / step * step);
    out.push_back(most_important(layer, stays));
    begin += layer.size();
  }
  return out;
}

}  // namespace qiao::learn
