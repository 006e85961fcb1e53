"""Fixtures of the local stack's tests."""

import pytest

from tests.ports import free_pair


@pytest.fixture
def unused_port() -> int:
    """A port that is free, and so is the one after it."""
    return free_pair()
