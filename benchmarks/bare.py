"""Bare bots to compare with, each a process: `python -m benchmarks.bare <kind> <address> …`.

`telegram` and `slack` are echoes as their libraries' guides write them; `raw-telegram` and `raw-slack` speak the
protocol with no library at all, to show what the fake platform itself can do.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from typing import Any
from urllib.parse import urlsplit

from benchmarks.wire import HOST, Answer, Client, Server


def telegram(address: str) -> None:
    from telegram import Update  # noqa: PLC0415 - one library in a process
    from telegram.ext import Application, ContextTypes, MessageHandler, filters  # noqa: PLC0415

    async def echo(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message is not None
        await update.message.reply_text(update.message.text or "")

    builder = Application.builder().token(os.environ["TELEGRAM_BOT_TOKEN"]).base_url(f"{address}/bot")
    application = builder.concurrent_updates(True).build()
    application.add_handler(MessageHandler(filters.ALL, echo))
    application.run_polling()


def slack(address: str, port: int) -> None:
    from slack_bolt.async_app import AsyncApp  # noqa: PLC0415 - one library in a process
    from slack_sdk.web.async_client import AsyncWebClient  # noqa: PLC0415

    token = os.environ["SLACK_BOT_TOKEN"]
    client = AsyncWebClient(token=token, base_url=f"{address}/api/")
    app = AsyncApp(token=token, client=client, signing_secret=os.environ["SLACK_SIGNING_SECRET"])

    async def echo(event: dict[str, Any], client: AsyncWebClient) -> None:
        await client.chat_postMessage(channel=event["channel"], text=event["text"])

    app.event("message")(echo)
    logging.getLogger("slack_bolt").setLevel(logging.ERROR)
    app.server(port=port, host=HOST).start()


async def raw_telegram(address: str) -> None:
    offset = 0
    idle: list[Client] = []

    async def connect(on_answer: Any) -> Client:
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: Client(on_answer), HOST, urlsplit(address).port or 80
        )
        return client

    def poll(client: Client, body: bytes) -> None:
        nonlocal offset
        for update in json.loads(body)["result"]:
            offset = update["update_id"] + 1
            message = {"chat_id": update["message"]["chat"]["id"], "text": update["message"]["text"]}
            idle.pop().send("/bot0:raw/sendMessage", json.dumps(message).encode())
        client.send("/bot0:raw/getUpdates", b'{"timeout":50,"offset":%d}' % offset)

    idle += [await connect(lambda client, _: idle.append(client)) for _ in range(256)]
    poller = await connect(poll)
    poll(poller, b'{"result":[]}')
    await asyncio.Event().wait()


async def raw_slack(address: str, port: int) -> None:
    idle: list[Client] = []

    def rest(client: Client, _: bytes) -> None:
        idle.append(client)

    def handle(_path: str, body: bytes, answer: Answer) -> None:
        event = json.loads(body)["event"]
        answer(b"")
        message = {"channel": event["channel"], "text": event["text"]}
        idle.pop().send("/api/chat.postMessage", json.dumps(message).encode())

    loop = asyncio.get_running_loop()
    for _ in range(256):
        _, client = await loop.create_connection(lambda: Client(rest), HOST, urlsplit(address).port or 80)
        idle.append(client)
    server = await loop.create_server(lambda: Server(handle), HOST, port, backlog=512)
    await server.serve_forever()


def main(kind: str, address: str, port: int) -> None:
    match kind:
        case "telegram":
            telegram(address)
        case "slack":
            slack(address, port)
        case "raw-telegram":
            asyncio.run(raw_telegram(address))
        case "raw-slack":
            asyncio.run(raw_slack(address, port))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
