"""Queues: nothing is lost silently."""

from typing import Any

from infra.catalogue import CATALOGUE, EVERY, OURS, REPORTS, FromQueue
from tests.stack.conftest import Synthesised


def _dead_letter_queues(stage: Synthesised) -> set[str]:
    """Logical ids of queues that take what another queue, or a stream, could not get rid of."""
    redriven = {
        one["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for one in stage.properties("AWS::SQS::Queue").values()
        if "RedrivePolicy" in one
    }
    given_up = {
        one["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for one in stage.properties("AWS::Lambda::EventSourceMapping").values()
        if "DestinationConfig" in one
    }
    return redriven | given_up


def test_every_queue_has_a_dead_letter_queue_or_is_one(stage: Synthesised) -> None:
    for name, queue in stage.properties("AWS::SQS::Queue").items():
        assert "RedrivePolicy" in queue or name in _dead_letter_queues(stage)


def test_every_queue_has_an_alarm(stage: Synthesised) -> None:
    watched: set[Any] = set()
    for alarm in stage.properties("AWS::CloudWatch::Alarm").values():
        if alarm["Namespace"] == "AWS/SQS":
            watched.update(dimension["Value"] for dimension in alarm["Dimensions"])
    assert watched == {queue["QueueName"] for queue in stage.properties("AWS::SQS::Queue").values()}


def test_one_message_on_a_dead_letter_queue_is_an_alarm(stage: Synthesised) -> None:
    alarmed = {
        alarm["Dimensions"][0]["Value"]
        for alarm in stage.properties("AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible" and alarm["Threshold"] == 1
    }
    queues = stage.properties("AWS::SQS::Queue")
    assert alarmed == {queues[name]["QueueName"] for name in _dead_letter_queues(stage)}


def test_every_queue_is_encrypted_and_keeps_for_a_fortnight(stage: Synthesised) -> None:
    for queue in stage.properties("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_every_queue_refuses_plain_text_connections(stage: Synthesised) -> None:
    refused: set[str] = set()
    for policy in stage.properties("AWS::SQS::QueuePolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}:
                refused.update(queue["Ref"] for queue in policy["Queues"])
    assert refused == set(stage.all("AWS::SQS::Queue"))


def test_every_queue_that_events_fill_is_filled_by_its_own_rule_alone(stage: Synthesised) -> None:
    filled = {
        one.trigger.queue: one.trigger for one in CATALOGUE if isinstance(one.trigger, FromQueue) and one.trigger.events
    }
    rules = stage.properties("AWS::Events::Rule") if filled else {}
    prefix = f"loyalty-{stage.stage.name}-"
    assert {one["Name"].removeprefix(prefix) for one in rules.values()} == set(filled)
    for logical, rule in rules.items():
        trigger = filled[rule["Name"].removeprefix(prefix)]
        types = {} if trigger.events == EVERY else {"detail-type": [*trigger.events]}
        assert rule["EventPattern"] == {"source": [OURS], **types}
        (target,) = rule["Targets"]
        for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"]):
            assert _may_send(stage, arn["Fn::GetAtt"][0]) == [{"Fn::GetAtt": [logical, "Arn"]}]


def test_what_ses_reports_goes_through_a_topic_to_its_queue_as_it_is_and_is_not_lost_on_the_way(
    stage: Synthesised,
) -> None:
    destinations = stage.properties("AWS::SES::ConfigurationSetEventDestination")
    ((topic, subscription),) = [
        (one["TopicArn"], one)
        for one in stage.properties("AWS::SNS::Subscription").values()
        if one["Protocol"] == "sqs"
    ]
    (destination,) = [one["EventDestination"] for one in destinations.values()]
    assert destination["SnsDestination"] == {"TopicARN": topic}
    assert {"SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"} <= set(destination["MatchingEventTypes"])
    assert subscription["RawMessageDelivery"] is True
    queues = stage.properties("AWS::SQS::Queue")
    dead_letters = subscription["RedrivePolicy"]["deadLetterTargetArn"]
    for arn, name in ((subscription["Endpoint"], REPORTS), (dead_letters, f"{REPORTS}-dead-letters")):
        queue = arn["Fn::GetAtt"][0]
        assert queues[queue]["QueueName"] == f"loyalty-{stage.stage.name}-{name}"
        assert _may_send(stage, queue) == [topic]


def test_only_configuration_sets_of_this_account_may_report(stage: Synthesised) -> None:
    (topic,) = [
        name for name, one in stage.properties("AWS::SNS::Topic").items() if one["TopicName"].endswith("-reports")
    ]
    allowed = [
        (statement["Principal"], statement["Action"], statement["Condition"]["StringEquals"])
        for policy in stage.properties("AWS::SNS::TopicPolicy").values()
        if {"Ref": topic} in policy["Topics"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    account = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert allowed == [({"Service": "ses.amazonaws.com"}, "sns:Publish", account)]


def _may_send(stage: Synthesised, queue: str) -> list[Any]:
    """Which rules may put messages on a queue."""
    return [
        statement["Condition"]["ArnEquals"]["aws:SourceArn"]
        for policy in stage.properties("AWS::SQS::QueuePolicy").values()
        if {"Ref": queue} in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
