"""One way of searching, and the stories' own assertions explain themselves as those of tests do."""

import pytest

from tests.property import profile

profile.load()
pytest.register_assert_rewrite("tests.simulation.stories", "tests.simulation.world")
