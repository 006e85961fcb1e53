"""On which days a campaign is looked at."""

from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from loyalty.campaigns.campaign import Audience, Calendar, Campaign
from loyalty.campaigns.document import check
from loyalty.campaigns.run import MOST_LOOKS, Status, looks_planned, next_look

BEGUN = 739_000
YEAR = 365
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "campaigns"


def read(name: str) -> Campaign:
    (campaign,) = check((EXAMPLES / f"{name}.yaml").read_text(), name).campaigns
    return campaign


def looks(campaign: Campaign, days: int) -> list[int]:
    """All that are taken within so many days, each on its day; days since the beginning."""
    status, found = Status("grocer", campaign.id, state="running", begun=1, assigned=BEGUN), []
    while (day := next_look(status, campaign, BEGUN)) and day <= BEGUN + days:
        status = replace(status, looks=status.looks + 1, looked=day)
        found.append(day - BEGUN)
    return found


@pytest.mark.parametrize("name", ["birthday", "onboarding", "win-back"])
def test_a_campaign_that_is_always_on_is_reported_in_each_of_six_years(name: str) -> None:
    campaign = read(name)
    assert not campaign.calendar.last
    found = looks(campaign, 9 * YEAR)
    assert {day // YEAR for day in found} >= {*range(6)}
    assert len(found) <= looks_planned(campaign) == MOST_LOOKS, "and no more than were paid for"
    first = campaign.window_days + 7
    assert found[:13] == [*range(first, first + 13 * 7, 7)], "every week at first"


def test_one_that_has_an_end_is_looked_at_every_week() -> None:
    campaign = replace(read("birthday"), calendar=Calendar(first=BEGUN, last=BEGUN + 59))
    found = looks(campaign, YEAR)
    assert {after - before for before, after in pairwise(found)} == {7}
    assert len(found) == looks_planned(campaign) == (59 + campaign.window_days) // 7


def test_one_that_is_taken_at_once_is_looked_at_within_its_window() -> None:
    campaign = replace(read("birthday"), audience=Audience(), window_days=22, calendar=Calendar(first=BEGUN))
    assert looks(campaign, YEAR) == [7, 14, 21]


def test_a_year_that_has_an_end_is_looked_at_until_then() -> None:
    campaign = replace(read("birthday"), calendar=Calendar(first=BEGUN, last=BEGUN + 2 * YEAR))
    found = looks(campaign, 2 * YEAR)
    assert len(found) <= looks_planned(campaign)
    assert found[-1] > YEAR
