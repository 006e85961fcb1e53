"""The CDK application: one stage, in the stack that works and the stack that watches it. `cdk deploy --all -c
stage=prod`; without a stage, cdk.json's own choice.
"""

from aws_cdk import App, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra.settings import read_stage
from infra.stack import LoyaltyStack
from infra.watch import WatchStack


def build(app: App) -> LoyaltyStack:
    """The stacks of the stage that ``app``'s context names, with cdk-nag watching the whole application."""
    stage = read_stage(app.node.try_get_context("stages"), app.node.try_get_context("stage"))
    stack = LoyaltyStack(app, f"loyalty-{stage.name}", stage=stage)
    WatchStack(app, f"loyalty-{stage.name}-watch", stage=stage, watched=stack)
    Tags.of(app).add("application", "loyalty")
    Tags.of(app).add("stage", stage.name)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return stack


if __name__ == "__main__":
    application = App()
    build(application)
    application.synth()
