"""The stories' own assertions explain themselves as those of tests do."""

import pytest

pytest.register_assert_rewrite("tests.simulation.stories", "tests.simulation.world")
