"""Runs inside the sandbox, before an agent that knows only addresses: 127.0.0.1 there leads to the gateway's socket.

It stands alone, and of the interpreter's own modules it uses the few that are there at once. Its arguments: the socket,
the port, `--`, the command; it ends with the command, and as that ended.
"""

from __future__ import annotations

import _socket
import _thread
import os
import sys

PIECE = 65_536
BACKLOG = 64


def pump(source: _socket.socket, target: _socket.socket) -> None:
    try:
        while piece := source.recv(PIECE):
            target.sendall(piece)
    except OSError:
        pass
    try:  # noqa: SIM105 - contextlib is not there at once
        target.shutdown(_socket.SHUT_WR)
    except OSError:
        pass


def join(guest: _socket.socket, path: str) -> None:
    """Both ways, until both have ended."""
    door = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        door.connect(path)
        is_over = _thread.allocate_lock()
        is_over.acquire()

        def back() -> None:
            pump(door, guest)
            is_over.release()

        _thread.start_new_thread(back, ())
        pump(guest, door)
        is_over.acquire()
    except OSError:
        pass
    finally:
        door.close()
        guest.close()


def listen(port: int) -> _socket.socket:
    server = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    server.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(BACKLOG)
    return server


def serve(server: _socket.socket, path: str) -> None:
    while True:
        descriptor, _ = server._accept()  # type: ignore[attr-defined] # noqa: SLF001 - its name down there
        _thread.start_new_thread(join, (_socket.socket(fileno=descriptor), path))


def main(words: list[str]) -> int:
    path, port, _, *command = words
    server = listen(int(port))
    child = os.fork()
    if child == 0:
        server.close()
        try:
            os.execvp(command[0], command)  # noqa: S606 - the command is what this is for
        except OSError as error:
            sys.stderr.write(f"forward: execvp {command[0]}: {error.strerror}\n")
            os._exit(127)
    _thread.start_new_thread(serve, (server, path))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(code if code >= 0 else 128 - code)
