"""The `websockets` package as a client of echo_server."""

import os
import signal

from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError
from websockets.sync.client import connect

from common import check, expect, run_checks

CLIENT = "python websockets client"


def open_to(t, server, **options):
    ws = connect(
        server.url, compression=None, proxy=None, open_timeout=5, close_timeout=5, **options
    )
    t.after(ws.close)
    return ws


def echoes(ws, message):
    ws.send(message)
    expect(ws.recv(timeout=10), message, "the echo")


def close_code(ws):
    """The code and reason that the server closes with."""
    try:
        message = ws.recv(timeout=10)
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            raise AssertionError("the connection ended without a close frame") from closed
        return closed.rcvd.code
    raise AssertionError(f"a message of length {len(message)} instead of a close")


@check(f"{CLIENT}: text is echoed, empty text as well")
def _(t):
    ws = open_to(t, t.echo_server())
    echoes(ws, "héllo ✓")
    echoes(ws, "")


@check(f"{CLIENT}: binary messages around the length boundaries are echoed")
def _(t):
    ws = open_to(t, t.echo_server())
    for size in (0, 125, 126, 65535, 65536, 1 << 20):
        echoes(ws, os.urandom(size))


@check(f"{CLIENT}: fragmented text and binary are echoed whole")
def _(t):
    ws = open_to(t, t.echo_server())
    ws.send(["h", "éll", "", "o ✓"])
    expect(ws.recv(timeout=10), "héllo ✓", "the echo")
    parts = [os.urandom(size) for size in (1, 126, 70000)]
    ws.send(parts)
    expect(ws.recv(timeout=10), b"".join(parts), "the echo")


@check(f"{CLIENT}: pings get pongs with the same payload")
def _(t):
    ws = open_to(t, t.echo_server())
    for payload in (b"", b"ping", os.urandom(125)):
        if not ws.ping(payload).wait(5):
            raise AssertionError(f"no pong to a ping of {len(payload)} bytes")


@check(f"{CLIENT}: close(3001, 'bye') gets 3001 back")
def _(t):
    ws = open_to(t, t.echo_server())
    ws.close(3001, "bye")
    expect(ws.close_code, 3001, "the close code")
    if ws.protocol.close_rcvd is None:
        raise AssertionError("no close frame came back")


@check(f"{CLIENT}: the subprotocol both sides know is negotiated")
def _(t):
    server = t.echo_server("--subprotocol", "chat")
    ws = open_to(t, server, subprotocols=["superchat", "chat"])
    expect(ws.subprotocol, "chat", "the subprotocol")
    echoes(ws, "spoken in chat")


@check(f"{CLIENT}: asking only for an unknown subprotocol negotiates none")
def _(t):
    server = t.echo_server("--subprotocol", "chat")
    try:
        ws = open_to(t, server, subprotocols=["superchat"])
    except (InvalidStatus, NegotiationError):
        return
    expect(ws.subprotocol, None, "the subprotocol")


@check(f"{CLIENT}: a message over --max-message-size gets 1009")
def _(t):
    ws = open_to(t, t.echo_server("--max-message-size", "1000"))
    echoes(ws, os.urandom(1000))
    ws.send(os.urandom(1001))
    expect(close_code(ws), 1009, "the close code")


@check(f"{CLIENT}: an origin that is not listed is refused with 403")
def _(t):
    server = t.echo_server("--allow-origin", "https://one.example")
    open_to(t, server, origin="https://one.example")
    try:
        open_to(t, server, origin="https://other.example")
    except InvalidStatus as refused:
        expect(refused.response.status_code, 403, "the status")
        return
    raise AssertionError("the handshake was accepted")


@check(f"{CLIENT}: SIGINT closes every connection with 1001 and the server exits with 0")
def _(t):
    server = t.echo_server()
    both = [open_to(t, server), open_to(t, server)]
    echoes(both[0], "in use")
    server.send_signal(signal.SIGINT)
    expect([close_code(ws) for ws in both], [1001, 1001], "the close codes")
    expect(server.wait(10), 0, "the exit status of echo_server")


run_checks()
