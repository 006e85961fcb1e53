"""One processor, as a function has a share of one: 512 MB are 0.29 of it.

Two threads that read at the same time on two processors hand the interpreter to each other across them, which costs CPU
that no function of ours ever spends.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_processor() -> Iterator[None]:
    """This process, and what it starts, on one processor; the engine stays on all. Where the system cannot, on all."""
    if not hasattr(os, "sched_setaffinity"):  # macOS
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
