"""Compression with the `websockets` package: as a client of echo_server, as a server of wscat."""

import json
import os
import re
import threading

from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.sync.client import connect
from websockets.sync.server import serve

from common import Tap, check, expect, run_checks

CLIENT = "deflate, python websockets client"
CAT = "deflate, wscat, python websockets server"
MIB = 1 << 20
RECORDS = (
    {"id": id, "name": f"user {id}", "active": id % 3 == 0, "tags": ["a", "é"]}
    for id in range(20000)
)
TEXT = json.dumps(list(RECORDS), ensure_ascii=False)[:MIB]


def open_to(t, port, **options):
    tap = Tap(t, port)
    ws = connect(
        tap.url, proxy=None, open_timeout=5, close_timeout=5, max_size=4 * MIB, **options
    )
    t.after(ws.close)
    return tap, ws


def port_of(server):
    return int(re.search(r":(\d+)/", server.url)[1])


def echoes(ws, message):
    ws.send(message)
    if ws.recv(timeout=10) != message:
        raise AssertionError(f"a message of length {len(message)} did not come back as it was")


def compressed(recorded, what):
    """Insists that the first message, a text in any number of fragments, was compressed."""
    _, frames = recorded
    opcode, rsv1, length = frames[0]
    expect((opcode, rsv1), (1, True), f"opcode and RSV1 of the text {what}")
    for opcode, rsv1, more in frames[1:]:
        if opcode != 0:
            break
        expect(rsv1, False, "RSV1 of a continuation")
        length += more
    if length > len(TEXT) / 3:
        raise AssertionError(f"the text {what} has {length} bytes on the wire")


def uncompressed(recorded, what):
    _, frames = recorded
    if not frames or any(rsv1 for _, rsv1, _ in frames):
        raise AssertionError(f"RSV1 among the frames {what}")


def names(extensions, what):
    for part in what:
        if part not in (extensions or ""):
            raise AssertionError(f"no '{part}' in '{extensions}'")


WAYS = [
    ("as by default", [], {}, []),
    (
        "without takeover",
        ["--server-no-context-takeover", "--client-no-context-takeover"],
        {},
        ["server_no_context_takeover", "client_no_context_takeover"],
    ),
    (
        "without takeover, as the client asks",
        [],
        {"server_no_context_takeover": True, "client_no_context_takeover": True},
        ["server_no_context_takeover", "client_no_context_takeover"],
    ),
    (
        "with small windows",
        ["--server-max-window-bits", "9", "--client-max-window-bits", "10"],
        {"client_max_window_bits": True},
        ["server_max_window_bits=9", "client_max_window_bits=10"],
    ),
    (
        "with small windows, as the client asks",
        [],
        {"server_max_window_bits": 10, "client_max_window_bits": 9},
        ["server_max_window_bits=10", "client_max_window_bits=9"],
    ),
]

for what, args, factory, answer in WAYS:

    @check(f"{CLIENT}: 1 MiB of JSON and of random bytes are echoed {what}")
    def _(t, args=args, factory=factory, answer=answer):
        options = {"extensions": [ClientPerMessageDeflateFactory(**factory)]} if factory else {}
        tap, ws = open_to(t, port_of(t.echo_server(*args)), **options)
        echoes(ws, TEXT)
        echoes(ws, os.urandom(MIB))
        echoes(ws, TEXT)
        names(tap.received()[0], ["permessage-deflate", *answer])
        compressed(tap.sent(), "sent")
        compressed(tap.received(), "received")


@check(f"{CLIENT}: fragments and empty messages share a context")
def _(t):
    tap, ws = open_to(t, port_of(t.echo_server()))
    for parts in (["", ""], ["a", "", "b"], ["é" * 100, "", ""], ["", "", "c" * 5000], [""]):
        for _ in range(3):
            ws.send(parts)
            expect(ws.recv(timeout=10), "".join(parts), "the echo")
            echoes(ws, "".join(parts))
    expect(tap.sent()[1][0][1], True, "RSV1")


@check(f"{CLIENT}: with --no-deflate none is negotiated")
def _(t):
    tap, ws = open_to(t, port_of(t.echo_server("--no-deflate")))
    echoes(ws, TEXT)
    echoes(ws, os.urandom(MIB))
    names(tap.sent()[0], ["permessage-deflate"])
    expect(tap.received()[0], None, "the answer")
    uncompressed(tap.sent(), "sent")
    uncompressed(tap.received(), "received")


def serve_with(t, handler, **options):
    def handle(ws):
        try:
            handler(ws)
        except ConnectionClosed:
            pass

    server = serve(handle, "127.0.0.1", 0, close_timeout=5, max_size=4 * MIB, **options)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop():
        server.shutdown()
        thread.join(10)

    t.after(stop)
    return Tap(t, server.socket.getsockname()[1])


def echo(ws):
    for message in ws:
        ws.send(message)


def exits(result, code):
    expect(result[0], code, f"exit status (stderr: {result[2]})")


for what, args, factory, answer in [
    ("as by default", [], {}, []),
    (
        "without takeover",
        ["--server-no-context-takeover", "--client-no-context-takeover"],
        {},
        ["server_no_context_takeover"],
    ),
    (
        "with small windows, as the server asks",
        [],
        {"server_max_window_bits": 10, "client_max_window_bits": 9},
        ["server_max_window_bits=10", "client_max_window_bits=9"],
    ),
]:

    @check(f"{CAT}: 1 MiB of JSON comes back {what}")
    def _(t, args=args, factory=factory, answer=answer):
        options = {"extensions": [ServerPerMessageDeflateFactory(**factory)]} if factory else {}
        tap = serve_with(t, echo, **options)
        result = t.wscat(tap.url, *args, "--count", "2", stdin=f"{TEXT}\n{TEXT}\n")
        exits(result, 0)
        expect(result[1], f"{TEXT}\n{TEXT}\n", "stdout")
        names(tap.received()[0], ["permessage-deflate", *answer])
        compressed(tap.sent(), "sent")
        compressed(tap.received(), "received")


@check(f"{CAT}: 1 MiB of random bytes arrives, between texts")
def _(t):
    data = os.urandom(MIB)
    tap = serve_with(t, lambda ws: ([ws.send(one) for one in (TEXT, data, TEXT)], ws.recv()))
    result = t.wscat(tap.url, "--send", "go", "--count", "3")
    exits(result, 0)
    first, *lines, last = result[1].rstrip("\n").split("\n")
    expect(first == TEXT and last == TEXT, True, "the texts are the same")
    expect(bytes.fromhex("".join(lines)), data, "the random bytes")
    expect((2, True) in [frame[:2] for frame in tap.received()[1]], True, "RSV1 of the bytes")


@check(f"{CAT}: with --no-deflate none is offered")
def _(t):
    tap = serve_with(t, echo)
    result = t.wscat(tap.url, "--no-deflate", "--count", "1", stdin=f"{TEXT}\n")
    exits(result, 0)
    expect(result[1], f"{TEXT}\n", "stdout")
    expect((tap.sent()[0], tap.received()[0]), (None, None), "offer and answer")
    uncompressed(tap.sent(), "sent")
    uncompressed(tap.received(), "received")


run_checks()
