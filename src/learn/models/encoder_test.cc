// SPDX-License-Identifier: Apache-2.0
#include "learn/models/encoder.h"

#include <gtest/gtest.h>

#include <map>

#include "learn/models/lora.h"
#include "learn/models/text_model.h"
#include "learn/testing/reference_encoder.h"
#include "learn/testing/tiny_encoder.h"

namespace qiao::learn {
namespace {

using testing::Matrix;
using testing::Vector;

EncoderShape small_shape() {
  EncoderShape shape = testing::tiny_encoder_shape();
  shape.epsilon = 1e-6;
  return shape;
}

// The weights of an encoder in double precision, by name.
class Weights {
 public:
  explicit Weights(const Encoder& encoder) {
    for (const auto& [name, tensor] : weights_of(encoder)) tensors_.emplace(name, tensor);
  }
  Vector row(const std::string& name) const { return row_of(tensors_.at(name)); }
  Matrix matrix(const std::string& name) const {
    Matrix out;
    const torch::Tensor& tensor = tensors_.at(name);
    for (std::int64_t r = 0; r < tensor.size(0); ++r) out.push_back(row_of(tensor[r]));
    return out;
  }

 private:
  static Vector row_of(const torch::Tensor& tensor) {
    const torch::Tensor wide = tensor.detach().to(torch::kDouble).contiguous();
    return {wide.data_ptr<double>(), wide.data_ptr<double>() + wide.numel()};
  }
  std::map<std::string, torch::Tensor> tensors_;
};

Matrix reference_layer(const Weights& weights, const std::string& name, const Matrix& x,
                       const EncoderShape& shape) {
  const auto apply = [&](const std::string& part, const Vector& row) {
    return testing::times(weights.matrix(name + part + ".weight"), row,
                          weights.row(name + part + ".bias"));
  };
  const auto norm = [&](const std::string& part, const Vector& row) {
    return testing::norm(row, weights.row(name + part + ".weight"),
                         weights.row(name + part + ".bias"), shape.epsilon);
  };
  Matrix q, k, v;
  for (const Vector& row : x) {
    q.push_back(apply("attention.self.query", row));
    k.push_back(apply("attention.self.key", row));
    v.push_back(apply("attention.self.value", row));
  }
  const auto all = [](std::size_t, std::size_t) { return true; };
  const auto size = static_cast<std::size_t>(shape.width / shape.heads);
  Matrix mixed(x.size());
  for (std::size_t begin = 0; begin < x[0].size(); begin += size) {
    const Matrix head =
        testing::attend(testing::columns(q, begin, size), testing::columns(k, begin, size),
                        testing::columns(v, begin, size), all);
    for (std::size_t t = 0; t < x.size(); ++t) {
      mixed[t].insert(mixed[t].end(), head[t].begin(), head[t].end());
    }
  }
  Matrix out;
  for (std::size_t t = 0; t < x.size(); ++t) {
    const Vector middle = norm("attention.output.LayerNorm",
                               testing::plus(x[t], apply("attention.output.dense", mixed[t])));
    Vector inner = apply("intermediate.dense", middle);
    for (double& value : inner) value = testing::gelu(value);
    out.push_back(norm("output.LayerNorm", testing::plus(middle, apply("output.dense", inner))));
  }
  return out;
}

Matrix reference_encoder(const Encoder& encoder, const std::vector<std::int64_t>& ids) {
  const Weights weights(encoder);
  const Matrix words = weights.matrix("embeddings.word_embeddings.weight");
  const Matrix positions = weights.matrix("embeddings.position_embeddings.weight");
  const Vector type = weights.matrix("embeddings.token_type_embeddings.weight")[0];
  Matrix x;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const Vector sum =
        testing::plus(testing::plus(words[static_cast<std::size_t>(ids[t])], positions[t]), type);
    x.push_back(testing::norm(sum, weights.row("embeddings.LayerNorm.weight"),
                              weights.row("embeddings.LayerNorm.bias"), encoder->shape().epsilon));
  }
  for (std::int64_t i = 0; i < encoder->shape().layers; ++i) {
    x = reference_layer(weights, "encoder.layer." + std::to_string(i) + ".", x, encoder->shape());
  }
  return x;
}

Encoder make_encoder() {
  torch::manual_seed(5);
  Encoder encoder(small_shape(), 0.0);
  const torch::NoGradGuard no_grad;  // norms start as 1 and 0, which would hide a swap
  for (auto& [name, tensor] : weights_of(encoder)) tensor.copy_(torch::randn_like(tensor) * 0.5);
  encoder->eval();
  return encoder;
}

TEST(Encoder, EqualsTheReferenceInDoublePrecision) {
  Encoder encoder = make_encoder();
  const std::vector<std::int64_t> ids = {2, 7, 19, 4, 3};
  const Matrix expected = reference_encoder(encoder, ids);
  encoder->to(torch::kDouble);
  const torch::Tensor hidden =
      encoder(torch::tensor(ids).unsqueeze(0), torch::ones({1, 5}, torch::kBool));
  for (std::int64_t t = 0; t < 5; ++t) {
    for (std::int64_t i = 0; i < 8; ++i) {
      EXPECT_NEAR(hidden[0][t][i].item<double>(),
                  expected[static_cast<std::size_t>(t)][static_cast<std::size_t>(i)], 1e-9);
    }
  }
}

// Padding and neighbours in the batch must not move a text's vectors.
TEST(Encoder, PaddingDoesNotLeak) {
  Encoder encoder = make_encoder();
  const torch::Tensor alone =
      encoder(torch::tensor({{2, 7, 3}}), torch::ones({1, 3}, torch::kBool));
  const torch::Tensor present =
      torch::tensor({{true, true, true, false, false}, {true, true, true, true, true}});
  for (const std::int64_t filler : {0, 11}) {
    const torch::Tensor ids = torch::tensor({{2, 7, 3, 0, 0}, {2, 4, 5, 6, 3}});
    ids[0].narrow(0, 3, 2).fill_(filler);
    const torch::Tensor both = encoder(ids, present);
    EXPECT_TRUE(torch::allclose(both[0].narrow(0, 0, 3), alone[0], 1e-5, 1e-5));
    for (const Pooling how : {Pooling::kCls, Pooling::kMean}) {
      const torch::Tensor text = pool(both, present, how)[0];
      const torch::Tensor same = pool(alone, torch::ones({1, 3}, torch::kBool), how)[0];
      EXPECT_TRUE(torch::allclose(text, same, 1e-5, 1e-5));
    }
  }
}

// What vectors() leaves out of the last layer is not missed.
TEST(Encoder, VectorsAreThePoolOfAllTokens) {
  const torch::Tensor ids = torch::tensor({{2, 7, 3, 0, 0}, {2, 4, 5, 6, 3}});
  const torch::Tensor segments = torch::tensor({{0, 1, 1, 0, 0}, {0, 0, 0, 1, 1}});
  for (const Pooling how : {Pooling::kCls, Pooling::kMean}) {
    torch::manual_seed(5);
    EncoderShape shape = small_shape();
    shape.pooling = how;
    Encoder encoder(shape, 0.0);
    encoder->eval();
    for (const torch::Tensor& types : {torch::Tensor(), segments}) {
      const torch::Tensor all = pool(encoder(ids, ids.ne(0), types), ids.ne(0), how);
      EXPECT_TRUE(torch::allclose(encoder->vectors(ids, ids.ne(0), types), all, 1e-5, 1e-6));
    }
    EXPECT_FALSE(torch::allclose(encoder->vectors(ids, ids.ne(0)),
                                 encoder->vectors(ids, ids.ne(0), segments), 1e-3, 1e-3));
  }
}

// What is saved of an adapted encoder (whole(), by weights_of) and what merging leaves is the same.
TEST(EncoderLora, MergedItSaysWhatItSaidUnmerged) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(7);
  TextModel model(small_shape(), Task::kClassify, 3, 0.0);
  model->eval();
  const torch::Tensor ids = torch::tensor({{2, 7, 9, 3}, {2, 8, 3, 0}});
  const torch::Tensor plain = model(ids, ids.ne(0));
  ASSERT_TRUE(add_adapters(*model->encoder, encoder_lora(2)));
  EXPECT_TRUE(torch::equal(model(ids, ids.ne(0)), plain));  // B is 0 at first
  for (auto& [name, tensor] : adapter_weights(*model->encoder)) tensor.normal_(0, 0.5);
  const torch::Tensor adapted = model(ids, ids.ne(0));
  EXPECT_FALSE(torch::allclose(adapted, plain, 1e-2, 1e-3));
  const NamedTensors told = weights_of(model->encoder);
  merge_adapters(*model->encoder);
  EXPECT_TRUE(adapter_weights(*model->encoder).empty());
  EXPECT_TRUE(torch::allclose(model(ids, ids.ne(0)), adapted, 1e-4, 1e-5));
  const NamedTensors merged = weights_of(model->encoder);
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_TRUE(torch::equal(told[i].second, merged[i].second)) << told[i].first;
  }
}

