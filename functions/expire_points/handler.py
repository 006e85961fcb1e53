"""Write down what has lapsed, begun and expired, remind of what is about to, let what lies idle for too long shrink.

Trigger: the state machine of the night, with a batch of what is due. Output: what became of it. Failure: the batch is
done again, which changes nothing that is done; an account that cannot be seen to is set aside with its reason.
"""

from functools import partial

from loyalty.runtime.night import serve_night
from loyalty.runtime.wiring import worth
from loyalty.timers.ends import decay, expire, remind

lambda_handler = serve_night(
    "expire_points",
    {
        "lapse": expire,
        "activate": expire,
        "expiry": expire,
        "decay": partial(decay, worth=worth),
        "reminder": partial(remind, worth=worth),
    },
)
