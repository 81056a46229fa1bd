"""What the Python checks share: running named checks and starting programs."""

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading

CHECKS = []


def check(name):
    """Registers a function as the check `name`; it gets a `Scope`."""

    def register(body):
        CHECKS.append((name, body))
        return body

    return register


def expect(actual, expected, what):
    if actual != expected:
        raise AssertionError(f"{what}: {short(expected)} expected, {short(actual)} came")


def short(value):
    if isinstance(value, (bytes, str)) and len(value) > 80:
        return f"{type(value).__name__} of length {len(value)}"
    return repr(value)


class Scope:
    """What one check started; all of it is gone when the check is over."""

    def __init__(self):
        self.cleanups = []

    def after(self, cleanup):
        self.cleanups.append(cleanup)

    def end(self):
        for cleanup in reversed(self.cleanups):
            cleanup()

    def spawn(self, args, stdin=subprocess.DEVNULL):
        process = subprocess.Popen(
            args,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

        def stop():
            process.kill()
            process.wait(10)
            process.stdout.close()
            process.stderr.close()

        self.after(stop)
        return process

    def echo_server(self, *args):
        """Starts `echo_server` on a free port and waits until it listens."""
        adapter = ["--adapter", os.environ["ECHO_SERVER_ADAPTER"]]
        process = self.spawn(
            [os.environ["ECHO_SERVER"], *adapter, "--addr", "127.0.0.1:0", *args]
        )
        lines = queue.Queue()
        complaints = []

        def read(stream, take):
            try:
                for line in stream:
                    take(line)
            except ValueError:
                pass  # closed at the end of the check
            take("")

        for stream, take in (
            (process.stdout, lines.put),
            (process.stderr, complaints.append),
        ):
            threading.Thread(target=read, args=(stream, take), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=10)
            except queue.Empty:
                raise AssertionError("echo_server printed no address in 10 s") from None
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            if found:
                process.url = f"ws://127.0.0.1:{found[1]}/"
                return process
            if line == "":
                process.wait(5)
                raise AssertionError(
                    f"echo_server ended with {process.returncode} before it listened: "
                    + "".join(complaints)
                )

    def wscat(self, *args, stdin=None):
        """Runs `wscat` to its end: its status, stdout and stderr."""
        process = self.spawn(
            [os.environ["WSCAT"], *args],
            subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        )
        stdout, stderr = process.communicate(stdin, timeout=15)
        return process.returncode, stdout, stderr


class Tap:
    """A proxy before a server on `port` that records what passes."""

    def __init__(self, scope, port):
        self.target = ("127.0.0.1", port)
        self.passed = []
        self.sockets = [socket.create_server(("127.0.0.1", 0))]
        self.url = f"ws://127.0.0.1:{self.sockets[0].getsockname()[1]}/"
        scope.after(self.stop)
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        for each in self.sockets:
            # Only this wakes a thread that reads from it.
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()

    def accept(self):
        try:
            while True:
                client, _ = self.sockets[0].accept()
                server = socket.create_connection(self.target)
                self.sockets += [client, server]
                self.passed = sent, received = bytearray(), bytearray()
                for way in ((client, server, sent), (server, client, received)):
                    threading.Thread(target=pump, args=way, daemon=True).start()
        except OSError:
            pass  # stopped

    def sent(self):
        """What the last client said of extensions, and its data frames."""
        return recorded(bytes(self.passed[0]))

    def received(self):
        return recorded(bytes(self.passed[1]))


def pump(source, sink, record):
    try:
        while data := source.recv(65536):
            record += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # stopped


def recorded(data):
    """The extensions that a head names, and the data frames behind it: opcode, RSV1, length."""
    head, _, data = data.partition(b"\r\n\r\n")
    found = re.search(rb"(?im)^sec-websocket-extensions: *(.*?)\r?$", head)
    frames = []
    while len(data) >= 2:
        length, size = data[1] & 0x7F, 2
        if length > 125:
            size = 4 if length == 126 else 10
            length = int.from_bytes(data[2:size], "big")
        if data[1] & 0x80:
            size += 4
        if data[0] & 0x08 == 0:
            frames.append((data[0] & 0x0F, data[0] & 0x40 != 0, length))
        data = data[size + length :]
    return found and found[1].decode(), frames


class TooLong(BaseException):
    """Not an Exception, so that nothing a check catches by accident holds it."""


def run_checks(seconds=20):
    def alarm(*_):
        raise TooLong

    signal.signal(signal.SIGALRM, alarm)
    print(f"1..{len(CHECKS)}")
    failed = 0
    for name, body in CHECKS:
        scope = Scope()
        why = None
        signal.alarm(seconds)
        try:
            body(scope)
        except TooLong:
            why = f"not over after {seconds} s"
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        signal.alarm(seconds)
        try:
            scope.end()
        except TooLong:
            why = why or f"not cleaned up after {seconds} s"
        except Exception as error:
            why = why or f"{type(error).__name__}: {error}"
        signal.alarm(0)
        if why is None:
            print(f"ok - {name}")
        else:
            failed += 1
            print(f"not ok - {name}: {' '.join(why.split())[:600]}")
    sys.stdout.flush()
    # Threads of a failed check must not keep the process.
    os._exit(1 if failed else 0)
