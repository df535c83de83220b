// SPDX-License-Identifier: Apache-2.0
// Durable publish to Redis Streams (appendfsync always): XADD, each publisher waits for its reply.
// redis_publish NAME PORT PUBLISHERS BYTES SECONDS
#include <hiredis/hiredis.h>

#include <cstdlib>

#include "latencies.h"

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const int bytes = std::atoi(argv[4]);
  const std::string body(static_cast<std::size_t>(bytes), 'x');
  return measure(argv[1], std::atoi(argv[3]), bytes, std::atof(argv[5]),
                 [&](int index) -> std::function<bool()> {
                   redisContext* own = redisConnect("127.0.0.1", std::atoi(argv[2]));
                   if (own == nullptr || own->err != 0) return {};
                   const std::string stream = "bench." + std::to_string(index);
                   return [=, &body] {
                     auto* reply = static_cast<redisReply*>(redisCommand(
                         own, "XADD %s * b %b", stream.c_str(), body.data(), body.size()));
                     const bool ok = reply != nullptr && reply->type == REDIS_REPLY_STRING;
                     if (reply != nullptr) freeReplyObject(reply);
                     return ok;
                   };
                 });
}
