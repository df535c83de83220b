// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "base/i18n.h"
#include "base/yaml.h"

namespace qiao::cli {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr Unit kUnits[] = {{"ms", 1},        {"s", 1'000},      {"m", 60'000},
                           {"h", 3'600'000}, {"d", 86'400'000}, {"", 1}};

// "5s" → 5000; nothing when it is no duration.
std::optional<std::int64_t> parse_duration(const std::string& text) {
  double value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (fault != std::errc() || value < 0 || value > 1e9) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (unit.name == rest) return static_cast<std::int64_t>(value * static_cast<double>(unit.ms));
  }
  return std::nullopt;
}

}  // namespace

class Options::Impl {
 public:
  explicit Impl(Session& session) : session_(session) { app_.set_help_flag(); }

  template <class T>
  CLI::Option* add(OptionInfo info, T& into) {
    CLI::Option* option = app_.add_option(info.names, into);
    if (info.required) option->required();
    all_.push_back(std::move(info));
    return option;
  }

  Status parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ExtrasError&) {
      return unexpected();
    } catch (const CLI::RequiredError& error) {
      if (help_) return {};
      return invalid_argument(session_.say(Text::kCliMissing, {error.what()}));
    } catch (const CLI::Error& error) {
      if (help_) return {};
      return invalid_argument(error.what());
    }
    return {};
  }

  // Names what is too much, and what may have been meant.
  Status unexpected() const {
    const std::vector<std::string> extras = app_.remaining();
    const std::string first = extras.empty() ? "" : extras.front();
    std::vector<std::string> names;
    for (const OptionInfo& info : all_) {
      for (const std::string& name : CLI::detail::split(info.names, ','))
        if (name.starts_with("--")) names.push_back(name);
    }
    std::string message = session_.say(Text::kCliUnexpected, {first});
    const auto near =
        first.starts_with("-") ? nearest(first.substr(0, first.find('=')), names) : std::nullopt;
    if (near) message += session_.say(Text::kCliDidYouMean, {*near});
    return invalid_argument(message);
  }

  Session& session_;
  CLI::App app_;
  std::vector<OptionInfo> all_;
  std::string language_;  // read before, by main: the texts of the options need it
  bool help_ = false;
};

Options::Options(Session& session) : impl_(std::make_unique<Impl>(session)) {
  flag("--json", session.json, Text::kCliJsonHelp);
  choice("--lang", impl_->language_, {"en", "zh"}, Text::kCliLangHelp);
  flag("-h,--help", impl_->help_, Text::kCliHelpHelp);
}
Options::~Options() = default;

void Options::positional(const std::string& word, std::string& into, Text help, bool required) {
  impl_->add({word, "", impl_->session_.say(help), true, required}, into);
}

void Options::positionals(const std::string& word, std::vector<std::string>& into, Text help,
                          bool required) {
  impl_->add({word, "…", impl_->session_.say(help), true, required}, into);
}

void Options::option(const std::string& names, const std::string& value, std::string& into,
                     Text help) {
  impl_->add({names, value, impl_->session_.say(help)}, into);
}

void Options::option(const std::string& names, const std::string& value, std::int64_t& into,
                     Text help) {
  impl_->add({names, value, impl_->session_.say(help)}, into);
}

void Options::option(const std::string& names, const std::string& value,
                     std::vector<std::string>& into, Text help) {
  impl_->add({names, value, impl_->session_.say(help)}, into)->expected(1)->take_all();
}

void Options::choice(const std::string& names, std::string& into, std::vector<std::string> choices,
                     Text help) {
  std::string value = CLI::detail::join(choices, "|");
  impl_->add({names, std::move(value), impl_->session_.say(help)}, into)
      ->check(CLI::IsMember(std::move(choices)));
}

void Options::duration(const std::string& names, std::int64_t& into_ms, Text help) {
  const auto take = [this, &into_ms](const std::string& text) {
    const auto ms = parse_duration(text);
    if (!ms) throw CLI::ValidationError(impl_->session_.say(Text::kCliNoDuration, {text}));
    into_ms = *ms;
  };
  impl_->app_.add_option_function<std::string>(names, take);
  impl_->all_.push_back(
      {names, impl_->session_.say(Text::kCliDuration), impl_->session_.say(help)});
}

void Options::flag(const std::string& names, bool& into, Text help) {
  impl_->app_.add_flag(names, into);
  impl_->all_.push_back({names, "", impl_->session_.say(help)});
}

void Options::server() {
  Session& session = impl_->session_;
  option("--server", "URL", session.server.url, Text::kCliServerHelp);
  option("--key", "KEY", session.server.key, Text::kCliKeyHelp);
  option("--data", "DIR", session.data, Text::kCliDataHelp);
}

Status Options::parse(const std::vector<std::string>& arguments) {
  return impl_->parse(arguments);
}
bool Options::help_wanted() const {
  return impl_->help_;
}
const std::vector<OptionInfo>& Options::all() const {
  return impl_->all_;
}

}  // namespace qiao::cli
