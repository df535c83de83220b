// SPDX-License-Identifier: Apache-2.0
#include "learn/models/device.h"

#include <charconv>
#include <string_view>

namespace qiao::learn {
namespace {

torch::Device& chosen() {
  static torch::Device device(torch::kCPU);
  return device;
}

}  // namespace

torch::Device device() {
  return chosen();
}

Status set_device(const std::string& name) {
  if (name == "cpu") {
    chosen() = torch::kCPU;
    return {};
  }
  const bool numbered = name.starts_with("cuda:");
  const std::string_view number =
      numbered ? std::string_view(name).substr(std::string_view("cuda:").size()) : "0";
  int index = 0;
  const auto [end, fault] = std::from_chars(number.data(), number.data() + number.size(), index);
  const bool whole = fault == std::errc() && end == number.data() + number.size() && index >= 0;
  if ((name != "cuda" && !numbered) || !whole) {
    return invalid_argument("--device " + name + ": cpu, cuda or cuda:N");
  }
  const auto there =
      static_cast<int>(torch::cuda::is_available() ? torch::cuda::device_count() : 0);
  if (there == 0) {
    return Error{
        Code::kUnsupported,
        "--device " + name +
            ": this libtorch sees no CUDA device (Debian's package is for CPUs alone); "
            "build Qiao with a CUDA libtorch (-DCMAKE_PREFIX_PATH=…), or use --device cpu"};
  }
  if (index >= there) {
    return Error{Code::kUnsupported,
                 "--device " + name + ": there are " + std::to_string(there) + " CUDA devices"};
  }
  chosen() = torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
  return {};
}

}  // namespace qiao::learn
