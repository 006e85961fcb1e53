"""What all of these tests share: one way of searching, and the functions as they run."""

from collections.abc import Iterator

import pytest

from tests.property import profile
from tests.stack.confined import Confined
from tests.unit.running import Running, forget

profile.load()


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """One programme's deployment; each function may touch only what its role allows."""
    deployed = Confined().deploy(monkeypatch)
    deployed.establish()
    yield deployed
    forget()
