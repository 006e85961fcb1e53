"""Rights: each function may do exactly what the catalogue says, and nothing is allowed by pattern."""

from typing import Any

import pytest

from infra.catalogue import ADDRESSES, CATALOGUE, CHAINS, CLIENTS, POLICIES, RULES, FromNight, Function, Scheduled
from loyalty.table import keys
from tests.stack.conftest import Synthesised, listed

READS = {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"}
BY_NAME = {one.name: one for one in CATALOGUE}


def _role(stage: Synthesised, name: str) -> list[dict[str, Any]]:
    role = stage.properties("AWS::IAM::Role")[stage.functions()[name]["Role"]["Fn::GetAtt"][0]]
    (policy,) = role["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def _actions(stage: Synthesised, name: str) -> set[str]:
    return {action for statement in _role(stage, name) for action in listed(statement["Action"])}


def _on_items(stage: Synthesised, name: str) -> list[dict[str, Any]]:
    """Statements about the table's items."""
    return [
        statement
        for statement in _role(stage, name)
        if "dynamodb:LeadingKeys" in statement.get("Condition", {}).get("ForAllValues:StringLike", {})
    ]


def test_no_policy_allows_actions_by_pattern(stage: Synthesised) -> None:
    patterns = [
        (name, action)
        for name, statement in stage.statements()
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        if "*" in action
    ]
    assert patterns == []


def test_no_policy_allows_by_exclusion(stage: Synthesised) -> None:
    assert not [name for name, one in stage.statements() if {"NotAction", "NotResource", "NotPrincipal"} & set(one)]


def test_nothing_but_traces_and_messages_to_numbers_is_allowed_on_every_resource(stage: Synthesised) -> None:
    roles = stage.all("AWS::IAM::Role")
    senders = {stage.functions()[one.name]["Role"]["Fn::GetAtt"][0] for one in CATALOGUE if one.sends_messages}
    everywhere = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    for name, statement in stage.statements():
        if name in roles and "*" in listed(statement.get("Resource", [])):
            actions = set(listed(statement["Action"]))
            assert actions == everywhere or (name in senders and actions <= {"sns:Publish", *everywhere})


def test_who_sends_messages_may_not_publish_to_a_topic_of_the_stack(stage: Synthesised) -> None:
    for one in CATALOGUE:
        kept_out = [
            statement["Resource"]
            for statement in _role(stage, one.name)
            if (statement["Effect"], statement["Action"]) == ("Deny", "sns:Publish")
        ]
        assert bool(kept_out) == one.sends_messages
        assert all(resource["Fn::Join"][1][-1].endswith(f":{stage.stack.stack_name}-*") for resource in kept_out)


def test_roles_carry_no_managed_policies_and_policies_stand_in_their_role(stage: Synthesised) -> None:
    assert not any("ManagedPolicyArns" in role for role in stage.properties("AWS::IAM::Role").values())
    assert "AWS::IAM::Policy" not in {one["Type"] for one in stage.template["Resources"].values()}


def test_every_role_is_for_lambda_but_those_of_the_state_machines_and_of_schedules(stage: Synthesised) -> None:
    others = []
    for role in stage.properties("AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        service = statement["Principal"]["Service"]
        if service != "lambda.amazonaws.com":
            others.append(service)
    schedules = 1 + sum(isinstance(one.trigger, Scheduled) for one in CATALOGUE)
    assert sorted(others) == ["scheduler.amazonaws.com"] * schedules + ["states.amazonaws.com"] * 2


def test_no_function_may_scan_or_use_the_key(stage: Synthesised) -> None:
    for name in stage.functions():
        actions = _actions(stage, name)
        assert "dynamodb:Scan" not in actions
        assert not any(action.startswith("kms:") for action in actions)


@pytest.mark.parametrize("function", CATALOGUE, ids=lambda one: one.name)
def test_every_right_on_items_names_actions_and_partitions(function: Function, prod: Synthesised) -> None:
    granted = {
        (action, pattern)
        for statement in _on_items(prod, function.name)
        for action in listed(statement["Action"])
        for pattern in listed(statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"])
    }
    declared = {
        (action, pattern) for access in function.table for action in access.actions for pattern in access.partitions
    }
    assert declared <= granted
    touching = {action for action in _actions(prod, function.name) if action.startswith("dynamodb:")}
    followed = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
    assert touching - followed == {action for action, _ in declared}


def test_only_functions_that_read_clients_can_reach_their_hashed_keys(prod: Synthesised) -> None:
    reaching = {one.name for one in CATALOGUE if any(CLIENTS in access.partitions for access in one.table)}
    assert reaching == {"authorize", "clients"}
    assert _actions(prod, "authorize") & {"dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"} == set()


def test_only_who_takes_addresses_down_and_who_sends_can_reach_them(prod: Synthesised) -> None:
    reaching = {one.name for one in CATALOGUE if any(ADDRESSES in access.partitions for access in one.table)}
    assert reaching - {"notify"} == {"contacts"}
    pattern = [one for one in prod.functions() if "#A#" in str(_on_items(prod, one))]
    assert set(pattern) == reaching


def test_functions_that_only_read_may_only_read(prod: Synthesised) -> None:
    for name in ("authorize", "balance", "explain", "quote"):
        assert {action for action in _actions(prod, name) if action.startswith("dynamodb:")} <= READS


def test_only_the_function_that_publishes_may_write_rule_sets() -> None:
    writers = {
        one.name
        for one in CATALOGUE
        for access in one.table
        if RULES in access.partitions and set(access.actions) - READS
    }
    assert writers == {"rules"}


def test_the_page_of_the_api_may_do_nothing(prod: Synthesised) -> None:
    assert _actions(prod, "docs") == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    }


def test_entries_are_never_changed_or_deleted() -> None:
    for one in CATALOGUE:
        for access in one.table:
            if CHAINS in access.partitions:
                assert set(access.actions) <= READS | {"dynamodb:PutItem"}, one.name


def test_only_who_sends_and_who_takes_them_down_may_read_where_members_are_reached() -> None:
    readers = {one.name for one in CATALOGUE for access in one.table if ADDRESSES in access.partitions}
    assert readers == {"contacts", "notify"}


def test_patterns_match_their_own_partitions_and_no_others() -> None:
    assert CHAINS == "*#L#*"
    assert CLIENTS == "*#C"
    assert POLICIES == "*#P"
    assert RULES == "*#R"
    assert keys.chain("p", "mem_1", "main").split("#")[1] == "L"


@pytest.mark.parametrize("function", CATALOGUE, ids=lambda one: one.name)
def test_a_function_is_told_of_nothing_that_it_has_no_use_for(function: Function, prod: Synthesised) -> None:
    told = set(prod.functions()[function.name]["Environment"]["Variables"])
    expected = {"STAGE", "LOG_LEVEL", "POWERTOOLS_SERVICE_NAME"}
    expected |= {"TABLE_NAME"} if function.third_party else set()
    expected |= {"SIGNING_SECRET_ID"} if function.signs else set()
    expected |= {"LINK_SECRET_ID"} if function.signs_links else set()
    expected |= {"IDENTITY_SECRET_ID"} if function.finds_members else set()
    expected |= {"ARTIFACT_SECRET_ID"} if function.seals_rules else set()
    sends = {"CHANNELS_SECRET_ID", "MAIL_CONFIGURATION_SET", "DELIVERY_QUEUE_URL", "DELIVERY_DEAD_LETTER_URL"}
    expected |= sends if function.sends_messages else set()
    expected |= {"PUBLIC_URL"} if function.knows_its_address else set()
    expected |= {"EVENT_BUS_NAME"} if function.publishes else set()
    expected |= {f"{name.upper()}_QUEUE_URL" for name in function.sends_to}
    expected |= {"CAMPAIGN_MACHINE_ARN"} if function.runs_campaigns else set()
    expected |= {"NIGHT_FUNCTIONS"} if function.trigger == FromNight() else set()
    expected |= {"INGEST_DEAD_LETTER_URL"} if function.gives_up_to_dead_letters else set()
    assert told == expected
