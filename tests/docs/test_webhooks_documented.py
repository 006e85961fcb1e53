"""docs/webhooks.md: its code verifies what we send, and its figures are those of the code."""

import time
from typing import Any, Final

from loyalty.channels.signing import headers, secret_of
from loyalty.webhooks.delivery import KEPT_S, PAUSES_S, SETTLE_S, TRIED_S
from loyalty.webhooks.endpoint import FAILING_S, OVERLAP_S
from loyalty.webhooks.service import IN_A_ROW, REST_S, TIMEOUT_S
from tests.docs.console import ROOT

TEXT: Final = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET: Final = secret_of(bytes(range(32)))


def test_the_code_for_receivers_verifies_ours_and_nothing_else() -> None:
    names: dict[str, Any] = {}
    exec(TEXT.split("```python\n", 1)[1].split("```", 1)[0], names)  # noqa: S102 - it is what partners will run
    verified, now, body = names["verified"], int(time.time()), '{"points": "积"}'.encode()
    sent = headers((secret_of(bytes(32)), SECRET), "evt_1", now, body)
    assert verified(SECRET, sent, body)
    assert not verified(SECRET, sent, body + b" ")
    assert not verified(SECRET, {**sent, "webhook-id": "evt_2"}, body)
    assert not verified(secret_of(bytes(range(1, 33))), sent, body)
    assert not verified(SECRET, headers((SECRET,), "evt_1", now - 400, body), body)


def test_the_figures_are_those_of_the_code() -> None:
    minutes = ", ".join(str(pause // 60) for pause in PAUSES_S[1:-1])
    assert (PAUSES_S[0], PAUSES_S[-1]) == (30, 3600)
    assert f"again after 30 s, {minutes} minutes and then each hour, for a day" in TEXT
    assert (TRIED_S, KEPT_S, FAILING_S, OVERLAP_S) == (86_400, 30 * 86_400, 3 * 86_400, 86_400)
    assert f"Each event then waits {SETTLE_S} seconds" in TEXT
    assert (IN_A_ROW, REST_S, TIMEOUT_S) == (3, 30, 10)
