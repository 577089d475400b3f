"""The fetch process: a few lanes, each of which serves one reference after another.

Started by worker/references/pool.py. It has the providers' credentials and nothing else that is
worth having: no secret of Kafka or Redis is in its environment, no descriptor of the worker is
open, and it may neither write a file nor gain a privilege. It ends when a lane is closed, which the
kernel does where the worker dies.
"""

import json
import os
import socket
import sys
import threading

from worker.decoder.confinement import give_up_privileges
from worker.references import wire
from worker.references.fetch import Fetching
from worker.settings.references import ReferenceSettings

_STDERR = 2


def main(argument: str) -> int:
    """Serve until a lane is closed. `argument` is JSON: settings, max_bytes, lanes."""
    options = json.loads(argument)
    settings = ReferenceSettings.model_validate(options["settings"])
    fetching = Fetching.of(settings, options["max_bytes"])
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, _STDERR)  # start-up errors have been seen; later words may quote what was fetched
    os.close(null)
    posture = give_up_privileges()
    closed = threading.Event()
    for descriptor in options["lanes"]:
        lane = socket.socket(fileno=descriptor)
        serving = (lane, fetching, posture, closed)
        threading.Thread(target=_serve, args=serving, daemon=True).start()
    closed.wait()
    os._exit(0)  # without waiting for the other lanes, whose worker has gone too


def _serve(
    lane: socket.socket, fetching: Fetching, posture: dict[str, bool], closed: threading.Event
) -> None:
    try:
        lane.sendall(wire.ready(posture))
        while True:
            reference = _read(lane, wire.request_size(_read(lane, 4))).decode()
            body = b""
            try:
                body = fetching.fetch(reference)
                reply = wire.fetched(body)
            except Exception as error:  # one event's; the lane goes on to serve others
                reply = wire.failed(error)
            lane.sendall(reply)
            lane.sendall(body)
            del body
    finally:
        closed.set()


def _read(lane: socket.socket, size: int) -> bytes:
    """Exactly so many bytes; EOFError where the lane is closed."""
    data = bytearray()
    while len(data) < size:
        part = lane.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
