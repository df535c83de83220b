// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace qiao {

// models/sentiment-*.json and models/completeness-*.json as text.
extern const char* const kSentimentZhJson;
extern const char* const kSentimentEnJson;
extern const char* const kCompletenessZhJson;
extern const char* const kCompletenessEnJson;

}  // namespace qiao
