"""Alert on members who are thought to be leaving.

Trigger: the state machine of the night, with a batch of alerts that are due. Output: what became of it; the alert
itself is an entry, from which the event follows. Failure: the batch is done again, which changes nothing that is done.
"""

from loyalty.churn.alert import KIND
from loyalty.runtime.night import serve_night
from loyalty.runtime.wiring import churn

lambda_handler = serve_night("churn_alert", {KIND: lambda draft, program, day: churn().act(draft, program, day)})
