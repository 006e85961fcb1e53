"""Alarms: one topic that tells people, and what each kind of part must be watched for."""

import re

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.constructs.logs import FAILURES
from infra.settings import Stage

_MINUTE = Duration.minutes(1)
_FIVE = Duration.minutes(5)

# What the ledger stands on; the others fail with them. One alarm each: a sum over metrics is refused by the emulator.
_TABLE_OPERATIONS = ("Query", "PutItem", "TransactWriteItems")

# What functions count themselves, in their log lines: metrics of the namespace Loyalty, with the stage as dimension.
COUNTED = {
    "RulesStale": "Which rule set is in force could not be read; the last known serves",
    "RulesDegraded": "A rule set serves that is not the artifact of the version in force",
    "RuleFailures": "A rule could not be worked out for a purchase or an event, and gave nothing",
    "TimersSetAside": "A night could not see to an account; it comes again the next night",
    "MembersSetAside": "A campaign could not see to a member; a redrive takes it up",
    "MessagesFailed": "Messages could not be sent for a day; a redrive tries them anew",
    "MessagesDoubtful": "Nobody can say whether messages were taken; a redrive sends them, to some members twice",
    "BudgetExhausted": "A campaign has used up its budget",
    "WebhookOff": "A partner's webhook took nothing for days, and was switched off",
    "ChannelsMisconfigured": "The secret of the channels is wrong; what it last said serves",
}


WAITING = "ApproximateNumberOfMessagesVisible"


def function_metric(
    function: str, metric: str, statistic: str, *, period: Duration | None = None, label: str | None = None
) -> cloudwatch.Metric:
    """A metric of the function of that name."""
    dimensions = {"FunctionName": function}
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=metric,
        dimensions_map=dimensions,
        statistic=statistic,
        period=period,
        label=label,
    )


def queue_metric(
    queue: str, metric: str, *, period: Duration | None = None, label: str | None = None
) -> cloudwatch.Metric:
    """A metric of the queue of that name, the greatest of each period."""
    dimensions = {"QueueName": queue}
    return cloudwatch.Metric(
        namespace="AWS/SQS",
        metric_name=metric,
        dimensions_map=dimensions,
        statistic="Maximum",
        period=period,
        label=label,
    )


def _words(name: str) -> list[str]:
    """``rules`` and ``stale`` of ``RulesStale``."""
    return [word.lower() for word in re.findall("[A-Z][a-z]+", name)]


