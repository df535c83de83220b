// SPDX-License-Identifier: Apache-2.0
#include "learn/models/gpt2_pass.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>

#include <algorithm>
#include <utility>

#include "learn/models/blas_threads.h"
#include "learn/models/fused_rows.h"

namespace qiao::learn {
namespace {

// Tokens gone through at once: their activations stay near the core.
constexpr std::int64_t kRowsAtOnce = 384;

struct Sizes {
  std::int64_t layers, width, heads, vocabulary, tokens;
};

torch::Tensor matrix(float* at, std::int64_t rows, std::int64_t columns) {
  return torch::from_blob(at, {rows, columns}, torch::kFloat);
}
torch::Tensor half_matrix(float* at, std::int64_t rows, std::int64_t columns) {
  return torch::from_blob(at, {rows, columns}, torch::kBFloat16);
}

// What a product reads. With bfloat16 `half` has room for the same rounded, kept for the way back.
struct Operand {
  float* full;
  float* half;
};

// One thread's texts, some at a time.
class Share {
 public:
  // `halves`: the weights in bfloat16, in which products are then computed; empty: in binary32.
  Share(const Sizes& sizes, std::vector<float*> weights, const std::vector<torch::Tensor>& halves,
        std::vector<float*> gradients, std::int64_t texts_at_once, float share)
      : sizes_(sizes),
        weights_(std::move(weights)),
        halves_(halves),
        gradients_(std::move(gradients)),
        texts_(texts_at_once),
        share_(share) {}

  // Places the buffers behind `begin` (null: nowhere yet) and returns the floats they take.
  std::int64_t lay_out(float* begin) {
    const std::int64_t rows = texts_ * sizes_.tokens;
    const std::int64_t width = sizes_.width;
    std::int64_t used = 0;
    const auto take = [&](std::int64_t size) {
      constexpr std::int64_t kAlign = 16;
      const std::int64_t at = std::exchange(used, used + (size + kAlign - 1) / kAlign * kAlign);
      return begin == nullptr ? nullptr : begin + at;
    };
    const auto take_half = [&](std::int64_t size) {
      return halves_.empty() ? nullptr : take((size + 1) / 2);
    };
    const auto operand = [&](std::int64_t size) { return Operand{take(size), take_half(size)}; };
    kept_.clear();
    for (std::int64_t i = 0; i < sizes_.layers; ++i) {
      Kept kept{};
      kept.stream = take(rows * width);
      kept.attn_stats = take(2 * rows);
      kept.attn_normed = operand(rows * width);
      kept.qkv = take(rows * 3 * width);
      kept.attention = take(texts_ * sizes_.heads * attention_weights_size(sizes_.tokens));
      kept.mixed = operand(rows * width);
      kept.middle = take(rows * width);
      kept.ffn_stats = take(2 * rows);
      kept.ffn_normed = operand(rows * width);
      kept.up = take(rows * 4 * width);
      kept.fed = operand(rows * 4 * width);
      kept_.push_back(kept);
    }
    last_ = take(rows * width);
    last_stats_ = take(2 * rows);
    normed_ = operand(rows * width);
    scores_ = take(rows * sizes_.vocabulary);
    flow_ = take(rows * width);
    narrow_ = take(rows * width);
    wide_ = take(rows * 4 * width);
    scratch_ = take(attention_scratch_size(place()));
    half_ = take_half(rows * std::max(4 * width, sizes_.vocabulary));
    half_out_ = take_half(rows * std::max(4 * width, sizes_.vocabulary));
    return used;
  }

  double run(const std::int64_t* ids, const std::int64_t* targets, std::int64_t texts) {
    double loss = 0;
    for (std::int64_t done = 0; done < texts; done += texts_) {
      rows_ = std::min(texts_, texts - done) * sizes_.tokens;
      const std::int64_t at = done * sizes_.tokens;
      read(ids + at);
      for (std::size_t layer = 0; layer < kept_.size(); ++layer) forward(layer);
      loss += judge(targets + at);
      for (std::size_t layer = kept_.size(); layer > 0; --layer) backward(layer - 1);
      write_back(ids + at);
    }
    return loss;
  }

 private:
  // What a layer leaves for the way back.
  struct Kept {
    float *stream, *attn_stats, *qkv, *attention, *middle, *ffn_stats, *up;
    Operand attn_normed, mixed, ffn_normed, fed;
  };
  // A weight and its gradient.
  struct Slot {
    float* weight;
    float* gradient;
    std::size_t index;
  };

