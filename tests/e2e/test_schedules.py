"""What the scheduler calls, as it is deployed: its own targets, fired by the emulator's scheduler."""

import secrets
from datetime import UTC, datetime

from tests.e2e.stack import ALPHA, Stack
from tests.patience import eventually

PROGRAM = "watched"


def test_the_schedule_of_the_fit_calls_it_for_a_programme_that_has_no_entry_yet(stack: Stack) -> None:
    programme = stack.add({**ALPHA, "program": PROGRAM})
    with stack.api(programme.tokens["operator"]) as operator:
        policy = operator.get("/v1/program").expect(200)
        watching = {**policy, "churn": {"threshold": "0.5", "onboarding_days": 45}}
        operator.call("PUT", "/v1/program", watching, headers={"If-Match": '"1"'}).expect(200)
        assert "newest" not in operator.get("/v1/churn").expect(200)

        (name,) = [name for name in stack.schedules if name.endswith("churn_fit")]
        deployed = stack.schedules[name]
        assert deployed["State"] == "ENABLED"
        # Nobody waits for Monday: the same target, once, now.
        stack.client("scheduler").create_schedule(
            Name=f"now-{secrets.token_hex(4)}",
            ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow=deployed["FlexibleTimeWindow"],
            Target=deployed["Target"],
            ActionAfterCompletion="DELETE",
        )
        eventually(lambda: "newest" in operator.get("/v1/churn").expect(200))
        newest = operator.get("/v1/churn").expect(200)["newest"]
        assert newest["refused"].startswith("0 weeks of purchases")
