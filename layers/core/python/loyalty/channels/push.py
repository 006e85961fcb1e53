"""Push messages through SNS to an endpoint of a mobile platform: its ARN is the address."""

import json
from hashlib import sha256
from typing import Final

from loyalty.channels.aws import called
from loyalty.channels.channel import Call, Kind, Outcome, Sending

MAX_PAYLOAD: Final = 4_096
"""Bytes that Apple and Google take."""
KINDS: Final[dict[str, Kind]] = {
    "EndpointDisabled": "dead",
    "EndpointDisabledException": "dead",
    "NotFound": "dead",
    "NotFoundException": "dead",
    "InvalidParameter": "refused",
    "InvalidParameterException": "refused",
    "InvalidParameterValue": "refused",
    "ValidationException": "refused",
}
GONE: Final = ("targetarn", "target arn", "endpoint")
"""Words of an invalid parameter by which it is the endpoint."""


class Push:
    """``call`` is SNS's Publish."""

    name: Final = "push"
    reported: Final = ""

    def __init__(self, call: Call) -> None:
        self._call = call

    def send(self, sending: Sending, now: int) -> Outcome:
        del now
        payloads = self.payloads(sending)
        if any(len(payload.encode()) > MAX_PAYLOAD for payload in payloads.values()):
            return Outcome("refused", code="too_long")
        request = {
            "TargetArn": sending.address,
            "MessageStructure": "json",
            "Message": json.dumps(payloads, ensure_ascii=False),
            "MessageAttributes": {
                "AWS.SNS.MOBILE.APNS.PUSH_TYPE": {"DataType": "String", "StringValue": "alert"},
                "AWS.SNS.MOBILE.APNS.COLLAPSE_ID": {"DataType": "String", "StringValue": same_as(sending.id)},
            },
        }
        return called(self._call, request, KINDS, gone=GONE)

    def payloads(self, sending: Sending) -> dict[str, str]:
        """What each platform shows, as text; SNS picks by the endpoint's."""
        words = sending.rendered
        shown = {"title": words.subject, "body": words.text} if words.subject else {"body": words.text}
        data = {**words.data, "message": sending.id}
        apple = json.dumps({"aps": {"alert": shown}, **data}, ensure_ascii=False)
        android = {"collapse_key": same_as(sending.id)}
        google = {"fcmV1Message": {"message": {"notification": shown, "data": data, "android": android}}}
        return {
            "default": words.text,
            "APNS": apple,
            "APNS_SANDBOX": apple,
            "GCM": json.dumps(google, ensure_ascii=False),
        }


def same_as(message_id: str) -> str:
    """By this a phone shows a message that comes twice only once; 64 bytes at most."""
    return sha256(message_id.encode()).hexdigest()[:32]
