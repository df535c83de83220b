// SPDX-License-Identifier: Apache-2.0
#include "learn/commands/machine.h"

#include "base/i18n.h"
#include "learn/models/device.h"
#include "learn/training/threads.h"

namespace qiao::learn {

void declare(Arguments& arguments, Machine& machine) {
  arguments.add("--threads", "N", machine.threads, Text::kLearnThreadsHelp);
  arguments.add("--device", "NAME", machine.device, Text::kLearnDeviceHelp);
}

Status use(const Machine& machine, Progress& progress) {
  QIAO_TRY(set_device(machine.device));
  set_threads(machine.threads);
  if (!device().is_cpu()) {
    progress.note(tr(progress.language(), Text::kLearnOnDevice, {device().str()}));
  }
  return {};
}

}  // namespace qiao::learn
