"""botocore's session, made for a function that starts: most of the CPU of a start is botocore's."""

import gc
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import msgspec

_making = Lock()


@cache
def _session() -> Any:
    from botocore.loaders import JSONFileLoader, create_loader
    from botocore.session import get_session

    class Models(JSONFileLoader):
        """Reads botocore's descriptions of services. botocore itself makes an ordered dict of every object in them, in
        Python; a plain one keeps its order, too.
        """

        def load_file(self, file_path: str) -> Any:
            """What the file holds that has this path but for the extension; None when there is none."""
            for extension, opening in ((".json", open), (".json.gz", gzip.open)):
                try:
                    with opening(f"{file_path}{extension}", "rb") as file:
                        return msgspec.json.decode(file.read())
                except FileNotFoundError:
                    continue
            return None

    session = get_session()
    loader = create_loader(session.get_config_variable("data_path"))
    loader.file_loader = Models()
    session.register_component("data_loader", loader)
    return session


@contextmanager
def _uncollected() -> Iterator[None]:
    """The collector rests: it would go through what a client is made of again and again, to find that all of it stays.
    What is there after the first client is left out by it for good.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        _freeze()
    finally:
        if collecting:
            gc.enable()


@cache
def _freeze() -> None:
    gc.freeze()


def make_client(service: str, **settings: Any) -> Any:
    """A client of botocore's. All of a running copy's come from one session, which has read botocore's own data by
    then: the second client costs a third of the CPU, or less.
    """
    with _making, _uncollected():  # a session makes one client at a time
        return _session().create_client(service, **settings)
