"""What SES and SNS have in common: errors with names, and a 5xx after which nobody knows. Pure."""

from collections.abc import Mapping
from typing import Final

from loyalty.channels.channel import AwsRefused, Call, Kind, NoAnswer, NotSent, Outcome, unanswered

MENDED_S: Final = 900
SLOWER: Final = frozenset(
    {
        "KMSThrottling",
        "KMSThrottlingException",
        "RequestLimitExceeded",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def called(call: Call, request: Mapping[str, object], kinds: Mapping[str, Kind], gone: tuple[str, ...] = ()) -> Outcome:
    """Call the operation once. ``kinds`` by error; what is not in it is ours to mend (rights, keys, an identity that is
    not verified), so the message waits for that. A refusal whose text has one of the words ``gone`` is about the
    address.
    """
    try:
        answer = call(request)
    except AwsRefused as error:
        return _refused(error, kinds, gone)
    except (NotSent, NoAnswer) as error:
        return unanswered(error)
    return Outcome("accepted", provider_id=str(answer.get("MessageId", "")))


def _refused(error: AwsRefused, kinds: Mapping[str, Kind], gone: tuple[str, ...]) -> Outcome:
    kind = kinds.get(error.code)
    if kind is not None:
        about_address = kind == "refused" and any(word in error.message.lower() for word in gone)
        return Outcome("dead" if about_address else kind, code=error.code)
    if error.code in SLOWER:
        return Outcome("later", code=error.code)
    if error.status >= 500:
        return Outcome("doubtful", code=error.code)
    return Outcome("later", code=error.code, retry_after_s=MENDED_S)
