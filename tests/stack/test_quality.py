"""What others check for us: cfn-lint the templates, cdk-nag the application."""

import json
from importlib import import_module

import pytest
from aws_cdk import App, Stack, aws_sqs
from cdk_nag import AwsSolutionsChecks

from tests.stack.conftest import Synthesised


def _findings(stack: Stack) -> list[str]:
    report = AwsSolutionsChecks(App()).validate_scope(stack)
    return [f"{one.rule_name}: {one.description}" for one in report.violations]


@pytest.mark.parametrize("name", ["prod", "local"])  # dev is prod in smaller numbers
def test_cfn_lint_has_nothing_to_say(name: str, synthesised: dict[str, Synthesised]) -> None:
    cfnlint = import_module("cfnlint.api")  # it ships no types
    # W3005: the CDK writes down a dependency that a reference implies already.
    rules = cfnlint.ManualArgs(regions=["eu-central-1"], ignore_checks=["W3005"])
    both = (synthesised[name].template, synthesised[name].watching)
    found = [match for template in both for match in cfnlint.lint(json.dumps(template), config=rules)]
    assert [f"{match.rule.id} {match.path}: {match.message}" for match in found] == []


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(stage: Synthesised) -> None:
    assert _findings(stage.stack) == []
    assert _findings(stage.watch) == []


def test_a_stack_has_room_for_more_resources_than_it_has(stage: Synthesised) -> None:
    # CloudFormation takes 500; what would be one too many is better known here than at a deployment.
    assert max(len(template["Resources"]) for template in (stage.template, stage.watching)) <= 470


def test_cdk_nag_does_look() -> None:
    stack = Stack(App(), "careless")
    aws_sqs.Queue(stack, "Queue")
    assert any(finding.startswith("AwsSolutions-SQS3") for finding in _findings(stack))


def test_every_acknowledged_rule_has_its_reason(prod: Synthesised) -> None:
    acknowledged = {
        rule: reason
        for construct in prod.stack.node.find_all()
        for entry in construct.node.metadata
        if entry.type == "aws:cdk:acknowledged-rules"
        for rule, reason in entry.data.items()
    }
    assert {rule.removeprefix("Annotation::") for rule in acknowledged} == {
        "AwsSolutions-APIG4",
        "AwsSolutions-IAM5[Resource::*]",
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:identity/*]",
        *(
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:"
            f"loyalty-prod-{machine}/*]"
            for machine in ("nightly", "campaigns")
        ),
        "AwsSolutions-L1",
        "AwsSolutions-SF1",
        "AwsSolutions-SMG4",
        "AwsSolutions-SQS3",
    }
    assert all(len(reason.split()) > 8 for reason in acknowledged.values())
