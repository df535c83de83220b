// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace qiao {

// models/sentiment-zh.json and models/sentiment-en.json as text.
extern const char* const kSentimentZhJson;
extern const char* const kSentimentEnJson;

}  // namespace qiao
