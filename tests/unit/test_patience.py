"""How long services are waited for."""

from typing import Any

import pytest
from botocore.config import Config

from loyalty.table.client import EMULATOR_S, client_of

ASKED = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 4})


@pytest.mark.parametrize(
    ("environment", "waits"),
    [
        ({}, (1, 3)),
        ({"AWS_ENDPOINT_URL": "https://dynamodb.eu-central-1.vpce.amazonaws.com"}, (1, 3)),
        ({"AWS_ENDPOINT_URL_SNS": "http://127.0.0.1:4577"}, (1, 3)),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4577"}, (EMULATOR_S, EMULATOR_S)),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:4577"}, (EMULATOR_S, EMULATOR_S)),
    ],
)
def test_an_emulator_on_a_busy_machine_is_waited_for_and_aws_as_long_as_was_said(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], waits: tuple[int, int]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client: Any = client_of("dynamodb", config=ASKED)
    found = client.meta.config
    assert (found.connect_timeout, found.read_timeout) == waits
    assert found.retries["total_max_attempts"] == 4
    client.close()
