"""The `websockets` package as a client of echo_server over TLS.

The asyncio client: the one with threads reads and writes one TLS stream from two
of them, and at times loses its request that way, whatever the server.
"""

import asyncio
import os
import ssl

from websockets.asyncio.client import connect

from common import check, expect, run_checks

CLIENT = "tls, python websockets client"


def tls_server(t):
    server = t.echo_server("--cert", os.environ["TLS_CERT"], "--key", os.environ["TLS_KEY"])
    server.url = server.url.replace("ws://127.0.0.1", "wss://localhost")
    return server


def open_to(url, **options):
    trust = ssl.create_default_context(cafile=os.environ["TLS_CA"])
    options = {"compression": None, "ssl": trust, **options}
    return connect(url, proxy=None, open_timeout=5, close_timeout=5, **options)


def check_async(name):
    """As `check`, for a coroutine."""
    return lambda body: check(f"{CLIENT}: {name}")(lambda t: asyncio.run(body(t)))


async def echoes(ws, message):
    await ws.send(message)
    expect(await asyncio.wait_for(ws.recv(), 10), message, "the echo")


@check_async("text, binary and 1 MiB are echoed, by name and by address")
async def _(t):
    server = tls_server(t)
    for url in (server.url, server.url.replace("localhost", "127.0.0.1")):
        async with open_to(url) as ws:
            expect(ws.protocol.extensions, [], "the extensions")
            for message in ("héllo ✓", "", os.urandom(126), os.urandom(1 << 20), "é" * (1 << 19)):
                await echoes(ws, message)


@check_async("compression is negotiated, and 1 MiB of text and of random bytes are echoed")
async def _(t):
    # Its limit is for the compressed size as well, which for random bytes is the larger.
    async with open_to(tls_server(t).url, compression="deflate", max_size=2 << 20) as ws:
        names = [extension.name for extension in ws.protocol.extensions]
        expect(names, ["permessage-deflate"], "the extensions")
        for message in ("é" * (1 << 19), os.urandom(1 << 20), "", "again"):
            await echoes(ws, message)


@check_async("pings get pongs")
async def _(t):
    async with open_to(tls_server(t).url) as ws:
        await asyncio.wait_for(await ws.ping(b"ping"), 5)


@check_async("close(3001, 'bye') gets 3001 back")
async def _(t):
    async with open_to(tls_server(t).url) as ws:
        await echoes(ws, "one")
        await ws.close(3001, "bye")
        if ws.protocol.close_rcvd is None:
            raise AssertionError("no close frame came back")
        expect(ws.protocol.close_rcvd.code, 3001, "the close code")


@check_async("without the CA it does not trust the server")
async def _(t):
    server = tls_server(t)
    try:
        async with open_to(server.url, ssl=ssl.create_default_context()):
            pass
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("the certificate was accepted")


run_checks()