class Alarms(Construct):
    """The topic, and a method for each kind of part; ``all`` is what was made, for the dashboard."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, prefix: str, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self.all: list[cloudwatch.Alarm] = []
        self._prefix = prefix
        self.topic = sns.Topic(self, "Topic", topic_name=f"{prefix}-alarms", master_key=key, enforce_ssl=True)
        alarms = Stack.of(self).format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"{prefix}-*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        # A policy of one's own replaces SNS's, under which alarms of the account may publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisStack",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"ArnLike": {"aws:SourceArn": alarms}},
            )
        )
        if stage.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(stage.alarm_email))

    def function(self, name: str, function: str, *, timeout_s: int, answers_people: bool) -> None:
        """Errors; for a function somebody waits for, also a slow hundredth."""
        self._alarm(
            f"{name}-errors",
            function_metric(function, "Errors", "Sum", period=_FIVE),
            1,
            "The function raised or ran out of time",
        )
        if answers_people:
            slow = function_metric(function, "Duration", "p99", period=_FIVE)
            self._alarm(
                f"{name}-slow", slow, timeout_s * 1000 * 0.3, "p99 beyond 30 % of the timeout, in ms", periods=3
            )

    def throttles(self) -> None:
        """Calls refused for their number: how many may run at once is the account's to say, and no one function's."""
        refused = cloudwatch.Metric(namespace="AWS/Lambda", metric_name="Throttles", statistic="Sum", period=_FIVE)
        self._alarm("throttles", refused, 1, "More calls of functions than may run at once")

    def failures(self) -> None:
        """Errors that a function wrote down, whether it then raised or answered its caller."""
        written = cloudwatch.Metric(namespace=self._prefix, metric_name=FAILURES, statistic="Sum", period=_FIVE)
        self._alarm("failures", written, 1, "A function met what it did not foresee, or entries that contradict")

    def rules(self, stage: str) -> None:
        """What the functions that earn count: a rule set, a rule or a budget that did not do what was asked of it."""
        for metric, meaning in COUNTED.items():
            counted = cloudwatch.Metric(
                namespace="Loyalty",
                metric_name=metric,
                dimensions_map={"stage": stage},
                statistic="Sum",
                period=_FIVE,
            )
            self._alarm("-".join(_words(metric)), counted, 1, meaning)

    def stream(self, name: str, function: str) -> None:
        """How old the record is that the function is at."""
        age = function_metric(function, "IteratorAge", "Maximum", period=_MINUTE)
        self._alarm(f"{name}-behind", age, 300_000, "Five minutes behind the table's stream, in ms", periods=5)

    def dead_letters(self, name: str, queue: str) -> None:
        """Anything at all on the queue of failures of that name."""
        waiting = queue_metric(queue, WAITING, period=_MINUTE)
        self._alarm(name, waiting, 1, "Something could not be processed; look, mend, redrive")

    def queue(self, name: str, queue: str) -> None:
        """How long the oldest message of the queue of that name has been waiting."""
        age = queue_metric(queue, "ApproximateAgeOfOldestMessage", period=_MINUTE)
        self._alarm(f"{name}-waiting", age, 900, "The oldest message is 15 minutes old, in s", periods=3)

    def api(self, api: apigw.HttpApi) -> None:
        """Answers that are our fault, and slow ones."""
        errors = api.metric_server_error(period=_FIVE, statistic="Sum")
        self._alarm("api-5xx", errors, 5, "The API answered 5xx")
        slow = api.metric_latency(period=_FIVE, statistic="p99")
        self._alarm("api-slow", slow, 2_000, "p99 of the API's latency, in ms", periods=3)

    def night(self, machine: str) -> None:
        """A night that was not brought to its end, or was never begun: the next one catches up, if it can."""
        self._machine("night", machine, "A night failed", "A night took more than six hours")

    def campaigns(self, machine: str) -> None:
        """A campaign's run that was not brought to its end: it stands still until it is redriven."""
        failed = "A campaign's run failed: look, mend, redrive"
        self._machine("campaigns", machine, failed, "A campaign's run took more than a year")

    def _machine(self, name: str, machine: str, failed: str, timed_out: str) -> None:
        for metric, meaning in {"ExecutionsFailed": failed, "ExecutionsTimedOut": timed_out}.items():
            ended = cloudwatch.Metric(
                namespace="AWS/States",
                metric_name=metric,
                dimensions_map={"StateMachineArn": machine},
                statistic="Sum",
                period=_FIVE,
            )
            self._alarm("-".join([name, *_words(metric)[1:]]), ended, 1, meaning)

    def table(self, table: dynamodb.Table) -> None:
        """Reads or writes refused for their number, and errors of DynamoDB itself."""
        for kind in ("Read", "Write"):
            throttled = table.metric(f"{kind}ThrottleEvents", statistic="Sum", period=_FIVE)
            self._alarm(f"table-{kind.lower()}-throttles", throttled, 1, f"{kind}s refused for their number")
        for operation in _TABLE_OPERATIONS:
            failed = cloudwatch.Metric(
                namespace="AWS/DynamoDB",
                metric_name="SystemErrors",
                dimensions_map={"TableName": table.table_name, "Operation": operation},
                statistic="Sum",
                period=_FIVE,
            )
            self._alarm(f"table-{operation}-errors", failed, 1, "DynamoDB answered 5xx")

    def _alarm(
        self, name: str, metric: cloudwatch.IMetric, threshold: float, description: str, *, periods: int = 1
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            "".join(word[0].upper() + word[1:] for word in name.split("-")),
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        self.all.append(alarm)
