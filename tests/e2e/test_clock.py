"""A sandbox's clock moved over the days of a campaign by the command, on the deployed stack: everything on its day."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Final

from rich.console import Console

from cli import clock
from cli.api import Api as Commands
from cli.target import Target
from tests.e2e.stack import ALPHA, Stack
from tests.e2e.test_night import Deployed
from tests.patience import ANSWER_S

PROGRAM: Final = "sandbox-days"
MEMBERS: Final = 6
WINDOW: Final = 3
HOUR: Final = 14
CAMPAIGN: Final = """\
program: sandbox-days
templates:
  hello:
    inbox:
      en: {{title: "Hello", text: "Something for you"}}
      zh: {{title: "您好", text: "为您准备"}}
  again:
    inbox:
      en: {{title: "Still there", text: "It waits for you"}}
      zh: {{title: "还在", text: "等您来"}}
campaigns:
  hello:
    name: {{en: Hello, zh: 您好}}
    goal: {{en: One more purchase within 3 days, zh: 3天内再次购买}}
    metric: repurchase
    window_days: {window}
    audience: {{when: member.purchases = 0}}
    control: 0
    calendar: {{from: {first}, until: {last}, hour: {hour}}}
    channels: [inbox]
    steps:
      hello: {{day: 0, message: hello, offer: {{points: 30}}}}
      again: {{day: 2, message: again}}
"""


def test_a_campaign_on_the_way_begins_is_told_and_is_measured_on_its_days(stack: Stack) -> None:
    token = stack.add({**ALPHA, "program": PROGRAM, "sandbox": True, "wallets": ["points"]}).tokens["operator"]
    today = datetime.now(UTC).date()
    first = today + timedelta(days=3)
    with stack.api(token) as operator:
        bodies = [{"identities": [f"card:{number}"], "language": "en"} for number in range(MEMBERS)]
        members = [str(operator.post("/v1/members", body).expect(201)["id"]) for body in bodies]
        days = {"first": first, "last": first + timedelta(days=2), "window": WINDOW, "hour": HOUR}
        operator.post("/v1/campaigns", {"source": CAMPAIGN.format(**days)}, key=None).expect(200)
        assert operator.post("/v1/campaigns/hello/start", key=None).expect(200)["state"] == "scheduled"
        stack.settle()
        with Commands(Target(stack.url, token, patience_s=ANSWER_S)) as api:
            quiet = Console(file=StringIO())
            clock.move(api, f"{first + timedelta(days=WINDOW + 2)}", Deployed(stack), quiet, pause=0.2)

        assert operator.get("/v1/campaigns/hello").expect(200)["state"] == "finished"
        for member in members:
            found = operator.get(f"/v1/members/{member}/entries").expect(200)["entries"]
            assert [one["recorded_at"][:10] for one in found if one.get("campaign") == "hello"] == [f"{first}"]
            inbox = operator.get(f"/v1/members/{member}/inbox").expect(200)["messages"]
            assert [one["at"][:10] for one in inbox] == [f"{first + timedelta(days=2)}", f"{first}"]
        (report,) = operator.get("/v1/campaigns/hello/report").expect(200)["reports"]
        assert report["report"]["final"]
        (measured,) = [one["members"] for one in report["report"]["arms"] if one["name"] == "treated"]
        assert measured == MEMBERS
