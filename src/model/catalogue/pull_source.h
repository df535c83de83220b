// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "model/catalogue/catalogue.h"
#include "model/catalogue/pull_place.h"

namespace qiao::model {

// How far an unfinished pull has come; state.json in its folder. Parts are appended in order, so
// a number of parts and the files' sizes say all.
struct PullState {
  std::string source;  // which source the bytes are from; another one starts over
  std::size_t parts_done = 0;
  std::map<std::string, std::uint64_t> bytes;  // of each file, after parts_done parts
  std::string etag;                            // of the address being fetched
};

// Brings all files of `entry` from one source into `place.partial_directory`, going on where an
// earlier try stopped: behind the last whole part (packages) or byte (addresses). Does not
// verify. `progress` gets the bytes there, never fewer than before. One thread; the caller holds
// the folder's lock.
Status fetch_source(const CatalogueEntry& entry, const ModelSource& source, const ModelPlace& place,
                    const std::function<void(std::uint64_t done)>& progress, std::stop_token stop);

// Forgets everything an earlier try left, so that the next one starts over.
Status forget_partial(const CatalogueEntry& entry, const ModelPlace& place);

// "pypi: a==1 … (22 packages)", "file: /a/folder": for cards and errors.
std::string describe_source(const ModelSource& source);

}  // namespace qiao::model
