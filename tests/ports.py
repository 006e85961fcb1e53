"""Ports for those who are told theirs beforehand."""

import random
import socket
from contextlib import ExitStack
from typing import Final

LOWEST: Final = 10_000
HIGHEST: Final = 32_000
"""Below those that systems give to whoever asks for any, and to outgoing connections: between the look at a port and
its use, nobody comes by it by chance.
"""


def free_pair() -> int:
    """A port that is free, and so is the one after it."""
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(LOWEST, HIGHEST)
        with ExitStack() as stack:
            try:
                for one in (port, port + 1):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", one))
            except OSError:
                continue
            return port
