# SPDX-License-Identifier: MIT
"""An asyncio service and eight clients on one loop: each request is a line of JSON over a Unix socket, parsed, looked
up, answered; a bounded session store. A round is 400 requests."""
import asyncio
import json
import os
import tempfile

from measured import measured

SESSIONS = {}


def handle(request):
    session = SESSIONS.setdefault(request["user"], {"seen": [], "name": request["user"].title()})
    session["seen"] = session["seen"][-20:] + [request["id"]]
    rows = [{"id": n, "title": f"item {n} of {request['query']}", "price": n * 1.25} for n in range(12)]
    return {"user": session["name"], "rows": rows, "seen": len(session["seen"])}


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(json.dumps(handle(json.loads(line))).encode() + b"\n")
        await writer.drain()
    writer.close()


async def client(path, who, number):
    reader, writer = await asyncio.open_unix_connection(path)
    for n in range(50):
        request = {"id": number * 50 + n, "user": f"user {who * 31 + n % 17}", "query": "shoes" * (n % 5 + 1)}
        writer.write(json.dumps(request).encode() + b"\n")
        json.loads(await reader.readline())
    writer.close()
    await writer.wait_closed()


async def ask(path, number):
    await asyncio.gather(*(client(path, who, number) for who in range(8)))


with tempfile.TemporaryDirectory() as here:
    socket = os.path.join(here, "service")
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_unix_server(serve, socket))
    measured(lambda number: loop.run_until_complete(ask(socket, number)), 110)
    server.close()
    loop.run_until_complete(server.wait_closed())
    loop.close()
