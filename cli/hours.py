"""What the scheduler calls hour by hour, called for one programme at an hour of its own clock."""

import json
import time
from typing import Final

from cli.night import Cloud
from cli.target import CommandError

PATIENCE_SECONDS: Final = 600
"""How long a campaign may be at work at one hour: members are drawn, told or measured by the hundred."""
QUEUES_SECONDS: Final = 60
"""How long messages on the stack's queues are waited for: other programmes' may never end."""
_POLL_SECONDS: Final = 0.2
_NOT_OURS: Final = ("-dead-letters", "-partners")
"""Queues that nothing empties by itself, or at the world's pace."""


class Hours:
    """The hours of one programme on a stack."""

    def __init__(self, aws: Cloud, program: str) -> None:
        self._program = program
        self._prefix = aws.output("NightArn").rpartition(":")[2].removesuffix("nightly")
        self._functions = aws.client("lambda")
        self._queues = aws.client("sqs")

    def strike(self, poll: float = _POLL_SECONDS) -> bool:
        """Begin the campaigns whose day has come, have those go on that wait for this hour, and send what is due; when
        it returns all that has been done. Whether the programme has campaigns that later hours may matter to.

        CommandError when a campaign does not come to rest: its execution has failed, or has very much to do.
        """
        begun = time.monotonic()
        while (found := self._ask("campaign_due")).get("busy"):
            if time.monotonic() - begun > PATIENCE_SECONDS:
                raise CommandError("A campaign is still at work after 10 minutes; see loyalty campaigns show")
            time.sleep(poll)
        self._rest(poll)
        if self._ask("dispatch")["handed"]:
            self._rest(poll)
        return bool(found.get("live"))

    def close(self) -> None:
        self._functions.close()
        self._queues.close()

    def _ask(self, function: str) -> dict[str, int]:
        payload = json.dumps({"program": self._program}).encode()
        answer = self._functions.invoke(FunctionName=f"{self._prefix}{function}", Payload=payload)
        said: dict[str, int] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise CommandError(f"{function} failed: {said}")
        return said

    def _rest(self, poll: float) -> None:
        """Until what was put on the stack's queues has been taken."""
        begun = time.monotonic()
        urls = self._queues.list_queues(QueueNamePrefix=self._prefix).get("QueueUrls", [])
        left = [url for url in urls if not url.endswith(_NOT_OURS)]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        while left and time.monotonic() - begun < QUEUES_SECONDS:
            counts = self._queues.get_queue_attributes(QueueUrl=left[-1], AttributeNames=names)["Attributes"]
            if any(int(counts[name]) for name in names):
                time.sleep(poll)
            else:
                left.pop()
