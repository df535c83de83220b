// SPDX-License-Identifier: Apache-2.0
#include "learn/data/examples.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "base/random.h"

namespace qiao::learn {
namespace {

// Texts are sorted by length within pools of this many batches: little padding, much chance.
constexpr std::size_t kPoolBatches = 64;

using Order = std::vector<std::size_t>;

template <class T>
void shuffle(std::vector<T>& items, Rng& rng) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[rng.below(i)]);
}

void sort_by_length(const std::vector<Example>& examples, Order::iterator begin,
                    Order::iterator end) {
  std::stable_sort(begin, end, [&](std::size_t a, std::size_t b) {
    return examples[a].text.ids.size() < examples[b].text.ids.size();
  });
}

Order shuffled(std::size_t size, Rng& rng) {
  Order order(size);
  std::iota(order.begin(), order.end(), 0);
  shuffle(order, rng);
  return order;
}

struct BatchBounds {
  std::size_t texts = 0;
  std::size_t tokens = 0;  // with padding
};

// Cuts an order into batches, in which every `together` neighbours stay in one.
void cut(const std::vector<Example>& examples, Order::const_iterator begin,
         Order::const_iterator end, std::ptrdiff_t together, const BatchBounds& bounds,
         std::vector<Order>& out) {
  Order open;
  std::size_t longest = 0;
  for (auto at = begin; at != end; at += together) {
    std::size_t own = 0;
    for (auto i = at; i != at + together; ++i) own = std::max(own, examples[*i].text.ids.size());
    const std::size_t size = open.size() + static_cast<std::size_t>(together);
    longest = std::max(longest, own);
    if (!open.empty() && (size > bounds.texts || size * longest > bounds.tokens)) {
      out.push_back(std::exchange(open, {}));
      longest = own;
    }
    open.insert(open.end(), at, at + together);
  }
  if (!open.empty()) out.push_back(std::move(open));
}

torch::Tensor numbers_of(const std::vector<Example>& examples,
                         const std::vector<std::size_t>& chosen) {
  std::vector<double> numbers;
  numbers.reserve(chosen.size());
  for (const std::size_t i : chosen) numbers.push_back(examples[i].number);
  return torch::tensor(numbers, torch::kFloat);
}

// By head; kNoTarget where the row has no label, or one that is not known.
std::vector<std::int64_t> head_targets(const Row& row, const Labels& labels) {
  std::vector<std::int64_t> targets;
  for (const LabelHead& head : labels.heads()) {
    const auto label = row.labels.find(head.name);
    const std::int64_t id = label == row.labels.end() ? -1 : head.labels.find(label->second);
    targets.push_back(id < 0 ? kNoTarget : id);
  }
  return targets;
}

}  // namespace

Example make_example(const Row& row, Task task, const model::WordPiece& tokenizer,
                     const Labels& labels, std::size_t tokens_max) {
  Example example{task == Task::kPair ? tokenizer.encode_pair(row.text, row.second, tokens_max)
                                      : tokenizer.encode(row.text, tokens_max),
                  {},
                  row.number};
  if (task == Task::kHeads) {
    example.targets = head_targets(row, labels);
    return example;
  }
  const auto target = [&](const std::string& name) {
    const std::int64_t id = labels.find(name);
    return id < 0 ? kNoTarget : id;
  };
  if (task != Task::kTag) {
    example.targets.push_back(target(row.label));
    return example;
  }
  for (const model::PieceRange& range : example.text.ranges) {
    example.targets.push_back(
        range.begin < 0 ? kNoTarget : target(row.tags[static_cast<std::size_t>(range.begin)]));
  }
  return example;
}

Batch make_batch(const std::vector<Example>& examples, const std::vector<std::size_t>& chosen,
                 Task task, std::int64_t pad) {
  std::size_t longest = 0;
  for (const std::size_t i : chosen) longest = std::max(longest, examples[i].text.ids.size());
  const auto rows = static_cast<std::int64_t>(chosen.size());
  const auto tokens = static_cast<std::int64_t>(longest);
  const bool many = task == Task::kTag || task == Task::kHeads;
  const auto heads = static_cast<std::int64_t>(examples[chosen.front()].targets.size());
  Batch batch{torch::full({rows, tokens}, pad, torch::kLong),
              torch::zeros({rows, tokens}, torch::kBool),
              task == Task::kPair ? torch::zeros({rows, tokens}, torch::kLong) : torch::Tensor(),
              torch::full({rows, task == Task::kTag ? tokens : heads}, kNoTarget, torch::kLong)};
  for (std::int64_t r = 0; r < rows; ++r) {
    const Example& example = examples[chosen[static_cast<std::size_t>(r)]];
    const auto size = static_cast<std::int64_t>(example.text.ids.size());
    std::copy(example.text.ids.begin(), example.text.ids.end(),
              batch.ids[r].data_ptr<std::int64_t>());
    batch.present[r].narrow(0, 0, size).fill_(true);
    if (task == Task::kPair) {
      const auto second = static_cast<std::int64_t>(example.text.second);
      batch.segments[r].narrow(0, second, size - second).fill_(1);
    }
    std::copy(example.targets.begin(), example.targets.end(),
              batch.targets[r].data_ptr<std::int64_t>());
    batch.tokens += size;
  }
  if (!many) batch.targets = batch.targets.squeeze(1);
  if (task == Task::kRegress) batch.targets = numbers_of(examples, chosen);
  return batch;
}

std::vector<std::vector<std::size_t>> plan_batches(const std::vector<Example>& examples,
                                                   std::size_t batch, std::size_t tokens_max,
                                                   std::uint64_t seed) {
  Rng rng(seed);
  Order order = shuffled(examples.size(), rng);
  std::vector<Order> batches;
  const std::size_t pool = batch * kPoolBatches;
  for (std::size_t begin = 0; begin < order.size(); begin += pool) {
    const auto first = order.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last =
        order.begin() + static_cast<std::ptrdiff_t>(std::min(begin + pool, order.size()));
    sort_by_length(examples, first, last);
    cut(examples, first, last, 1, {batch, tokens_max}, batches);
  }
  shuffle(batches, rng);
  return batches;
}

std::vector<std::vector<std::size_t>> plan_pairs(const std::vector<Example>& examples,
                                                 std::size_t batch, std::size_t tokens_max,
                                                 std::uint64_t seed) {
  Rng rng(seed);
  const Order order = shuffled(examples.size(), rng);
  std::map<std::int64_t, Order> by_label;
  for (const std::size_t i : order) by_label[examples[i].targets.front()].push_back(i);
  Order pairs;
  for (const std::size_t i : order) {
    const Order& alike = by_label[examples[i].targets.front()];
    std::size_t partner = i;
    while (alike.size() > 1 && partner == i) partner = alike[rng.below(alike.size())];
    pairs.insert(pairs.end(), {i, partner});
  }
  std::vector<Order> batches;
  cut(examples, pairs.begin(), pairs.end(), 2, {batch, tokens_max}, batches);
  return batches;
}

std::vector<std::vector<std::size_t>> plan_batches_in_order(const std::vector<Example>& examples,
                                                            std::size_t batch,
                                                            std::size_t tokens_max) {
  Order order(examples.size());
  std::iota(order.begin(), order.end(), 0);
  sort_by_length(examples, order.begin(), order.end());
  std::vector<Order> batches;
  cut(examples, order.begin(), order.end(), 1, {batch, tokens_max}, batches);
  return batches;
}

}  // namespace qiao::learn
