"""The second stack: what watches the first. It is apart because CloudFormation takes 500 resources a stack, and because
it can go, or be made anew, without anything of the first being touched.

It knows functions and queues by their names, so that the first stack can change without asking this one.
"""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.catalogue import CATALOGUE, Authorizer, FromQueue, FromStream, Http
from infra.constructs.alarms import Alarms
from infra.constructs.dashboard import dashboard
from infra.settings import Stage
from infra.stack import LoyaltyStack


class WatchStack(Stack):
    """Alarms, the topic that they tell, and the page for whoever is on call, of one stage."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, watched: LoyaltyStack) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"Loyalty engine, stage {stage.name}: alarms and dashboard",
            termination_protection=stage.deletion_protection,
        )
        prefix = watched.stack_name
        key = kms.Key.from_key_arn(self, "Key", watched.key_arn)
        alarms = Alarms(self, "Alarms", stage=stage, prefix=prefix, key=key)
        functions = {one.name: f"{prefix}-{one.name}" for one in CATALOGUE}
        followers = [one.name for one in CATALOGUE if isinstance(one.trigger, FromStream)]
        worked_off = [one.trigger.queue for one in CATALOGUE if isinstance(one.trigger, FromQueue)]
        for one in CATALOGUE:
            alarms.function(
                one.name,
                functions[one.name],
                timeout_s=one.timeout_s,
                answers_people=isinstance(one.trigger, Http | Authorizer),
            )
        for name in followers:
            alarms.stream(name, functions[name])
            alarms.dead_letters(f"{name}-failures", f"{prefix}-{name}-failures")
        for name in worked_off:
            alarms.queue(name, f"{prefix}-{name}")
            alarms.dead_letters(f"{name}-dead-letters", f"{prefix}-{name}-dead-letters")
        alarms.api(watched.api)
        alarms.throttles()
        alarms.failures()
        alarms.rules(stage.name)
        alarms.night(self._machine(f"{prefix}-nightly"))
        alarms.campaigns(self._machine(f"{prefix}-campaigns"))
        alarms.table(watched.table)
        dashboard(
            self,
            prefix,
            alarms=alarms.all,
            api=watched.api,
            functions=functions,
            streams=followers,
            queues={
                **{name: f"{prefix}-{name}" for name in worked_off},
                **{f"{name} dead letters": f"{prefix}-{name}-dead-letters" for name in worked_off},
                **{name: f"{prefix}-{name}-failures" for name in followers},
            },
            table=watched.table,
        )

    def _machine(self, name: str) -> str:
        return self.format_arn(
            service="states", resource="stateMachine", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
