"""The CDK application: one stack for one stage. `cdk deploy -c stage=prod`; without it, cdk.json's own choice."""

from aws_cdk import App, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra.settings import read_stage
from infra.stack import LoyaltyStack


def build(app: App) -> LoyaltyStack:
    """The stack of the stage that ``app``'s context names, with cdk-nag watching the whole application."""
    stage = read_stage(app.node.try_get_context("stages"), app.node.try_get_context("stage"))
    stack = LoyaltyStack(app, f"loyalty-{stage.name}", stage=stage)
    Tags.of(stack).add("application", "loyalty")
    Tags.of(stack).add("stage", stage.name)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return stack


if __name__ == "__main__":
    application = App()
    build(application)
    application.synth()
