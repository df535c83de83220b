// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/eval_picture.h"

#include <cairo.h>
#include <librsvg/rsvg.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/i18n.h"
#include "learn/evaluation/eval_charts.h"
#include "learn/evaluation/figure_name.h"
#include "learn/evaluation/svg.h"

namespace qiao::learn {
namespace {

constexpr double kMargin = 24;
constexpr double kLine = 18;
constexpr double kNameWidth = 260;
constexpr double kLeastWidth = 640;
constexpr double kScale = 2;

// Lines of text and charts, one below the other.
class Column {
 public:
  void heading(const std::string& text, double size) {
    below_ += kLine / 2;
    line(kMargin, text, " font-weight=\"bold\" font-size=\"" + short_number(size) + "\"");
  }
  void value(const std::string& name, const std::string& value) {
    body_ += svg_text(kMargin, below_ + kLine - 5, "start", escape(name));
    line(kMargin + kNameWidth, value, "");
  }
  void chart(const Chart& chart) {
    body_ += "<g transform=\"translate(" + short_number(kMargin) + " " +
             short_number(below_ + kLine / 2) + ")\">" + chart.svg + "</g>\n";
    below_ += chart.height + kLine;
    width_ = std::max(width_, chart.width);
  }
  [[nodiscard]] std::string svg() const {
    return svg_begin(width_ + 2 * kMargin, below_ + kMargin) + body_ + "</svg>\n";
  }

 private:
  void line(double x, const std::string& text, const std::string& more) {
    body_ += svg_text(x, below_ + kLine - 5, "start", escape(text), more);
    below_ += kLine;
  }

  std::string body_;
  double below_ = kMargin;
  double width_ = kLeastWidth;
};

// The numbers of `figures`, each with its interval.
void add_figures(Column& column, const std::string& before, const Json& figures,
                 Language language) {
  const Json intervals = figures.value("intervals", Json::object());
  for (const auto& [name, value] : figures.items()) {
    if (!value.is_number()) continue;
    std::string text = figure_text(value);
    if (const auto found = intervals.find(name); found != intervals.end()) {
      text += "  (" + figure_text((*found)[0]) + " – " + figure_text((*found)[1]) + ")";
    }
    column.value(before + figure_name(language, name), text);
  }
}

struct Unref {
  void operator()(RsvgHandle* handle) const { g_object_unref(handle); }
  void operator()(GInputStream* stream) const { g_object_unref(stream); }
  void operator()(GError* error) const { g_error_free(error); }
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* pen) const { cairo_destroy(pen); }
};
template <class T>
using Held = std::unique_ptr<T, Unref>;

cairo_status_t append(void* to, const unsigned char* data, unsigned int size) {
  static_cast<std::string*>(to)->append(reinterpret_cast<const char*>(data), size);
  return CAIRO_STATUS_SUCCESS;
}

Error no_picture(const char* why) {
  return {Code::kInternal, std::string("no picture: ") + why};
}

}  // namespace

Result<std::string> eval_picture(const Json& study, const Json& about, Language language) {
  Column column;
  column.heading(tr(language, Text::kLearnPageTitle), 18);
  for (const auto& [name, value] : about.items())
    column.value(figure_name(language, name), figure_text(value));
  column.heading(tr(language, Text::kLearnPageFigures), 14);
  add_figures(column, "", study, language);
  add_figures(column, figure_name(language, "latency_ms") + " ",
              study.value("latency_ms", Json::object()), language);
  if (study.contains("heads")) {
    column.heading(tr(language, Text::kLearnPageHeads), 14);
    for (const auto& [name, head] : study["heads"].items())
      add_figures(column, name + " ", head, language);
  }
  if (study.contains("against")) {
    const Json& against = study["against"];
    column.heading(tr(language, Text::kLearnPageAgainst), 14);
    add_figures(column, "", against, language);
    Json difference = against["difference"];
    difference["intervals"] = against["intervals"];
    add_figures(column, figure_name(language, "difference") + " ", difference, language);
  }
  if (study.contains("reliability")) {
    column.heading(tr(language, Text::kLearnPageReliability), 14);
    column.chart(reliability_chart(study["reliability"], language));
  }
  if (study.contains("confusion")) {
    column.heading(tr(language, Text::kLearnPageConfusion), 14);
    column.chart(confusion_chart(study["confusion"], language));
  }
  if (study.contains("classes")) {
    column.heading(tr(language, Text::kLearnPageLabels), 14);
    column.chart(label_chart(study["classes"]));
  }
  return png_of_svg(column.svg(), kScale);
}

Result<std::string> png_of_svg(const std::string& svg, double scale) {
  GError* raised = nullptr;
  const Held<GInputStream> stream(
      g_memory_input_stream_new_from_data(svg.data(), static_cast<gssize>(svg.size()), nullptr));
  const Held<RsvgHandle> handle(rsvg_handle_new_from_stream_sync(
      stream.get(), nullptr, RSVG_HANDLE_FLAGS_NONE, nullptr, &raised));
  const Held<GError> error(raised);
  if (!handle) return invalid_argument(std::string("this is no SVG: ") + error->message);
  double width = 0;
  double height = 0;
  if (rsvg_handle_get_intrinsic_size_in_pixels(handle.get(), &width, &height) == 0) {
    return invalid_argument("this SVG does not say its size in pixels");
  }
  width = std::ceil(width * scale);
  height = std::ceil(height * scale);
  if (width > kPictureSideMax || height > kPictureSideMax) {
    return Error{Code::kUnsupported, "a picture of more than " + short_number(kPictureSideMax) +
                                         " pixels: take --report FILE.html"};
  }
  const Held<cairo_surface_t> surface(cairo_image_surface_create(
      CAIRO_FORMAT_RGB24, static_cast<int>(width), static_cast<int>(height)));
  const Held<cairo_t> pen(cairo_create(surface.get()));
  cairo_set_source_rgb(pen.get(), 1, 1, 1);
  cairo_paint(pen.get());
  const RsvgRectangle whole = {0, 0, width, height};
  GError* failed = nullptr;
  if (rsvg_handle_render_document(handle.get(), pen.get(), &whole, &failed) == 0) {
    const Held<GError> why(failed);
    return no_picture(why->message);
  }
  std::string png;
  const cairo_status_t status = cairo_surface_write_to_png_stream(surface.get(), append, &png);
  if (status != CAIRO_STATUS_SUCCESS) return no_picture(cairo_status_to_string(status));
  return png;
}

}  // namespace qiao::learn
