"""Body of the simulate function."""

from typing import Annotated

from msgspec import Meta

from loyalty.backtests.backtest import MAX_DAYS
from loyalty.shapes import Body


class SimulationRequest(Body):
    """Which days: so many, the last of which is ``until``; today when that is left out."""

    days: Annotated[int, Meta(ge=1, le=MAX_DAYS, description="How many days", examples=[30])] = 30
    until: Annotated[
        str,
        Meta(
            pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$(?!\n)",
            description="The last of them, in the programme's zone",
            examples=["2026-10-31"],
        ),
    ] = ""
