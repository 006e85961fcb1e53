"""Enter a batch of a campaign's audience: who is told something, and who is kept out to compare with.

Trigger: the state machine of campaigns. Output: how many, and whether they are to be told at once (``touch``). Failure:
the batch is done again; nobody is assigned twice. A member that cannot be assigned is set aside with its reason.
"""

from typing import Any

from loyalty.campaigns.run import Batch
from loyalty.runtime.campaigns import plain, runs
from loyalty.runtime.steps import serve_step


def assign(batch: Batch, now: int) -> dict[str, Any]:
    counts, touch = runs().assign(batch, now)
    return {**plain(counts), "touch": touch}


lambda_handler = serve_step("campaign_assign", assign)
