"""What a night makes of tiers: reviews, warnings, the ends of grace and of tiers given by hand.

Trigger: batches of the night's state machine. Output: what became of the batch. Failure: the batch is done again; an
account that fails is set aside, and the night goes on.
"""

from loyalty.runtime.night import serve_night
from loyalty.tiers.standing import review

lambda_handler = serve_night("tier_eval", {"tier": review})
