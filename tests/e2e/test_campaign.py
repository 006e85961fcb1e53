"""A win-back campaign on the deployed stack, over real purchases: from the alert to the measured result, by the test
clock. What households bought is told day by day, as the grocer's file has it; mails are read back from the emulator,
and what the report says is reckoned again from the file.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from cli import night
from cli.api import Api as Commands
from cli.reports import report
from cli.target import Target
from infra.local import examples
from infra.local.examples import Basket
from infra.local.place import ACCOUNT
from loyalty.campaigns.run import Batch, Participant
from loyalty.campaigns.store import CampaignStore
from loyalty.churn.alert import ALERTED, Watch, due
from loyalty.churn.store import ChurnStore
from loyalty.ledger.account import State
from loyalty.table import keys
from tests import year
from tests.e2e import browser
from tests.e2e.calls import Api
from tests.e2e.stack import ALPHA, Stack
from tests.e2e.test_backtest_page import OUTSIDE, OVERLAPS
from tests.e2e.test_channels import looked_at
from tests.e2e.test_night import Deployed
from tests.e2e.test_year import go, invoke, stack_prefix
from tests.patience import ANSWER_S, eventually

PROGRAM: Final = "sandbox-winback"
THEN: Final = date(2017, 1, 22)
"""The first day of the test, in the grocer's file, which has 37 days."""
ALERTS: Final = 3
"""Those take part in the test whose alerts are due on one of the next days, if they buy nothing till then."""
REMINDED: Final = 3
DAYS: Final = ALERTS + REMINDED
"""The campaign's: so long members come in and are told anything."""
WINDOW: Final = 7
WATCH: Final = Watch(threshold=0.7, by="alive", horizon_days=90, onboarding_days=45)
NOON: Final = time(12, tzinfo=UTC)
EVENING: Final = time(23, 55, tzinfo=UTC)
EVER: Final = datetime.min.replace(tzinfo=UTC)
LEAST: Final = 50
"""Members who are alerted on: fewer, and the test would say little."""
SCREENSHOT: Final = "LOYALTY_CAMPAIGN_SCREENSHOT"
"""Environment: where to leave pictures of the page, for people to look at."""
CAMPAIGN: Final = """\
program: sandbox-winback
point_cost: "0.008"
templates:
  missed:
    variables: {{offer_points: points}}
    email:
      en: {{subject: "{{{{ offer_points }}}} points for you", text: "It has been a while. {{{{ unsubscribe }}}}"}}
      zh: {{subject: "{{{{ offer_points }}}}积分等您回来", text: "好久不见。{{{{ unsubscribe }}}}"}}
  reminder:
    email:
      en: {{subject: "Still there", text: "Your points are waiting. {{{{ unsubscribe }}}}"}}
      zh: {{subject: "积分还在", text: "积分等您使用。{{{{ unsubscribe }}}}"}}
campaigns:
  win-back:
    name: {{en: Win back, zh: 流失挽回}}
    goal: {{en: One more purchase within 7 days of the alert, zh: 预警后7天内再次购买}}
    metric: repurchase
    window_days: {window}
    margin: 28%
    smallest: 2%
    audience: {{enter: churn.risk_detected}}
    calendar: {{from: {first}, until: {last}}}
    control: 45
    channels: [email]
    budget: {{points: 50000}}
    stop: {{purchased: true}}
    steps:
      missed: {{day: 0, message: missed, offer: {{points: 300}}}}
      reminder: {{day: {reminded}, message: reminder}}
"""


class Household:
    """One of the file, as a member whose purchases fall on the days of the test."""

    def __init__(self, number: str, baskets: list[Basket], shift: timedelta) -> None:
        self.number = number
        self.email = f"household-{number}@example.org"
        self.bought = sorted(((_moment(one) + shift, one) for one in baskets), key=lambda one: (one[0], one[1].number))

    def within(self, since: datetime, until: datetime) -> list[Basket]:
        return [basket for at, basket in self.bought if since <= at < until]

    def alert(self, now: datetime) -> int | None:
        """The day of the alert, by what was bought before ``now``."""
        days = [at.toordinal() for at, _ in self.bought if at < now]
        if len(days) < 2:
            return None
        account = State(kind="member", status="open", purchases=len(days), first=days[0], last=days[-1])
        return due(account, WATCH, year.PARAMETERS)

    def alerted_on(self, now: datetime) -> bool:
        """Whether the alert has come by then."""
        day = self.alert(now)
        return day is not None and day <= now.toordinal()


