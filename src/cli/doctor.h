// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace qiao::cli {

enum class Health { kOk, kWarn, kFail };

// One thing that was looked at, and what to do where it is not well.
struct Check {
  std::string name;  // stable, for programs: "data", "disk", …
  Health health = Health::kOk;
  std::string found;
  std::string advice;
};

struct DoctorOptions {
  std::string listen;   // "": what the config says
  bool verify = false;  // read every model file whole
};

// Looks at this machine as a place for a server: data directory, disk, port, models, threads,
// what is built in, the server if one runs, and qiao-learn, which it starts. Changes nothing but a
// file of its own in the data directory and a temporary folder, which it removes.
std::vector<Check> examine(const Session& session, const DoctorOptions& options);

}  // namespace qiao::cli
