#!/usr/bin/env python3
"""A gate that has ClamAV look at an upload before it is published.

Usage: clamd_gate.py HOST:PORT, or clamd_gate.py /run/clamav/clamd.ctl

It sends the upload to clamd (INSTREAM, clamd(8)), so that the daemon needs no right to read files.
Exit status 0: clean; 1: something was found, and its name is printed; 2: clamd gave no answer.
"""

import os
import socket
import struct
import sys

CHUNK_SIZE = 256 * 1024
SECONDS = 60.0


def connected(place):
    """Return a connection to clamd."""
    if place.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SECONDS)
        connection.connect(place)
        return connection
    host, _, port = place.rpartition(":")
    return socket.create_connection((host, int(port)), SECONDS)


def answer_about(path, place):
    """Return what clamd says about a file: ``stream: OK``, ``stream: NAME FOUND``."""
    with connected(place) as connection, open(path, "rb") as file:
        connection.sendall(b"zINSTREAM\0")
        while chunk := file.read(CHUNK_SIZE):
            connection.sendall(struct.pack("!L", len(chunk)) + chunk)
        connection.sendall(struct.pack("!L", 0))
        answer = b""
        while not answer.endswith(b"\0"):
            piece = connection.recv(4096)
            if not piece:
                break
            answer += piece
    return answer.rstrip(b"\0").decode("utf-8", "replace").strip()


def main():
    """Ask clamd, and exit with the status for the gate."""
    try:
        answer = answer_about(os.environ["FTPSERVICE_FILE"], sys.argv[1])
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if answer.endswith(" FOUND"):
        name = answer.removeprefix("stream: ").removesuffix(" FOUND")
        print(f"The file has a virus: {name}.")
        return 1
    if answer == "stream: OK":
        return 0
    print(answer, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