  [[nodiscard]] Slot slot(std::size_t layer, Gpt2Part part) const {
    return at(2 + layer * kGpt2LayerParts + static_cast<std::size_t>(part));
  }
  [[nodiscard]] Slot at(std::size_t index) const {
    return {weights_[index], gradients_[index], index};
  }
  [[nodiscard]] std::size_t last_norm() const { return 2 + kept_.size() * kGpt2LayerParts; }
  [[nodiscard]] HeadPlace place() const {
    return {sizes_.tokens, sizes_.width / sizes_.heads, 3 * sizes_.width, sizes_.width};
  }

  // out [rows, to] = x [rows, from]·Wᵀ.
  void multiply(const Operand& x, std::int64_t from, const Slot& weight, std::int64_t to,
                float* out) const {
    torch::Tensor result = matrix(out, rows_, to);
    const torch::Tensor full = matrix(x.full, rows_, from);
    if (halves_.empty()) {
      at::mm_out(result, full, matrix(weight.weight, to, from).t());
      return;
    }
    torch::Tensor half = half_matrix(x.half, rows_, from);
    half.copy_(full);
    torch::Tensor product = half_matrix(half_out_, rows_, to);
    at::mm_out(product, half, halves_[weight.index].t());
    result.copy_(product);
  }
  // The way back of multiply(): x_gradient = gradient·W, and gradientᵀ·x is added to W's.
  void multiply_back(float* gradient, std::int64_t to, const Operand& x, std::int64_t from,
                     const Slot& weight, float* x_gradient) const {
    const torch::Tensor given = matrix(gradient, rows_, to);
    torch::Tensor by_weight = matrix(weight.gradient, to, from);
    torch::Tensor by_x = matrix(x_gradient, rows_, from);
    if (halves_.empty()) {
      at::addmm_out(by_weight, by_weight, given.t(), matrix(x.full, rows_, from));
      at::mm_out(by_x, given, matrix(weight.weight, to, from));
      return;
    }
    torch::Tensor half = half_matrix(half_, rows_, to);
    half.copy_(given);
    by_weight.add_(at::mm(half.t(), half_matrix(x.half, rows_, from)));
    torch::Tensor product = half_matrix(half_out_, rows_, from);
    at::mm_out(product, half, halves_[weight.index]);
    by_x.copy_(product);
  }

  void read(const std::int64_t* ids) {
    const std::int64_t width = sizes_.width;
    float* to = kept_.empty() ? last_ : kept_[0].stream;
    for (std::int64_t row = 0; row < rows_; ++row, to += width) {
      const float* word = weights_[0] + ids[row] * width;
      const float* position = weights_[1] + row % sizes_.tokens * width;
      for (std::int64_t i = 0; i < width; ++i) to[i] = word[i] + position[i];
    }
  }

  void forward(std::size_t layer) {
    const Kept& kept = kept_[layer];
    const std::int64_t width = sizes_.width;
    const auto weight = [&](Gpt2Part part) { return slot(layer, part).weight; };
    norm_rows(kept.stream, {weight(Gpt2Part::kAttnNorm), weight(Gpt2Part::kAttnNormShift)}, rows_,
              width, kept.attn_normed.full, kept.attn_stats);
    multiply(kept.attn_normed, width, slot(layer, Gpt2Part::kQkv), 3 * width, kept.qkv);
    add_bias(kept.qkv, weight(Gpt2Part::kQkvBias), 3 * width);
    each_head([&](const HeadPlace& where, std::int64_t from, std::int64_t to, std::int64_t table) {
      const float* query = kept.qkv + from;
      attend(where, query, query + width, query + 2 * width, kept.attention + table,
             kept.mixed.full + to, scratch_);
    });
    multiply(kept.mixed, width, slot(layer, Gpt2Part::kOutput), width, narrow_);
    add_rows(kept.stream, narrow_, weight(Gpt2Part::kOutputBias), rows_, width, kept.middle);
    norm_rows(kept.middle, {weight(Gpt2Part::kFfnNorm), weight(Gpt2Part::kFfnNormShift)}, rows_,
              width, kept.ffn_normed.full, kept.ffn_stats);
    multiply(kept.ffn_normed, width, slot(layer, Gpt2Part::kUp), 4 * width, kept.up);
    bias_gelu_rows(kept.up, weight(Gpt2Part::kUpBias), rows_, 4 * width, kept.fed.full);
    multiply(kept.fed, 4 * width, slot(layer, Gpt2Part::kDown), width, narrow_);
    float* next = layer + 1 < kept_.size() ? kept_[layer + 1].stream : last_;
    add_rows(kept.middle, narrow_, weight(Gpt2Part::kDownBias), rows_, width, next);
  }

