"""Sum up what a batch of a campaign's participants did within their windows.

Trigger: the state machine of campaigns. Output: how many; the sums are in the table. Failure: the batch is done again,
and its sums take the place of those before.
"""

from typing import Any

from loyalty.campaigns.run import Batch
from loyalty.runtime.campaigns import plain, runs
from loyalty.runtime.steps import serve_step


def measure(batch: Batch, now: int) -> dict[str, Any]:
    return plain(runs().measure(batch, now))


lambda_handler = serve_step("campaign_measure", measure)
