// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "flow/config/flow_config.h"
#include "model/bundle/text_head.h"

namespace qiao {

// Whether a bundle can stand behind a head of the flow: every label that the flow's routes and its
// end ask of the head is one the bundle can give; of a bundle with several heads, the one that the
// flow means. The Error (precondition) names each route with the label it needs, and what the
// bundle has. Pure.
Status check_head(const FlowConfig& flow, const HeadConfig& head, const TextHead& bundle);

}  // namespace qiao