  // The last norm, scores and loss, and the gradient of what the last layer wrote.
  double judge(const std::int64_t* targets) {
    const std::int64_t width = sizes_.width;
    const Slot scale = at(last_norm());
    const Slot shift = at(last_norm() + 1);
    norm_rows(last_, {scale.weight, shift.weight}, rows_, width, normed_.full, last_stats_);
    multiply(normed_, width, at(0), sizes_.vocabulary, scores_);
    const double loss = cross_entropy_rows(scores_, targets, rows_, sizes_.vocabulary, share_);
    multiply_back(scores_, sizes_.vocabulary, normed_, width, at(0), narrow_);
    std::fill_n(flow_, rows_ * width, 0.0F);
    norm_rows_back(narrow_, last_, last_stats_, {scale.weight, shift.weight}, rows_, width, flow_,
                   {scale.gradient, shift.gradient});
    return loss;
  }

  // flow_ holds the gradient of what the layer wrote, then of what it read.
  void backward(std::size_t layer) {
    const Kept& kept = kept_[layer];
    const std::int64_t width = sizes_.width;
    const auto part = [&](Gpt2Part which) { return slot(layer, which); };
    sum_columns(flow_, rows_, width, part(Gpt2Part::kDownBias).gradient);
    multiply_back(flow_, width, kept.fed, 4 * width, part(Gpt2Part::kDown), wide_);
    gelu_rows_back(kept.up, rows_, 4 * width, wide_, part(Gpt2Part::kUpBias).gradient);
    multiply_back(wide_, 4 * width, kept.ffn_normed, width, part(Gpt2Part::kUp), narrow_);
    norm_back(kept.middle, kept.ffn_stats, part(Gpt2Part::kFfnNorm), part(Gpt2Part::kFfnNormShift));
    sum_columns(flow_, rows_, width, part(Gpt2Part::kOutputBias).gradient);
    multiply_back(flow_, width, kept.mixed, width, part(Gpt2Part::kOutput), narrow_);
    each_head([&](const HeadPlace& where, std::int64_t from, std::int64_t to, std::int64_t table) {
      const float* query = kept.qkv + from;
      float* back = wide_ + from;
      attend_back(where, query, query + width, query + 2 * width, kept.attention + table,
                  narrow_ + to, back, back + width, back + 2 * width, scratch_);
    });
    sum_columns(wide_, rows_, 3 * width, part(Gpt2Part::kQkvBias).gradient);
    multiply_back(wide_, 3 * width, kept.attn_normed, width, part(Gpt2Part::kQkv), narrow_);
    norm_back(kept.stream, kept.attn_stats, part(Gpt2Part::kAttnNorm),
              part(Gpt2Part::kAttnNormShift));
  }

  // narrow_, the gradient of a norm's output, goes on into flow_.
  void norm_back(const float* x, const float* stats, const Slot& scale, const Slot& shift) {
    norm_rows_back(narrow_, x, stats, {scale.weight, shift.weight}, rows_, sizes_.width, flow_,
                   {scale.gradient, shift.gradient});
  }

  void write_back(const std::int64_t* ids) {
    const std::int64_t width = sizes_.width;
    const float* from = flow_;
    for (std::int64_t row = 0; row < rows_; ++row, from += width) {
      float* word = gradients_[0] + ids[row] * width;
      float* position = gradients_[1] + row % sizes_.tokens * width;
      for (std::int64_t i = 0; i < width; ++i) word[i] += from[i];
      for (std::int64_t i = 0; i < width; ++i) position[i] += from[i];
    }
  }

  void add_bias(float* x, const float* bias, std::int64_t width) const {
    for (std::int64_t row = 0; row < rows_; ++row, x += width) {
      for (std::int64_t i = 0; i < width; ++i) x[i] += bias[i];
    }
  }

  // For each text and head: where its query begins, where its part of the mixture does, and its
  // table of weights.
  template <class Do>
  void each_head(const Do& act) const {
    const HeadPlace where = place();
    const std::int64_t size = attention_weights_size(sizes_.tokens);
    for (std::int64_t text = 0; text < rows_ / sizes_.tokens; ++text) {
      for (std::int64_t head = 0; head < sizes_.heads; ++head) {
        const std::int64_t row = text * sizes_.tokens * sizes_.width;
        const std::int64_t column = head * where.width;
        act(where, 3 * row + column, row + column, (text * sizes_.heads + head) * size);
      }
    }
  }

