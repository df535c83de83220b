// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "broker/streams.h"

namespace qiao::flow {

// The live side of one turn: writes decision, pieces, resets and the end to the stream of its
// first message and of every message merged into it. Pieces of a draft are shown as they are
// made; a draft that is rejected is taken back by kReset. A stream that refuses (its bounds are
// reached) loses the live view only: the answer is a message in any case. Flow loop only.
class TurnStream {
 public:
  TurnStream(Streams& streams, std::string name) : streams_(streams), names_{std::move(name)} {}

  void also(std::string name) { names_.push_back(std::move(name)); }
  void info(std::string_view type, Json data);
  void text(std::string_view piece);
  void reset(std::string_view reason);
  // Makes what was shown equal to the final text, with the fewest steps.
  void settle(std::string_view final_text);
  void end(Json data);

 private:
  void write(StreamEvent::Kind kind, std::string_view text, Json data);

  Streams& streams_;
  std::vector<std::string> names_;
  std::string shown_;
  bool ended_ = false;
};

}  // namespace qiao::flow