def test_a_campaign_wins_back_from_the_alert_to_the_measured_result(stack: Stack, tmp_path: Path) -> None:
    churn = {"threshold": str(WATCH.threshold), "by": WATCH.by, "onboarding_days": WATCH.onboarding_days}
    policy = {**ALPHA, "program": PROGRAM, "sandbox": True, "churn": churn, "wallets": ["points"]}
    token = stack.add(policy).tokens["operator"]
    ChurnStore(stack.table).publish(PROGRAM, year.PARAMETERS)
    today = datetime.now(UTC).date() + timedelta(days=1)
    first, last = today + timedelta(days=1), today + timedelta(days=DAYS)
    end = last + timedelta(days=1 + WINDOW)
    with stack.api(token) as operator:
        go(operator, datetime.combine(today, NOON))
        members = enrolled(operator, chosen(today))
        post(operator, members, EVER, datetime.combine(today, NOON))
        days = {"first": first, "last": last, "window": WINDOW, "reminded": REMINDED}
        operator.post("/v1/campaigns", {"source": CAMPAIGN.format(**days)}, key=None).expect(200)
        assert operator.post("/v1/campaigns/win-back/start", key=None).expect(200)["state"] == "scheduled"
        stack.settle()

        alerted: dict[str, date] = {}
        drawn: dict[str, Participant] = {}
        told: Counter[tuple[str, str]] = Counter()
        since = datetime.combine(today, NOON)
        for day in (today + timedelta(days=ahead) for ahead in range((end - today).days + 1)):
            noon, evening = datetime.combine(day, NOON), datetime.combine(day, EVENING)
            go(operator, noon)
            post(operator, members, since, noon)
            stack.settle()
            hour(stack)
            assert (state(operator) == "scheduled") == (day < first)
            assert night.execute(Deployed(stack), PROGRAM, pause=0.1)["status"] == "SUCCEEDED"
            if first <= day <= last:
                at_risk = [one for one in members if one not in alerted and members[one].alerted_on(noon)]
                alerted |= dict.fromkeys(at_risk, day)
                drawn = all_there(stack, len(alerted))
                assert drawn.keys() == alerted.keys()
                told.update(mails_of(day, drawn, alerted, members, noon))
            eventually(lambda: mailed(stack, members.values()) >= told)
            assert mailed(stack, members.values()) == told
            go(operator, evening)
            post(operator, members, noon, evening)
            stack.settle()
            since = evening

        eventually(lambda: state(operator) == "finished")
        assert len(drawn) >= LEAST
        treated = {account for account, one in drawn.items() if one.treated}
        assert {one.arm for one in drawn.values()} == {"treated", "control"}
        for account in members:
            entries = operator.get(f"/v1/members/{account}/entries?limit=100").expect(200)["entries"]
            assert [one.get("campaign") for one in entries].count("win-back") == (account in treated)
            assert (ALERTED in [one["kind"] for one in entries]) >= (account in alerted)
        (found,) = operator.get("/v1/campaigns/win-back/report").expect(200)["reports"]
        assert found["report"]["final"]
        reckoned = {arm: outcome(members, drawn.values(), arm) for arm in ("treated", "control")}
        arms = {one["name"]: one for one in found["report"]["arms"]}
        for arm, (number, buyers) in reckoned.items():
            assert (arms[arm]["members"], arms[arm]["buyers"]) == (number, buyers)
        assert 0 < reckoned["control"][1] < reckoned["control"][0], "some come back of their own accord"
        assert arms["treated"]["reached"] == len(treated)
        assert arms["treated"]["points"] == 300 * len(treated)
        assert arms["treated"]["messages"] == {"email": told.total()}
        assert found["report"]["money"]["points_cost"] == 240 * len(treated), "300 points of 0.8 cents"
        assert arms["control"]["points"] == arms["control"]["reached"] == 0
    page_is_whole(stack, token, tmp_path / "report.html", found["summary"])


def page_is_whole(stack: Stack, token: str, file: Path, summary: dict[str, list[str]]) -> None:
    """The page that the command writes, in both languages, in a browser."""
    with Commands(Target(stack.url, token, patience_s=ANSWER_S)) as api:
        quiet = Console(file=StringIO())
        report(api, "win-back", page=file, language="en", as_json=False, out=quiet, said=quiet)
    try:
        with browser.page() as page:
            for language, name in {"en": "Win back", "zh": "流失挽回"}.items():
                page.open(f"{file.as_uri()}?lang={language}")
                page.wait_for(f"document.readyState === 'complete' && document.body.className === '{language}'")
                words = page.run("document.body.innerText")
                assert name in words
                assert summary[language][0] in words
                assert page.run(OVERLAPS) == []
                assert page.run(OUTSIDE) == []
                assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
                assert page.seen.errors == []
                if SCREENSHOT in os.environ:
                    page.screenshot(Path(f"{os.environ[SCREENSHOT]}.deployed.{language}.png"))
    except browser.BrowserMissing as missing:
        pytest.fail(str(missing), pytrace=False)


