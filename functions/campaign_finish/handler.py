"""Report on a campaign: what it caused, against those who were kept out. After the last look it is finished;
of one that was cancelled, what it did until then is counted.

Trigger: the state machine of campaigns, when every batch is measured. Output: the verdict. Failure: it is done again; a
look is reported once.
"""

import time
from typing import Any

from loyalty.campaigns.run import plan_of
from loyalty.campaigns.runs import Measurer
from loyalty.experiments import report as reports
from loyalty.runtime import observability
from loyalty.runtime.campaigns import runs
from loyalty.runtime.clock import moment

MEASURER = Measurer(reports.look, reports.report, reports.cancelled)


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    del context
    started = time.time()
    plan = plan_of(event)
    try:
        found = runs().finish(plan, MEASURER, moment(plan.program, int(started)))
    except Exception as error:
        observability.failure("campaign_finish", error)
        raise
    verdict = found.effect.verdict if found is not None else "done before"
    elapsed = int((time.time() - started) * 1000)
    observability.record(
        "campaign_finish", "done", now_ms=int(started * 1000), milliseconds=elapsed, verdict=verdict, look=plan.look
    )
    return {"verdict": verdict}
