// SPDX-License-Identifier: Apache-2.0
#include "learn/training/example.h"

#include <cmath>
#include <vector>

#include "base/i18n.h"
#include "learn/commands/progress.h"
#include "learn/data/examples.h"
#include "learn/files/base_model.h"
#include "learn/models/text_model.h"
#include "learn/training/optimiser.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kTokensMax = 64;
constexpr std::int64_t kClasses = 3;
constexpr double kDropout = 0.1;
constexpr double kOriginalRate = 1e-3;

// Greeting, weather, birthday: what is learnt, and the same three said otherwise.
const char* const kLearnt[] = {"你好，请问有什么可以帮助您的？", "明天天气怎么样？",
                               "我今天生日，能帮我庆祝一下吗？"};
const char* const kOthers[] = {"您好，需要我帮您做点什么吗？", "后天会下雨吗？",
                               "今天是我过生日，一起庆祝好不好？"};

// The model with its two sets of texts.
class ArticleExample {
 public:
  ArticleExample(const ExampleOptions& options, const std::atomic<bool>& stop,
                 const std::function<void(const std::string&)>& print, BaseModel& base)
      : options_(options),
        stop_(stop),
        print_(print),
        pad_(base.tokenizer.pad()),
        model_(base.shape, Task::kClassify, kClasses, kDropout) {
    model_->encoder->words->options.sparse(false);  // Adam updates the whole table, as it did there
    for (std::int64_t label = 0; label < kClasses; ++label) {
      learnt_.push_back({base.tokenizer.encode(kLearnt[label], kTokensMax), {label}});
      others_.push_back({base.tokenizer.encode(kOthers[label], kTokensMax), {label}});
    }
  }

  Status load(model::WeightFile& weights) {
    return load_weights(weights_of(model_->encoder), weights);
  }

  Result<ExampleResult> corrected() {
    ExampleResult result;
    QIAO_TRY(train(options_.rate, options_.epochs, result));
    test(result);
    for (const Text text :
         {Text::kLearnExampleOutputs, Text::kLearnExampleSentence, Text::kLearnExampleRate,
          Text::kLearnExampleUnused, Text::kLearnExampleTest}) {
      say(text);
    }
    return result;
  }

  // Each fault of the original, run until it shows.
  Result<ExampleResult> original() {
    show_token_outputs();
    show_one_output();
    ExampleResult result;
    say(Text::kLearnOriginalRate, {fixed_text(kOriginalRate, 4)});
    QIAO_TRY(train(kOriginalRate, options_.epochs, result));
    say(Text::kLearnOriginalGuess, {fixed_text(std::log(double(kClasses)), 4)});
    print_("Test Loss (training set): " + fixed_text(mean_loss(learnt_, nullptr), 4));
    say(Text::kLearnOriginalTest);
    test(result);
    say(Text::kLearnOriginalUnused);
    return result;
  }

 private:
  void say(Text text, std::initializer_list<std::string_view> args = {}) {
    print_(tr(options_.language, text, args));
  }

  Batch batch_of(const std::vector<Example>& examples, std::size_t index) const {
    return make_batch(examples, {index}, Task::kClassify, pad_);
  }

  Status train(double rate, std::int64_t epochs, ExampleResult& result) {
    AdamOptions plain;
    plain.weight_decay = 0;
    plain.clip_norm = 0;
    std::vector<LearningWeight> weights;
    for (const auto& [name, tensor] : weights_of(model_)) weights.push_back({name, tensor});
    AdamW adam(std::move(weights), plain);
    model_->train();
    for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
      double sum = 0;
      for (std::size_t i = 0; i < learnt_.size(); ++i) {
        if (stop_.load()) return Error{Code::kCancelled, "the example was stopped"};
        const Batch batch = batch_of(learnt_, i);
        adam.zero_gradients();
        const torch::Tensor loss =
            torch::nn::functional::cross_entropy(model_(batch.ids, batch.present), batch.targets);
        loss.backward();
        QIAO_TRY(adam.step(rate));
        sum += loss.item<double>();
      }
      result.last_loss = sum / double(learnt_.size());
      if (epoch == 1) result.first_loss = result.last_loss;
      print_("Epoch [" + std::to_string(epoch) + "/" + std::to_string(epochs) +
             "], Loss: " + fixed_text(result.last_loss, 4));
    }
    return {};
  }

  // Mean loss without dropout; counts the right answers into `right` when it is there.
  double mean_loss(const std::vector<Example>& examples, std::int64_t* right) {
    const torch::NoGradGuard no_grad;
    model_->eval();
    double sum = 0;
    for (std::size_t i = 0; i < examples.size(); ++i) {
      const Batch batch = batch_of(examples, i);
      const torch::Tensor scores = model_(batch.ids, batch.present);
      sum += torch::nn::functional::cross_entropy(scores, batch.targets).item<double>();
      if (right != nullptr && scores.argmax(1).equal(batch.targets)) ++*right;
    }
    model_->train();
    return sum / double(examples.size());
  }

  void test(ExampleResult& result) {
    result.test_loss = mean_loss(others_, &result.test_right);
    print_("Test Loss: " + fixed_text(result.test_loss, 4));
    say(Text::kLearnExampleRight, {std::to_string(result.test_right)});
  }

  // Runs what the original asks of the loss and tells libtorch's answer.
  void try_loss(const torch::Tensor& scores, std::int64_t label) {
    try {
      const torch::Tensor loss =
          torch::nn::functional::cross_entropy(scores, torch::tensor({label}));
      print_("  label " + std::to_string(label) + ": Loss: " + fixed_text(loss.item<double>(), 4));
    } catch (const c10::Error& fault) {
      print_("  label " + std::to_string(label) + ": " + fault.what_without_backtrace());
    }
  }

  torch::Tensor hidden_of(std::size_t index) {
    const torch::NoGradGuard no_grad;
    const Batch batch = batch_of(learnt_, index);
    return model_->encoder(batch.ids, batch.present);
  }

  void show_token_outputs() {
    say(Text::kLearnOriginalTokens);
    torch::nn::Linear head(model_->encoder->shape().width, 1);
    try_loss(head(hidden_of(1)), 1);  // [1, tokens, 1] against [1]
  }

  void show_one_output() {
    say(Text::kLearnOriginalOutput);
    torch::nn::Linear head(model_->encoder->shape().width, 1);
    for (std::int64_t label = 0; label < kClasses; ++label) {
      try_loss(head(hidden_of(static_cast<std::size_t>(label)).select(1, 0)), label);
    }
  }

  ExampleOptions options_;
  const std::atomic<bool>& stop_;
  const std::function<void(const std::string&)>& print_;
  std::int64_t pad_;
  TextModel model_;
  std::vector<Example> learnt_;
  std::vector<Example> others_;
};

}  // namespace

Result<ExampleResult> run_example(const ExampleOptions& options, const std::atomic<bool>& stop,
                                  const std::function<void(const std::string&)>& print) {
  QIAO_ASSIGN(BaseModel base, open_base(options.base));
  torch::manual_seed(static_cast<std::uint64_t>(options.seed));
  ArticleExample example(options, stop, print, base);
  QIAO_TRY(example.load(*base.weights));
  return options.original ? example.original() : example.corrected();
}

}  // namespace qiao::learn
