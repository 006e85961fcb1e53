"""What differs between stages: read once from the context in cdk.json, checked, and passed down."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Stage(BaseModel):
    """One stage of cdk.json. Nothing in the stack asks for a stage's name; it asks for one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,15}$")
    deletion_protection: bool
    """The table refuses to be deleted, by a person or by a stack."""
    keep_data: bool
    """Table, key, secret and logs outlive the stack."""
    log_retention_days: Literal[7, 30, 90, 400]
    event_archive_days: int = Field(ge=0)
    """How long the bus keeps events for a replay; 0 for no archive (the emulator has no such resource)."""
    requests_per_second: int = Field(ge=1)
    request_burst: int = Field(ge=1)
    """The gateway answers 429 above these, all callers together."""
    alarm_email: str | None = None
    """Who is told of alarms; the address has to confirm."""
    mail_from: str | None = None
    """Programmes' mail is sent from this address until the secret of the channels names another; SES is made to know
    it.
    """
    least_timeout_s: int = Field(default=0, ge=0, le=900)
    """No function is stopped sooner than this, whatever the catalogue says. The emulator counts by the wall clock, and
    a laptop that is busy with other things leaves a process without the processor for longer than any function takes.
    """
    functions_run_here: bool = False
    """Functions run under this project's own interpreter, as they do in the emulator, which ignores their runtime and
    architecture. Their third-party packages are then those of the environment: a layer of Linux wheels for arm64
    would not load. The layer of our own code is compiled for that interpreter."""


def read_stage(stages: object, name: object) -> Stage:
    """Stage ``name`` of the ``stages`` in cdk.json's context.

    Raises ValueError, naming the field and what was expected, for a stage that is missing or wrong.
    """
    if not isinstance(stages, Mapping) or not isinstance(name, str) or name not in stages:
        known = ", ".join(stages) if isinstance(stages, Mapping) else "none"
        raise ValueError(f"no stage {name!r} in cdk.json; it has: {known}")
    return Stage.model_validate({"name": name, **stages[name]})