def chosen(today: date) -> list[Household]:
    """Those who are alerted on within the next days if they buy nothing till then."""
    shift = datetime.combine(today, NOON) - datetime.combine(THEN, NOON)
    by: dict[str, list[Basket]] = {}
    for basket in examples.read():
        by.setdefault(basket.household, []).append(basket)
    known = [Household(number, baskets, shift) for number, baskets in by.items()]
    days = range(today.toordinal() + 1, today.toordinal() + ALERTS + 1)
    return [one for one in known if one.alert(datetime.combine(today, NOON)) in days]


def enrolled(operator: Api, households: Iterable[Household]) -> dict[str, Household]:
    """By member id; all of them can be reached by mail."""
    members: dict[str, Household] = {}
    for household in households:
        body = {"identities": [examples.identity(household.number)], "language": "en"}
        account = str(operator.post("/v1/members", body).expect(201)["id"])
        contact = {"addresses": {"email": household.email}, "consents": {"email": True}}
        operator.call("PUT", f"/v1/members/{account}/contact", contact).expect(200)
        members[account] = household
    return members


def post(operator: Api, members: dict[str, Household], since: datetime, until: datetime) -> None:
    """What was bought in that time."""
    for household in members.values():
        for at, basket in household.bought:
            if since <= at < until:
                body = basket.request() | {"occurred_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
                operator.post("/v1/purchases", body).expect(201)


def hour(stack: Stack) -> None:
    """What the scheduler calls every hour and every five minutes."""
    for function in ("campaign_due", "dispatch"):
        invoke(stack, f"{stack_prefix(stack)}{function}", {"program": PROGRAM})


def state(operator: Api) -> str:
    return str(operator.get("/v1/campaigns/win-back").expect(200)["state"])


def taking_part(stack: Stack) -> Iterator[Participant]:
    store = CampaignStore(stack.table)
    for shard in range(keys.PARTICIPANT_SHARDS):
        found, _ = store.participant_keys(PROGRAM, "win-back", shard, "")
        if found:
            yield from store.participants(Batch(PROGRAM, "win-back", 1, "measure", shard, "", found[-1]))


def all_there(stack: Stack, number: int) -> dict[str, Participant]:
    """Who takes part, by member, once there are so many."""
    found: dict[str, Participant] = {}

    def enough() -> bool:
        found.update({one.account: one for one in taking_part(stack)})
        return len(found) >= number

    eventually(enough)
    return found


def mails_of(
    day: date,
    drawn: dict[str, Participant],
    alerted: dict[str, date],
    members: dict[str, Household],
    now: datetime,
) -> Iterator[tuple[str, str]]:
    """Who is told what on a day, by what was bought: (address, subject)."""
    for account, on in alerted.items():
        if not drawn[account].treated:
            continue
        household = members[account]
        if day == on:
            yield household.email, "300 points for you"
        if day == on + timedelta(days=REMINDED) and not household.within(datetime.combine(on, NOON), now):
            yield household.email, "Still there"


def mailed(stack: Stack, households: Iterable[Household]) -> Counter[tuple[str, str]]:
    """What the emulator's SES has sent to them: (address, subject)."""
    addresses = {one.email for one in households}
    mails = looked_at(stack, f"ses/messages?account={ACCOUNT}")["messages"].get(ACCOUNT, [])
    return Counter((one["To"][0], one["Subject"]) for one in mails if set(one["To"]) & addresses)


def outcome(members: dict[str, Household], drawn: Iterable[Participant], arm: str) -> tuple[int, int]:
    """Members of a group, and how many of them bought within their window, by the file."""
    windows = [
        members[one.account].within(
            datetime.fromtimestamp(one.at, UTC), datetime.fromtimestamp(one.at, UTC) + timedelta(days=WINDOW)
        )
        for one in drawn
        if one.arm == arm
    ]
    return len(windows), sum(map(bool, windows))


def _moment(basket: Basket) -> datetime:
    return datetime.fromisoformat(basket.time).replace(tzinfo=UTC)