  Sizes sizes_;
  std::vector<float*> weights_;
  const std::vector<torch::Tensor>& halves_;
  std::vector<float*> gradients_;
  std::int64_t texts_;
  float share_;
  std::int64_t rows_ = 0;  // of the texts at hand
  std::vector<Kept> kept_;
  float *last_ = nullptr, *last_stats_ = nullptr, *scores_ = nullptr;
  Operand normed_{};
  float *flow_ = nullptr, *narrow_ = nullptr, *wide_ = nullptr, *scratch_ = nullptr;
  float *half_ = nullptr, *half_out_ = nullptr;  // room for products in bfloat16
};

// Views of `flat`, one behind the other, with the weights' shapes.
std::vector<torch::Tensor> views(const torch::Tensor& flat,
                                 const std::vector<torch::Tensor>& weights) {
  std::vector<torch::Tensor> out;
  std::int64_t at = 0;
  for (const torch::Tensor& weight : weights) {
    out.push_back(flat.narrow(0, at, weight.numel()).view(weight.sizes()));
    at += weight.numel();
  }
  return out;
}

// The matrices in bfloat16, if this runs in a Bfloat16Scope; else nothing.
std::vector<torch::Tensor> rounded(const std::vector<torch::Tensor>& weights) {
  std::vector<torch::Tensor> out;
  if (!at::autocast::is_cpu_enabled()) return out;
  for (const torch::Tensor& weight : weights) {
    out.push_back(weight.dim() == 2 ? weight.to(torch::kBFloat16) : torch::Tensor());
  }
  return out;
}

std::vector<float*> places(const std::vector<torch::Tensor>& tensors) {
  std::vector<float*> out;
  for (const torch::Tensor& tensor : tensors) out.push_back(tensor.data_ptr<float>());
  return out;
}

}  // namespace

bool Gpt2Pass::takes(std::int64_t tokens) const {
  constexpr std::int64_t kTokensMax = 1024;
  return tokens <= kTokensMax && shape_.width / shape_.heads <= kHeadWidthMax;
}

double Gpt2Pass::run(const std::vector<torch::Tensor>& weights, const torch::Tensor& ids,
                     const torch::Tensor& targets, double share,
                     std::vector<torch::Tensor>& gradients) {
  const torch::NoGradGuard no_grad;
  const std::int64_t texts = ids.size(0);
  const Sizes sizes{shape_.layers, shape_.width, shape_.heads, shape_.vocabulary, ids.size(1)};
  const std::int64_t threads = std::min<std::int64_t>(at::get_num_threads(), texts);
  const std::int64_t each = (texts + threads - 1) / threads;
  const std::int64_t at_once = std::clamp<std::int64_t>(kRowsAtOnce / sizes.tokens, 1, each);
  std::int64_t count = 0;
  for (const torch::Tensor& weight : weights) count += weight.numel();
  const torch::Tensor flat = torch::zeros({threads, count});
  const std::vector<torch::Tensor> halves = rounded(weights);
  std::vector<double> losses(static_cast<std::size_t>(threads), 0.0);
  scratch_.resize(static_cast<std::size_t>(threads));
  const double each_token = share / double(ids.numel());
  const OneBlasThread alone(threads > 1);
  at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    const torch::NoGradGuard none;
    for (std::int64_t i = begin; i < end; ++i) {
      Share work(sizes, places(weights), halves, places(views(flat[i], weights)), at_once,
                 static_cast<float>(each_token));
      torch::Tensor& scratch = scratch_[static_cast<std::size_t>(i)];
      const std::int64_t size = work.lay_out(nullptr);
      if (!scratch.defined() || scratch.numel() < size) scratch = torch::empty({size});
      work.lay_out(scratch.data_ptr<float>());
      const std::int64_t first = std::min(i * each, texts);
      losses[static_cast<std::size_t>(i)] = work.run(
          ids.data_ptr<std::int64_t>() + first * sizes.tokens,
          targets.data_ptr<std::int64_t>() + first * sizes.tokens, std::min(each, texts - first));
    }
  });
  gradients = views(threads > 1 ? flat.sum(0) : flat[0], weights);
  double loss = 0;
  for (const double one : losses) loss += one;
  return loss * each_token;
}

}  // namespace qiao::learn
