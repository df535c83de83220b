// SPDX-License-Identifier: Apache-2.0
#include "understand/background.h"

namespace qiao {

const std::vector<std::string>& everyday_sentences(Language language) {
  static const std::vector<std::string> chinese = {
      "今天的作业写完了吗", "这座山有三千多米高", "他昨天去了图书馆", "我打算周末去爬山",
      "这道数学题怎么解",   "妈妈在厨房里做饭",   "地铁几点开始运行", "这本小说的作者是谁",
      "请把窗户关上",       "小狗跑得真快",       "下个月我要去出差", "这首歌是谁唱的",
      "会议改到下午三点",   "牙疼得厉害",         "他的字写得很漂亮", "手机没电了",
      "这条河流向大海",     "我弟弟今年上小学",   "怎样才能睡得好",   "机器学习是什么"};
  static const std::vector<std::string> english = {"have you finished your homework",
                                                   "the mountain is three thousand metres high",
                                                   "he went to the library yesterday",
                                                   "I plan to go hiking at the weekend",
                                                   "how do I solve this equation",
                                                   "my mother is cooking in the kitchen",
                                                   "when does the first train leave",
                                                   "who wrote this novel",
                                                   "please close the window",
                                                   "the little dog runs fast",
                                                   "I am travelling for work next month",
                                                   "who sings this song",
                                                   "the meeting moved to three in the afternoon",
                                                   "my tooth hurts badly",
                                                   "her handwriting is beautiful",
                                                   "my phone battery is empty",
                                                   "the river flows into the sea",
                                                   "my brother starts school this year",
                                                   "how can I sleep better",
                                                   "what is machine learning"};
  return language == Language::kChinese ? chinese : english;
}

Result<std::vector<float>> encode_background(Language language, Model& encoder) {
  const std::vector<std::string>& texts = everyday_sentences(language);
  QIAO_ASSIGN(const Embeddings vectors, embed_and_wait(encoder, texts));
  if (vectors.size() != texts.size()) return internal("the encoder answered for other texts");
  std::vector<float> mean(vectors.front().size(), 0);
  for (const std::vector<float>& vector : vectors) {
    if (vector.size() != mean.size()) return internal("the encoder's vectors differ in length");
    for (std::size_t i = 0; i < mean.size(); ++i) {
      mean[i] += vector[i] / static_cast<float>(vectors.size());
    }
  }
  return mean;
}

}  // namespace qiao
