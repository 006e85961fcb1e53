"""What is kept: the table, the key, the secret, the bus, and what is watched."""

import json
import re
from typing import Any

import pytest

from infra.catalogue import CATALOGUE, Http
from infra.constructs.alarms import COUNTED
from infra.settings import read_stage
from loyalty.runtime.observability import NAMESPACE
from loyalty.runtime.rules import DEGRADED, STALE
from loyalty.table import keys
from tests.stack.conftest import ROOT, STAGES, Synthesised, listed


def test_the_table_has_the_keys_and_the_index_that_the_code_names(stage: Synthesised) -> None:
    (table,) = stage.properties("AWS::DynamoDB::Table").values()
    assert table["KeySchema"] == [
        {"AttributeName": keys.PK, "KeyType": "HASH"},
        {"AttributeName": keys.SK, "KeyType": "RANGE"},
    ]
    (index,) = table["LocalSecondaryIndexes"]
    assert index["IndexName"] == keys.REF_INDEX
    assert index["KeySchema"][1]["AttributeName"] == keys.REF
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": keys.TTL, "Enabled": True}


def test_the_table_is_on_demand_encrypted_recoverable_and_streams_new_images(stage: Synthesised) -> None:
    (table,) = stage.properties("AWS::DynamoDB::Table").values()
    (key,) = stage.all("AWS::KMS::Key")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {
        "KMSMasterKeyId": {"Fn::GetAtt": [key, "Arn"]},
        "SSEEnabled": True,
        "SSEType": "KMS",
    }
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_in_production_data_outlives_every_mistake(prod: Synthesised) -> None:
    (table,) = prod.properties("AWS::DynamoDB::Table").values()
    assert table["DeletionProtectionEnabled"] is True
    for kind in ("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"):
        for resource in prod.all(kind).values():
            assert resource["DeletionPolicy"] == "Retain"
            assert resource["UpdateReplacePolicy"] == "Retain"


def test_the_key_is_rotated_and_used_only_through_services_of_this_account(stage: Synthesised) -> None:
    (key,) = stage.properties("AWS::KMS::Key").values()
    assert key["EnableKeyRotation"] is True
    statements = {statement["Sid"]: statement for statement in key["KeyPolicy"]["Statement"]}
    publish = {"AlarmsToTopic": "cloudwatch.amazonaws.com", "ReportsToTopic": "ses.amazonaws.com"}
    for sid, statement in statements.items():
        if statement["Principal"] == {"AWS": "*"}:
            assert set(statement["Condition"]["StringEquals"]) == {"kms:CallerAccount", "kms:ViaService"}
        elif "kms:Decrypt" in statement["Action"]:
            assert statement["Principal"] == {"Service": publish[sid]}


def test_the_bus_keeps_an_archive_where_the_stage_says_so(stage: Synthesised) -> None:
    archives = [one for one in stage.template["Resources"].values() if one["Type"] == "AWS::Events::Archive"]
    days = [one["Properties"]["RetentionDays"] for one in archives]
    assert days == ([stage.stage.event_archive_days] if stage.stage.event_archive_days else [])


def test_every_function_alarms_when_it_fails_or_is_throttled_and_those_that_people_wait_for_when_slow(
    prod: Synthesised,
) -> None:
    alarms = prod.properties("AWS::CloudWatch::Alarm").values()
    names = {alarm["AlarmName"].removeprefix("loyalty-prod-") for alarm in alarms}
    for one in CATALOGUE:
        assert f"{one.name}-errors" in names
        assert not isinstance(one.trigger, Http) or f"{one.name}-slow" in names
    assert {
        "api-5xx",
        "api-slow",
        "throttles",
        "table-read-throttles",
        "table-write-throttles",
        "table-PutItem-errors",
        "failures",
        "rules-stale",
        "rules-degraded",
        "rule-failures",
        "budget-exhausted",
    } <= names
    assert {name for name in names if name.endswith("-behind")} == {"publish-behind", "relay-behind"}
    assert {"ingest-waiting", "recover-waiting", "recover-dead-letters"} <= names
    named = {
        alarm["Dimensions"][0]["Value"]
        for alarm in alarms
        if alarm.get("Namespace") == "AWS/Lambda" and "Dimensions" in alarm
    }
    assert named == {function["FunctionName"] for function in prod.properties("AWS::Lambda::Function").values()}


def test_the_machines_that_alarms_watch_are_those_there_are(prod: Synthesised) -> None:
    machines = {one["StateMachineName"] for one in prod.properties("AWS::StepFunctions::StateMachine").values()}
    alarms = prod.properties("AWS::CloudWatch::Alarm").values()
    watched = [alarm["Dimensions"][0]["Value"] for alarm in alarms if alarm.get("Namespace") == "AWS/States"]
    assert {arn["Fn::Join"][1][-1].rsplit(":", 1)[1] for arn in watched} == machines


def test_what_functions_count_alarms_under_the_name_and_the_dimension_that_they_write(stage: Synthesised) -> None:
    assert set(COUNTED) >= {STALE, DEGRADED}
    alarms = stage.properties("AWS::CloudWatch::Alarm").values()
    watched = {alarm["MetricName"]: alarm for alarm in alarms if alarm.get("Namespace") == NAMESPACE}
    assert set(watched) == set(COUNTED)
    for alarm in watched.values():
        assert alarm["Dimensions"] == [{"Name": "stage", "Value": stage.stage.name}]
        assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 1)


