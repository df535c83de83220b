// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "broker/streams.h"

namespace qiao::flow {

// The live side of one turn: a new attempt in the stream of its first message and of every message
// merged into it, with decision, pieces, resets and the end. Pieces of a draft are shown as they
// are made; a draft that is rejected is taken back by kReset. The end is part of the turn's commit.
// A stream that refuses (its bounds are reached, another attempt has it) loses the live view only:
// the answer is a message in any case. Flow loop only.
class TurnStream {
 public:
  TurnStream(Streams& streams, std::string name) : streams_(streams) { also(std::move(name)); }

  void also(std::string name);
  void info(std::string_view type, Json data);
  void text(std::string_view piece);
  void reset(std::string_view reason);
  // What makes that which was shown equal to the final text, and the end, for the commit. Another
  // call takes the place of the first.
  std::vector<record::Chunk> prepare_end(std::string_view final_text, const Json& data);
  // The commit has it.
  void show_end();
  // Of a turn that is never committed.
  void end(Json data);

 private:
  struct Name {
    std::string stream;
    Streams::WriterId writer;
  };
  void write(const StreamEvent& event);

  Streams& streams_;
  std::vector<Name> names_;
  std::string shown_;
  bool ended_ = false;
};

}  // namespace qiao::flow
