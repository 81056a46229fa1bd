"""wscat against a server of the `websockets` package."""

import http
import queue
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from common import check, expect, run_checks

CAT = "wscat, python websockets server"


def serve_with(t, handler, **options):
    """Starts a server; its `closes` has each close code that came, or None."""
    closes = queue.Queue()

    def handle(ws):
        try:
            handler(ws)
        except ConnectionClosed:
            pass
        ws.close()
        closes.put(ws.protocol.close_rcvd and ws.protocol.close_rcvd.code)

    server = serve(handle, "127.0.0.1", 0, close_timeout=5, **options)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop():
        server.shutdown()
        thread.join(10)

    t.after(stop)
    server.closes = closes
    server.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
    return server


def echo(ws):
    for message in ws:
        ws.send(message)


def listen(ws):
    for _ in ws:
        pass


def exits(result, code):
    expect(result[0], code, f"exit status (stderr: {result[2]})")


@check(f"{CAT}: --send with --count prints the replies, closes with 1000 and exits 0")
def _(t):
    server = serve_with(t, echo)
    result = t.wscat(server.url, "--send", "one", "--send", "héllo ✓", "--count", "2")
    exits(result, 0)
    expect(result[1], "one\nhéllo ✓\n", "stdout")
    expect(server.closes.get(timeout=10), 1000, "the close code")


@check(f"{CAT}: stdin's lines are sent and their replies printed")
def _(t):
    server = serve_with(t, echo)
    result = t.wscat(server.url, stdin="one\ntwo words\nhéllo ✓\n")
    exits(result, 0)
    expect(result[1], "one\ntwo words\nhéllo ✓\n", "stdout")


@check(f"{CAT}: a binary message is shown as hex")
def _(t):
    server = serve_with(t, lambda ws: (ws.send(bytes([0, 1, 0xFE, 0xFF])), listen(ws)))
    result = t.wscat(server.url, "--send", "go", "--count", "1")
    exits(result, 0)
    expect("".join(result[1].split()).lower(), "0001feff", "stdout")


@check(f"{CAT}: a fragmented text is printed whole")
def _(t):
    server = serve_with(t, lambda ws: (ws.send(["h", "éll", "o ✓"]), listen(ws)))
    result = t.wscat(server.url, "--send", "go", "--count", "1")
    exits(result, 0)
    expect(result[1], "héllo ✓\n", "stdout")


@check(f"{CAT}: a ping is answered")
def _(t):
    answered = []
    server = serve_with(t, lambda ws: answered.append(ws.ping(b"there?").wait(5)))
    exits(t.wscat(server.url, "--send", "go"), 0)
    expect(answered, [True], "the pongs")


@check(f"{CAT}: the server closes with 1000 and it exits 0")
def _(t):
    server = serve_with(t, lambda ws: (ws.recv(), ws.send("bye"), ws.close(1000, "enough")))
    result = t.wscat(server.url, "--send", "one")
    exits(result, 0)
    expect(result[1], "bye\n", "stdout")


@check(f"{CAT}: a handshake refused with 401 exits 1 and shows status and body")
def _(t):
    server = serve_with(
        t,
        echo,
        process_request=lambda ws, _: ws.respond(http.HTTPStatus.UNAUTHORIZED, "who goes there\n"),
    )
    result = t.wscat(server.url, "--send", "one")
    exits(result, 1)
    expect(result[1], "", "stdout")
    for part in ("401", "who goes there"):
        if part not in result[2]:
            raise AssertionError(f"stderr has no '{part}': {result[2]}")


@check(f"{CAT}: subprotocol, header and origin reach the server")
def _(t):
    seen = {}

    def look(ws):
        seen["subprotocol"] = ws.subprotocol
        seen["token"] = ws.request.headers.get("X-Token")
        seen["origin"] = ws.request.headers.get("Origin")
        seen["path"] = ws.request.path
        echo(ws)

    server = serve_with(t, look, subprotocols=["chat"], origins=["https://one.example"])
    exits(
        t.wscat(
            f"{server.url}some/path?q=1",
            *("--send", "one", "--count", "1", "--subprotocol", "chat"),
            *("--header", "X-Token: a b:c", "--origin", "https://one.example"),
        ),
        0,
    )
    expect(
        seen,
        {
            "subprotocol": "chat",
            "token": "a b:c",
            "origin": "https://one.example",
            "path": "/some/path?q=1",
        },
        "what the server saw",
    )


run_checks()
