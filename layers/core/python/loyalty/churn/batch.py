"""Many members at once: from the newest entries' stored text to chances, by NumPy. Imported by the job that fits.

Of each text only what the model needs is read; the rest is skipped over.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from loyalty.churn.history import DAYS_IN_WEEK
from loyalty.churn.model import Purchasing

Floats = NDArray[np.float64]

_EPOCH: Final = 719_163
_SECONDS_A_DAY: Final = 86_400


class _State(Struct):
    """``t`` the time of the state, ``p`` [purchases, days since the last one, days from the first to the last]."""

    t: int
    p: tuple[int, int, int] = (0, 0, 0)


class _Body(Struct):
    s: _State


_DECODER: Final = msgspec.json.Decoder(_Body)


def buyers(bodies: Iterable[str | bytes], day: int) -> tuple[Floats, Floats, Floats]:
    """Repeats, recency and age at the end of ``day``, in weeks, of accounts from their newest entries' text. Who has
    bought nothing has 0 of all, and -1 repeats. The day of an entry is in UTC here, as it is stored.
    """
    decode = _DECODER.decode
    rows = [(state.t, *state.p) for state in (decode(body).s for body in bodies)]
    times, purchases, ago, span = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    bought = purchases > 0
    silent = np.maximum(day - (times // _SECONDS_A_DAY + _EPOCH - ago), 0)
    repeats = np.where(bought, np.minimum(purchases - 1, span), -1).astype(np.float64)
    recency = np.where(bought, span / DAYS_IN_WEEK, 0.0)
    return repeats, recency, np.where(bought, recency + silent / DAYS_IN_WEEK, 0.0)


def alive(model: Purchasing, repeats: Floats, recency: Floats, age: Floats) -> Floats:
    """``Purchasing.alive`` of each."""
    again = np.maximum(repeats, 1.0)
    against = np.log(model.a / (model.b + again - 1))
    against += (model.r + again) * np.log((model.alpha + age) / (model.alpha + recency))
    chance: Floats = 1 / (1 + np.exp(np.minimum(against, 700.0)))
    return np.where(repeats > 0, chance, 1.0)


def returns(model: Purchasing, within: float, repeats: Floats, recency: Floats, age: Floats) -> Floats:
    """``Purchasing.returns`` of each."""
    silent = (model.alpha + age) / (model.alpha + recency + within)
    left: Floats = np.maximum(0.0, 1 - np.power(silent, model.r + np.maximum(repeats, 0.0)))
    return alive(model, repeats, recency, age) * left