def test_every_metric_that_a_function_counts_has_its_alarm() -> None:
    counted = set()
    for folder in ("layers/core/python/loyalty", "functions"):
        for path in (ROOT / folder).rglob("*.py"):
            counted |= set(re.findall(r"observability\.count\(\s*\"(\w+)\"", path.read_text(encoding="utf-8")))
    assert counted | {STALE, DEGRADED} == set(COUNTED)


def test_each_secret_is_read_by_those_who_need_it_and_by_nobody_else(prod: Synthesised) -> None:
    readers: dict[str, set[str]] = {}
    roles = prod.properties("AWS::IAM::Role")
    for name, function in prod.functions().items():
        (policy,) = roles[function["Role"]["Fn::GetAtt"][0]]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Action"] == "secretsmanager:GetSecretValue":
                for secret in listed(statement["Resource"]):
                    readers.setdefault(secret["Ref"], set()).add(name)
    words = ("Signing", "Link", "Identity", "Artifact", "Channels")
    by_name = {next(word for word in words if word in secret): who for secret, who in readers.items()}
    assert {"Channels": set(), **by_name} == {
        "Signing": {one.name for one in CATALOGUE if one.signs},
        "Link": {one.name for one in CATALOGUE if one.signs_links},
        "Identity": {one.name for one in CATALOGUE if one.finds_members},
        "Artifact": {one.name for one in CATALOGUE if one.seals_rules},
        "Channels": {one.name for one in CATALOGUE if one.sends_messages},
    }
    assert not by_name["Signing"] & by_name["Artifact"], "who signs tokens seals no code, and the reverse"
    assert not by_name["Signing"] & by_name["Link"], "who writes to members signs no tokens"


def test_the_secret_that_seals_rule_sets_begins_with_a_key_and_none_before_it(prod: Synthesised) -> None:
    (secret,) = (one for name, one in prod.properties("AWS::SecretsManager::Secret").items() if "Artifact" in name)
    made = secret["GenerateSecretString"]
    assert (made["GenerateStringKey"], json.loads(made["SecretStringTemplate"])) == ("current", {"previous": []})
    assert made["PasswordLength"] == 64


def test_only_alarms_of_this_stack_may_publish_to_the_topic(prod: Synthesised) -> None:
    (allowed,) = (
        statement
        for policy in prod.properties("AWS::SNS::TopicPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if (statement["Effect"], statement["Principal"]) == ("Allow", {"Service": "cloudwatch.amazonaws.com"})
    )
    assert allowed["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1][-1].endswith(":alarm:loyalty-prod-*")


def test_every_alarm_tells_the_topic_and_silence_is_no_alarm(stage: Synthesised) -> None:
    topics = stage.properties("AWS::SNS::Topic")
    (topic,) = [name for name, one in topics.items() if one["TopicName"].endswith("-alarms")]
    for alarm in stage.properties("AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_the_dashboard_shows_every_alarm(prod: Synthesised) -> None:
    (page,) = prod.properties("AWS::CloudWatch::Dashboard").values()
    body = json.dumps(page["DashboardBody"])
    assert all(name in body for name in prod.all("AWS::CloudWatch::Alarm"))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"deletion_protection": "yes"},
        {"log_retention_days": 31},
        {"request_burst": 0},
        {"surprise": True},
    ],
)
def test_a_stage_that_is_wrong_is_refused_before_anything_is_made(wrong: dict[str, Any]) -> None:
    right = {
        "deletion_protection": True,
        "keep_data": True,
        "log_retention_days": 30,
        "event_archive_days": 1,
        "requests_per_second": 1,
        "request_burst": 1,
    }
    with pytest.raises(ValueError, match="Stage"):
        read_stage({"x": {**right, **wrong} if wrong else {}}, "x")


def test_an_unknown_stage_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(ValueError, match="prod"):
        read_stage(dict.fromkeys(STAGES), "production")


def test_the_secret_of_the_channels_begins_with_nothing_secret_and_is_left_alone(stage: Synthesised) -> None:
    (secret,) = (one for name, one in stage.properties("AWS::SecretsManager::Secret").items() if "Channels" in name)
    assert "GenerateSecretString" not in secret
    first = json.loads(secret["SecretString"])
    sent_here = {"*": {"email": {"from": stage.stage.mail_from}, "sms": {}, "push": {}}}
    assert first == (sent_here if stage.stage.mail_from else {})


def test_what_becomes_of_a_mail_is_told_to_an_encrypted_topic(stage: Synthesised) -> None:
    (configuration,) = stage.properties("AWS::SES::ConfigurationSet").values()
    assert configuration["DeliveryOptions"] == {"TlsPolicy": "REQUIRE"}
    (told,) = stage.properties("AWS::SES::ConfigurationSetEventDestination").values()
    assert told["ConfigurationSetName"] == configuration["Name"]
    destination = told["EventDestination"]
    assert {"SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "OPEN", "CLICK"} <= set(destination["MatchingEventTypes"])
    assert "KmsMasterKeyId" in stage.properties("AWS::SNS::Topic")[destination["SnsDestination"]["TopicARN"]["Ref"]]
