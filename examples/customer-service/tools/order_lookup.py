#!/usr/bin/env python3
"""The order-lookup tool of the example: GET /orders/NUMBER answers from orders.sqlite.

Started by the flow with its port in QIAO_TOOL_PORT; listens on loopback only.
"""
import json
import os
import pathlib
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

DATABASE = pathlib.Path(__file__).resolve().parent / "orders.sqlite"
FIELDS = ("order_number", "item_zh", "item_en", "amount", "status_zh", "status_en", "detail_zh", "detail_en", "courier", "ordered_on")


def look_up(number):
    with sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True) as database:
        row = database.execute(
            f"SELECT {', '.join(FIELDS)} FROM orders WHERE order_number = ?", (number.strip().upper(),)).fetchone()
    return dict(zip(FIELDS, row)) if row else None


def answer_for(order):
    """The order in one sentence per language (the reply when no model words it) and a few facts."""
    number = order["order_number"]
    return {
        "found": True, "order_number": number, "amount": order["amount"],
        "courier": order["courier"], "ordered_on": order["ordered_on"],
        "summary_zh": f"您的订单 {number}（{order['item_zh']}）{order['status_zh']}：{order['detail_zh']}",
        "summary_en": f"Your order {number} ({order['item_en']}) is {order['status_en']}. {order['detail_en']}"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, {"ok": True})
        if not self.path.startswith("/orders/"):
            return self.answer(404, {"error": "unknown path"})
        number = unquote(self.path.removeprefix("/orders/"))
        order = look_up(number)
        if order:
            return self.answer(200, answer_for(order))
        return self.answer(200, {
            "found": False, "order_number": number,
            "summary_zh": f"没有查到订单 {number}，请核对一下订单号。",
            "summary_en": f"I found no order {number}. Please check the number."})

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
