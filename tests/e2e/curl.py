#!/usr/bin/env python3
"""What the tutorial asks of curl, for a machine that has none: ``-s -i -H``, and ``-d`` with a text or ``@file``."""

import argparse
import http.client
import sys
from pathlib import Path
from urllib.parse import urlsplit


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-i", action="store_true")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d", default="")
    parser.add_argument("url")
    given = parser.parse_args()
    data = given.d.encode()
    if given.d.startswith("@"):
        data = sys.stdin.buffer.read() if given.d == "@-" else Path(given.d[1:]).read_bytes()
    where = urlsplit(given.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=300)
    headers = dict(header.split(": ", 1) for header in given.H)
    connection.request("POST" if data else "GET", given.url.split(where.netloc, 1)[1], data or None, headers)
    answer = connection.getresponse()
    if given.i:
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(": ".join(header) for header in answer.getheaders())]
        sys.stdout.write("\r\n".join([*lines, "", ""]))
    sys.stdout.write(answer.read().decode())
    connection.close()


if __name__ == "__main__":
    main()
