"""One way of searching for all of these tests."""

from tests.property import profile

profile.load()