// Every weight of encoder and head gets the gradient that central differences give.
TEST(TextModel, GradientsEqualDifferences) {
  torch::manual_seed(11);
  TextModel model(small_shape(), Task::kClassify, 3, 0.0);
  model->encoder->words->options.sparse(false);
  model->to(torch::kDouble);
  model->eval();
  const torch::Tensor ids = torch::tensor({{2, 7, 9, 3}, {2, 8, 3, 0}});
  const torch::Tensor present = ids.ne(0);
  const torch::Tensor targets = torch::tensor({2, 0});
  const auto loss = [&] {
    return torch::nn::functional::cross_entropy(model(ids, present), targets);
  };
  loss().backward();
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (auto& [name, tensor] : weights_of(model)) {
    double* at = tensor.data_ptr<double>();
    const torch::Tensor gradient = tensor.grad().contiguous();
    for (std::int64_t i = 0; i < tensor.numel(); i += 1 + tensor.numel() / 7) {
      const double kept = at[i];
      at[i] = kept + kStep;
      const double above = loss().item<double>();
      at[i] = kept - kStep;
      const double below = loss().item<double>();
      at[i] = kept;
      EXPECT_NEAR(gradient.data_ptr<double>()[i], (above - below) / (2 * kStep), 1e-7) << name;
    }
  }
}

}  // namespace
}  // namespace qiao::learn
