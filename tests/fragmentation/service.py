# SPDX-License-Identifier: MIT
"""An asyncio service and its clients in one process: a few thousand requests over the loopback, each of
which fills a cache, leaves it, or replaces an entry."""
import asyncio

cache = {}


async def handle(reader, writer):
    key = int(await reader.readline())
    cache[key % 1500] = [str(i) * 3 for i in range(key % 200)]
    writer.write(b"%d\n" % len(cache[key % 1500]))
    await writer.drain()
    writer.close()


async def ask(port, key):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"%d\n" % key)
    await reader.readline()
    writer.close()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for round_number in range(20):
        await asyncio.gather(*(ask(port, round_number * 100 + i) for i in range(100)))
    server.close()


asyncio.run(main())
