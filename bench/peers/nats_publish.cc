// SPDX-License-Identifier: Apache-2.0
// Durable publish to NATS JetStream: each publisher waits for the ack of each message.
// nats_publish NAME URL PUBLISHERS BYTES SECONDS
#include <nats/nats.h>

#include <cstdlib>
#include <memory>

#include "latencies.h"

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const int publishers = std::atoi(argv[3]);
  const int bytes = std::atoi(argv[4]);
  const std::string body(static_cast<std::size_t>(bytes), 'x');
  natsConnection* connection = nullptr;
  jsCtx* js = nullptr;
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  const char* subjects[] = {"bench.>"};
  config.Name = "BENCH";
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_FileStorage;
  jsErrCode code{};
  if (natsConnection_ConnectTo(&connection, argv[2]) != NATS_OK ||
      natsConnection_JetStream(&js, connection, nullptr) != NATS_OK ||
      js_AddStream(nullptr, js, &config, nullptr, &code) != NATS_OK) {
    std::fprintf(stderr, "nats: cannot connect or make the stream\n");
    return 1;
  }
  return measure(
      argv[1], publishers, bytes, std::atof(argv[5]), [&](int index) -> std::function<bool()> {
        natsConnection* own = nullptr;
        jsCtx* own_js = nullptr;
        if (natsConnection_ConnectTo(&own, argv[2]) != NATS_OK ||
            natsConnection_JetStream(&own_js, own, nullptr) != NATS_OK)
          return {};
        const std::string subject = "bench." + std::to_string(index);
        return [=, &body] {
          jsPubAck* ack = nullptr;
          const natsStatus status = js_Publish(&ack, own_js, subject.c_str(), body.data(),
                                               static_cast<int>(body.size()), nullptr, nullptr);
          jsPubAck_Destroy(ack);
          return status == NATS_OK;
        };
      });
}
