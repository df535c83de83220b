// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/eval_picture.h"

#include <cairo.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

namespace qiao::learn {
namespace {

// A PNG file's bytes read back, as 0xRRGGBB.
class Picture {
 public:
  explicit Picture(std::string png) : png_(std::move(png)) {
    surface_.reset(cairo_image_surface_create_from_png_stream(read, this));
  }
  [[nodiscard]] bool whole() const {
    return cairo_surface_status(surface_.get()) == CAIRO_STATUS_SUCCESS;
  }
  [[nodiscard]] int width() const { return cairo_image_surface_get_width(surface_.get()); }
  [[nodiscard]] int height() const { return cairo_image_surface_get_height(surface_.get()); }
  [[nodiscard]] std::uint32_t at(int x, int y) const {
    const unsigned char* row = cairo_image_surface_get_data(surface_.get()) +
                               y * cairo_image_surface_get_stride(surface_.get());
    std::uint32_t colour = 0;
    std::memcpy(&colour, row + 4 * x, sizeof colour);
    return colour & 0xffffffU;
  }
  // Pixels of that colour within the rows [top, bottom).
  [[nodiscard]] int count(std::uint32_t colour, int top, int bottom) const {
    int found = 0;
    for (int y = top; y < bottom; ++y) {
      for (int x = 0; x < width(); ++x) found += at(x, y) == colour ? 1 : 0;
    }
    return found;
  }

 private:
  static cairo_status_t read(void* self, unsigned char* to, unsigned int size) {
    auto& picture = *static_cast<Picture*>(self);
    if (picture.png_.size() - picture.read_ < size) return CAIRO_STATUS_READ_ERROR;
    std::memcpy(to, picture.png_.data() + picture.read_, size);
    picture.read_ += size;
    return CAIRO_STATUS_SUCCESS;
  }

  std::string png_;
  std::size_t read_ = 0;
  struct Free {
    void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  };
  std::unique_ptr<cairo_surface_t, Free> surface_;
};

TEST(PngOfSvg, IsDrawnOnWhiteAtItsScale) {
  const auto png = png_of_svg(R"(<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2">)"
                              R"(<rect width="2" height="1" fill="#ff0000"/>)"
                              R"(<rect x="2" width="2" height="1" fill="#0072b2"/></svg>)",
                              10);
  ASSERT_TRUE(png) << png.error().message;
  const Picture picture(*png);
  ASSERT_TRUE(picture.whole());
  EXPECT_EQ(picture.width(), 40);
  EXPECT_EQ(picture.height(), 20);
  EXPECT_EQ(picture.at(5, 5), 0xff0000U);
  EXPECT_EQ(picture.at(35, 5), 0x0072b2U);
  EXPECT_EQ(picture.at(5, 15), 0xffffffU);
}

TEST(PngOfSvg, WhatIsNoPictureIsTold) {
  EXPECT_EQ(png_of_svg("<svg", 1).error().code, Code::kInvalidArgument);
  EXPECT_EQ(png_of_svg("", 1).error().code, Code::kInvalidArgument);
  EXPECT_EQ(png_of_svg(R"(<svg xmlns="http://www.w3.org/2000/svg" width="9" height="40000"/>)", 1)
                .error()
                .code,
            Code::kUnsupported);
}

// Text in both languages and markup within names; a bar of full length is as wide as told.
TEST(EvalPicture, ShowsFiguresAndCharts) {
  const Json study = {
      {"n", 4},
      {"accuracy", 0.75},
      {"intervals", {{"accuracy", {0.5, 1.0}}}},
      {"reliability",
       {{{"from", 0.5}, {"to", 0.6}, {"n", 4}, {"accuracy", 0.75}, {"confidence", 0.55}}}},
      {"classes",
       {{{"label", "退款 <b>&"}, {"f1", 1.0}, {"precision", 1.0}, {"recall", 1.0}, {"n", 2}},
        {{"label", "other"}, {"f1", 0.5}, {"precision", 0.5}, {"recall", 0.5}, {"n", 2}}}}};
  for (const Language language : {Language::kEnglish, Language::kChinese}) {
    const auto png = eval_picture(study, {{"bundle", "<意图>"}}, language);
    ASSERT_TRUE(png) << png.error().message;
    const Picture picture(*png);
    ASSERT_TRUE(picture.whole());
    const int height = picture.height();
    EXPECT_GT(picture.count(0x0072b2U, height - 200, height), 2 * (420 + 210) * 20);
    EXPECT_GT(picture.count(0x000000U, 0, 200), 100);  // letters
  }
}

}  // namespace
}  // namespace qiao::learn
