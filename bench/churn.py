"""CPU of scoring many members by the churn model, from the stored text of their newest entries."""

import random
import time
from typing import Final

from bench.report import Row
from loyalty.churn import batch
from loyalty.churn.model import Purchasing
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, seal

MEMBERS: Final = 200_000
BOUND: Final = 3.0
_DISTINCT: Final = 2_000
_DAY: Final = 740_000
_MONTH: Final = 30 * 86_400
_MODEL: Final = Purchasing(0.243, 4.414, 0.793, 2.426)
_TURNS: Final = 3


def measure() -> list[Row]:
    """The least of some turns: decoding, chances to be alive and to return, for a million members."""
    rng = random.Random(1)
    texts = [_newest(rng) for _ in range(_DISTINCT)] * (MEMBERS // _DISTINCT)
    least = min(_turn(texts) for _ in range(_TURNS))
    size = sum(map(len, texts)) / len(texts)
    return [
        Row("churn, scoring a million members, decoding included: CPU", round(least, 2), "s", BOUND),
        Row("churn, a newest entry's text that is decoded", round(size), "bytes"),
    ]


def _turn(texts: list[bytes]) -> float:
    started = time.process_time()
    columns = batch.buyers(texts, _DAY)
    batch.alive(_MODEL, *columns)
    batch.returns(_MODEL, 13.0, *columns)
    return (time.process_time() - started) * 1_000_000 / len(texts)


def _newest(rng: random.Random) -> bytes:
    """The newest entry of a member with a lot for each of up to 24 months."""
    state = State(kind="member", status="open", purchases=rng.randrange(1, 60), last=_DAY - rng.randrange(400))
    state.first = state.last - rng.randrange(700)
    draft = Draft(state, (_DAY - 719_163) * 86_400)
    draft.kind = "earned"
    for month in range(1, rng.randrange(2, 25)):
        draft.move("earned", "l", state.at + month * _MONTH, 0, rng.randrange(1, 2_000))
    draft.state.purchases, draft.state.first, draft.state.last = state.purchases, state.first, state.last
    cause = Cause(f"k#cli_1#{rng.random()}", "f" * 22, "cli_1", draft.state.at)
    return seal(Chain("grocer", "mem_1", "points"), None, draft, cause).body.encode()
