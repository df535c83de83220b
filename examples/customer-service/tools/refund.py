#!/usr/bin/env python3
"""The refund tool of the example: POST /refunds/NUMBER pays an order back, once for each Idempotency-Key.

Started by the flow with its port in QIAO_TOOL_PORT; listens on loopback only. It only pretends: a real one
would call the bank, and keep the keys where a restart does not lose them.
"""
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from order_lookup import look_up

done = {}  # by Idempotency-Key
lock = threading.Lock()


def refund(number):
    order = look_up(number)
    if not order:
        return {"refunded": False, "summary_zh": f"没有查到订单 {number}，请核对一下订单号。",
                "summary_en": f"I found no order {number}. Please check the number."}
    amount = order["amount"]
    return {"refunded": True, "amount": amount,
            "summary_zh": f"订单 {order['order_number']} 的退款 {amount} 元已经批准并提交，3 个工作日内原路退回。",
            "summary_en": f"The refund of {amount} yuan for order {order['order_number']} is approved and on its way; "
                          "you will have it within 3 working days."}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.startswith("/refunds/"):
            return self.answer(404, {"error": "unknown path"})
        with lock:
            key = self.headers.get("Idempotency-Key") or object()
            if key not in done:
                done[key] = refund(unquote(self.path.removeprefix("/refunds/")))
            return self.answer(200, done[key])

    def answer(self, status, body):
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["QIAO_TOOL_PORT"])), Handler).serve_forever()
