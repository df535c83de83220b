// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/filter.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "flow/turn/conversation.h"
#include "flow/turn/two_places.h"
#include "text/language.h"
#include "text/normalise.h"
#include "text/numbers.h"
#include "text/pii.h"
#include "text/sentences.h"
#include "text/terms.h"
#include "understand/weak_terms.h"

namespace qiao {
namespace {

using flow::two_places;

// Ordinary answers are below 0.15, loops near 1 (text/sentences.h).
constexpr double kRepetitionMax = 0.35;
// A token is at most about a word; twice the limit is an answer gone wrong, not a long one.
constexpr double kWordsPerToken = 2.0;
// Under this share of known words an answer speaks of something else.
constexpr double kSharedWordsMin = 0.12;
constexpr std::size_t kShortDraftTerms = 6;  // too short to judge: "好的", "You're welcome"
constexpr double kCosineMin = 0.30;
constexpr std::size_t kEmbedBytesMax = 2'000;
// Terms of what was given that a draft must bring, and their share of all that are new in it:
// where they parted what a small model made up from what it had read (docs/performance.md).
constexpr std::size_t kGroundedTermsMin = 3;
constexpr double kGroundedShareMin = 0.5;
// A shorter question may well be answered in its own words: "good morning".
constexpr std::size_t kEchoBytesMin = 15;

Verdict pass(std::string filter, double score = 1) {
  return {std::move(filter), true, {}, score};
}
Verdict reject(std::string filter, std::string reason, double score = 0) {
  return {std::move(filter), false, std::move(reason), score};
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return 0;
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::set<std::string> term_set(std::string_view text) {
  const std::vector<std::string> terms = terms_of(text);
  return {terms.begin(), terms.end()};
}

// Terms that say something by themselves: no particles, no single Han character.
std::set<std::string> telling_terms(std::string_view text) {
  std::set<std::string> terms = term_set(text);
  std::erase_if(terms, [](const std::string& term) { return share_of_term(term) < 1; });
  return terms;
}

// The vectors of draft, question and given, one after another; then the verdict.
struct RelevantRun : std::enable_shared_from_this<RelevantRun> {
  std::shared_ptr<const Understander> understander;
  FilterInput input;
  std::vector<std::string> texts;
  Embeddings vectors;
  std::function<void(Verdict)> done;

  void next() {
    if (vectors.size() == texts.size()) return done(check_relevant_vectors(vectors));
    const auto self = shared_from_this();
    understander->embed(texts[vectors.size()], input.language, [self](Result<Embeddings> found) {
      // No encoder of this language, or it failed: words decide.
      if (!found || found->size() != 1) return self->done(check_relevant_words(self->input));
      self->vectors.push_back(std::move(found->front()));
      self->next();
    });
  }
};

void check_relevant(const FilterInput& input,
                    const std::shared_ptr<const Understander>& understander,
                    std::function<void(Verdict)> done) {
  const bool short_draft = terms_of(input.draft, kShortDraftTerms).size() < kShortDraftTerms;
  if (understander == nullptr || short_draft) return done(check_relevant_words(input));
  const auto run = std::make_shared<RelevantRun>();
  run->understander = understander;
  run->input = input;
  for (const std::string* text : {&input.draft, &input.question, &input.given}) {
    if (!text->empty()) run->texts.push_back(cut_utf8(*text, kEmbedBytesMax));
  }
  run->done = std::move(done);
  run->next();
}

// Whether the draft's first sentence is the whole question once more: small models begin so when
// they have nothing to say.
bool is_echo(const FilterInput& input) {
  const std::vector<std::string_view> sentences = sentences_of(input.draft);
  const std::string question = match_key(input.question);
  return question.size() >= kEchoBytesMin && !sentences.empty() &&
         match_key(sentences.front()) == question;
}

using Check = Verdict (*)(const FilterInput&);
Check check_of(const std::string& filter) {
  if (filter == "language") return check_language;
  if (filter == "no-pii") return check_no_pii;
  if (filter == "length") return check_length;
  if (filter == "repetition") return check_repetition;
  if (filter == "format") return check_json;
  if (filter == "numbers") return check_numbers;
  if (filter == "grounded") return check_grounded;
  return nullptr;
}

}  // namespace

Json to_json(const Verdict& verdict) {
  Json json{{"filter", verdict.filter}, {"passed", verdict.passed}, {"score", verdict.score}};
  if (!verdict.reason.empty()) json["reason"] = verdict.reason;
  return json;
}

Verdict check_language(const FilterInput& input) {
  const auto language = detect_language(input.draft);
  if (!language || *language == input.language) return pass("language");
  return reject("language", input.language == Language::kChinese
                                ? "the user writes Chinese, the answer is in another language"
                                : "the user writes English, the answer is in another language");
}

Verdict check_no_pii(const FilterInput& input) {
  std::set<std::string> known;
  for (const std::string* source : {&input.question, &input.conversation, &input.given}) {
    for (const Span& span : find_pii(*source)) known.insert(span.value);
  }
  for (const Span& span : find_pii(input.draft)) {
    if (!known.contains(span.value)) {
      return reject("no-pii", "it contains a " + span.kind + " that nobody gave");
    }
  }
  return pass("no-pii");
}

Verdict check_length(const FilterInput& input) {
  const std::size_t words = count_words(input.draft);
  const auto most = static_cast<std::size_t>(kWordsPerToken * input.tokens_max);
  if (words == 0) return reject("length", "it is empty");
  if (words > most) {
    return reject("length", "it has " + std::to_string(words) + " words, at most " +
                                std::to_string(most) + " are allowed");
  }
  if (input.cut_off) {
    return reject("length", "it was cut off at " + std::to_string(input.tokens_max) +
                                " tokens; answer more briefly");
  }
  return pass("length", static_cast<double>(words));
}

Verdict check_repetition(const FilterInput& input) {
  if (is_echo(input)) return reject("repetition", "it repeats the question");
  const double score = repetition(input.draft);
  if (score <= kRepetitionMax) return pass("repetition", score);
  return reject("repetition", "it repeats itself (" + two_places(score) + " of it)", score);
}

Verdict check_json(const FilterInput& input) {
  const auto json = parse_json(input.draft);
  if (json) return pass("format");
  return reject("format", "it is not JSON: " + json.error().message);
}

Verdict check_numbers(const FilterInput& input) {
  std::set<std::string> known;
  for (const std::string* source :
       {&input.question, &input.conversation, &input.given, &input.prompt}) {
    known.merge(numbers_in_digits(*source));
    known.merge(numbers_in_words(*source));
  }
  const std::string missing = number_not_in(input.draft, known);
  if (missing.empty()) return pass("numbers");
  return reject("numbers", "the number " + missing + " stands in nothing that was given");
}

Verdict check_grounded(const FilterInput& input) {
  std::set<std::string> stated;
  for (const std::string_view sentence : sentences_of(input.draft)) {
    if (!sentence.ends_with("?") && !sentence.ends_with("？"))
      stated.merge(telling_terms(sentence));
  }
  for (const std::string& term : telling_terms(input.question)) stated.erase(term);
  const std::set<std::string> given = telling_terms(input.given);
  const auto known = static_cast<std::size_t>(std::count_if(
      stated.begin(), stated.end(), [&](const std::string& term) { return given.contains(term); }));
  const double share =
      static_cast<double>(known) / static_cast<double>(std::max<std::size_t>(1, stated.size()));
  if (known >= kGroundedTermsMin && share >= kGroundedShareMin) return pass("grounded", share);
  return reject("grounded", "say what the knowledge says about it, in its own words", share);
}

Verdict check_relevant_words(const FilterInput& input) {
  const std::set<std::string> draft = term_set(input.draft);
  if (draft.size() < kShortDraftTerms) return pass("relevant");
  std::set<std::string> known = term_set(input.question);
  known.merge(term_set(input.given));
  known.merge(term_set(input.conversation));
  const auto shared = static_cast<double>(std::count_if(
      draft.begin(), draft.end(), [&](const std::string& term) { return known.contains(term); }));
  const double score = shared / static_cast<double>(draft.size());
  if (score >= kSharedWordsMin) return pass("relevant", score);
  return reject("relevant",
                "it shares too few words with the question and its context (" + two_places(score) +
                    ", at least " + two_places(kSharedWordsMin) + ")",
                score);
}

Verdict check_relevant_vectors(const Embeddings& vectors) {
  double best = 0;
  for (std::size_t i = 1; i < vectors.size(); ++i) {
    best = std::max(best, cosine(vectors[0], vectors[i]));
  }
  if (best >= kCosineMin) return pass("relevant", best);
  return reject("relevant",
                "it does not speak of the question (similarity " + two_places(best) +
                    ", at least " + two_places(kCosineMin) + ")",
                best);
}

void run_filters(const std::vector<FilterConfig>& filters, const FilterInput& input,
                 const std::shared_ptr<const Understander>& understander,
                 std::function<void(std::vector<Verdict>)> done) {
  std::vector<Verdict> verdicts;
  bool relevant = false;
  for (const FilterConfig& filter : filters) {
    relevant = relevant || filter.name == "relevant";
    const Check check = check_of(filter.name);
    if (check == nullptr) continue;
    verdicts.push_back(check(input));
    if (!verdicts.back().passed) return done(std::move(verdicts));
  }
  if (!relevant) return done(std::move(verdicts));
  check_relevant(input, understander,
                 [verdicts = std::move(verdicts), done = std::move(done)](Verdict last) mutable {
                   verdicts.push_back(std::move(last));
                   done(std::move(verdicts));
                 });
}

}  // namespace qiao
