"""Reports of campaigns to make pages of: one that works, one that cannot be told, one that nobody was measured in."""

import random
from datetime import date
from functools import cache
from typing import Final

import msgspec

from loyalty.backtests.pictures import Text
from loyalty.experiments.findings import Look, Measuring, Report
from loyalty.experiments.page import Campaign
from loyalty.experiments.report import cancelled, look, report
from loyalty.experiments.sums import ArmSums, Metric, Outcome
from loyalty.experiments.views import ReportsView, ReportView
from loyalty.experiments.words import summary

BEGUN: Final = date(2026, 9, 1).toordinal()
CAMPAIGN: Final = Campaign(
    "winback",
    Text("Come back to us", "欢迎回来"),
    Text("Who stopped buying buys again", "让停止购买的会员再次购买"),
    "running",
)


def arms(groups: dict[str, tuple[int, float]], seed: int, mean: float = 4_500) -> dict[str, ArmSums]:
    """By group, of how many members which share buys, about ``mean`` minor units; all but control are written to."""
    draw = random.Random(seed)
    made = {}
    for name, (members, share) in groups.items():
        sums = made[name] = ArmSums()
        kept_out = name in ("control", "holdout")
        for _ in range(members):
            bought = draw.random() < share
            blocked = {} if kept_out or draw.random() > 0.12 else {draw.choice(("cap", "no_consent", "dead")): 1}
            spend = int(draw.lognormvariate(0, 0.8) * mean) if bought else 0
            sent = {} if kept_out or blocked else {draw.choice(("email", "email", "sms", "wechat")): 1}
            sums.count(
                Outcome(int(bought), spend, None, int(bought and draw.random() < 0.3)),
                0 if kept_out else 200,
                sent,
                blocked,
                reached=bool(sent),
            )
    return made


def measuring(
    metric: Metric = "repurchase", looks: int = 12, variants: tuple[str, ...] = ("mild", "bold")
) -> Measuring:
    return Measuring(
        metric,
        "EUR",
        30,
        variants=variants,
        looks=looks,
        margin_permille=280,
        point_cost=800,
        message_costs={"sms": 45_000, "email": 500, "wechat": 1_000},
    )


@cache
def working(metric: Metric = "repurchase") -> Report:
    """Two variants of which one is better, after a look a week, with a holdout beside."""
    asked = measuring(metric)
    looks: list[Look] = []
    for number in range(1, 13):
        entered = {"mild": (350 * number, 0.18), "bold": (350 * number, 0.25), "control": (200 * number, 0.14)}
        looks.append(look(asked, arms(entered, number), number, BEGUN + 30 + 7 * number))
    groups = {"mild": (4_500, 0.18), "bold": (4_500, 0.25), "control": (2_600, 0.14), "holdout": (600, 0.13)}
    return report(asked, arms(groups, 99), looks)


@cache
def stopped(metric: Metric = "repurchase") -> Report:
    """One that works, cancelled after a look that was sure of it."""
    asked = measuring(metric)
    groups = {"mild": (4_500, 0.18), "bold": (4_500, 0.25), "control": (2_600, 0.14), "holdout": (600, 0.13)}
    made = arms(groups, 99)
    return cancelled(asked, made, [look(asked, made, 1, BEGUN + 37)], BEGUN + 40)


@cache
def unclear(metric: Metric = "spend") -> Report:
    """Too few members, and a few of them decide."""
    return report(measuring(metric, 0, ("treated",)), arms({"treated": (540, 0.11), "control": (60, 0.10)}, 5))


def told(*reports: Report) -> ReportsView:
    """As the API answers."""
    day = date.fromordinal(BEGUN + 140)
    return ReportsView("winback", [ReportView(day.isoformat(), summary(one), one) for one in reports])


def data(view: ReportsView) -> str:
    return msgspec.json.encode(view).decode()
