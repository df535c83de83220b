// SPDX-License-Identifier: Apache-2.0
#include "learn/commands/arguments.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/i18n.h"

namespace qiao::learn {
namespace {

Error wrong_usage(std::string message) {
  return {kUsage, std::move(message)};
}

template <class T>
Status set_number(T& into, const std::string& name, const std::string& value) {
  T number{};
  const char* end = value.data() + value.size();
  const auto [stopped, fault] = std::from_chars(value.data(), end, number);
  const bool finite = std::isfinite(static_cast<double>(number));  // from_chars() reads "nan"
  if (fault != std::errc() || stopped != end || !finite) {
    return wrong_usage(name + " takes a number, not \"" + value + "\"");
  }
  into = number;
  return {};
}

// Whether that word stands for a place that may be a folder.
bool names_folder(std::string_view value) {
  return value.find("BUNDLE") != std::string_view::npos ||
         value.find("DIR") != std::string_view::npos;
}

// Shells complete a folder's name with a slash, which is no part of it: OUT.partial stands beside
// OUT, not in it.
std::string without_slash(std::string place) {
  while (place.size() > 1 && place.back() == '/') place.pop_back();
  return place;
}

// What the help says an option is when it is not given; nothing for 0, which its text explains.
std::string standard_of(double number) {
  if (!(number > 0)) return "";
  constexpr std::size_t kDigits = 32;
  std::array<char, kDigits> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return {text.data(), end.ptr};
}

std::string standard_of(std::int64_t number) {
  return number > 0 ? std::to_string(number) : "";
}

}  // namespace

void Arguments::add(std::string name, std::string value, std::string& into, Text help,
                    bool needed) {
  options_.push_back({std::move(name), std::move(value), &into, help, into, needed});
}
void Arguments::add(std::string name, std::string value, std::vector<std::string>& into, Text help,
                    bool needed) {
  options_.push_back({std::move(name), std::move(value), &into, help, "", needed});
}
void Arguments::add(std::string name, std::string value, std::int64_t& into, Text help) {
  options_.push_back({std::move(name), std::move(value), &into, help, standard_of(into)});
}
void Arguments::add(std::string name, std::string value, double& into, Text help) {
  options_.push_back({std::move(name), std::move(value), &into, help, standard_of(into)});
}
void Arguments::add_flag(std::string name, bool& into, Text help) {
  options_.push_back({std::move(name), "", &into, help, ""});
}

Arguments::Option* Arguments::find(std::string_view name) {
  for (Option& option : options_) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

bool Arguments::given(std::string_view name) const {
  return std::any_of(options_.begin(), options_.end(),
                     [&](const Option& option) { return option.given && option.name == name; });
}

Status Arguments::set(const Option& option, const std::string& value) {
  if (auto* const* text = std::get_if<std::string*>(&option.into)) {
    if (value.empty() && option.needed) return wrong_usage(option.name + " needs a value");
    **text = names_folder(option.value) ? without_slash(value) : value;
  } else if (auto* const* list = std::get_if<std::vector<std::string>*>(&option.into)) {
    (*list)->push_back(value);
  } else if (auto* const* whole = std::get_if<std::int64_t*>(&option.into)) {
    return set_number(**whole, option.name, value);
  } else if (auto* const* real = std::get_if<double*>(&option.into)) {
    return set_number(**real, option.name, value);
  }
  return {};
}

Status Arguments::parse(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--help" || word == "-h") {
      help_wanted_ = true;
      return {};
    }
    const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    Option* option = find(std::string_view(word).substr(0, equals));
    if (option == nullptr && word == "--json") continue;  // where results are JSON in any case
    if (option == nullptr) {
      return wrong_usage(verb_ + " does not know \"" + word + "\"");
    }
    option->given = true;
    if (auto* const* flag = std::get_if<bool*>(&option->into)) {
      if (equals != std::string::npos) return wrong_usage(option->name + " takes no value");
      **flag = true;
      continue;
    }
    if (equals == std::string::npos && ++i == arguments.size()) {
      return wrong_usage(word + " needs a value");
    }
    QIAO_TRY(set(*option, equals == std::string::npos ? arguments[i] : word.substr(equals + 1)));
  }
  for (const Option& option : options_) {
    if (option.needed && !option.given) {
      return wrong_usage(verb_ + " needs " + option.name + " " + option.value);
    }
  }
  return {};
}

std::string Arguments::help(Language language) const {
  std::string out = "qiao " + verb_;
  for (const Option& option : options_) {
    if (option.needed) out += " " + option.name + " " + option.value;
  }
  out += "\n";
  for (const Option& option : options_) {
    std::string name = "  " + option.name + (option.value.empty() ? "" : " " + option.value);
    constexpr std::size_t kColumn = 26;
    name.resize(std::max(kColumn, name.size() + 2), ' ');
    out += name + tr(language, option.help);
    if (!option.standard.empty()) {
      out += language == Language::kChinese ? "（" + option.standard + "）"
                                            : " (" + option.standard + ")";
    }
    out += "\n";
  }
  return out;
}

std::string with_line_ends(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool line_end = text.substr(i, 2) == "\\n";
    out += line_end ? '\n' : text[i];
    i += line_end ? 1 : 0;
  }
  return out;
}

}  // namespace qiao::learn
