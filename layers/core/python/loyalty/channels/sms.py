"""Text messages through SNS, straight to a number."""

from typing import Final

from msgspec import Struct

from loyalty.channels.aws import called
from loyalty.channels.channel import Call, Kind, Outcome, Sending

KINDS: Final[dict[str, Kind]] = {
    "InvalidParameter": "refused",
    "InvalidParameterException": "refused",
    "InvalidParameterValue": "refused",
    "ValidationException": "refused",
    "OptedOut": "dead",
    "OptedOutException": "dead",
}
MAX_SENDER: Final = 11
GONE: Final = ("phonenumber", "phone number", "opted out")
"""Words of an invalid parameter by which it is the number."""


class Account(Struct, frozen=True):
    """``sender`` is shown as the sender where a country allows it: 1 to 11 letters and digits."""

    sender: str = ""


class Sms:
    """``call`` is SNS's Publish. A message tagged ``service`` goes as a transactional one, which carriers put first."""

    name: Final = "sms"
    reported: Final = ""

    def __init__(self, account: Account, call: Call) -> None:
        self._account = account
        self._call = call

    def send(self, sending: Sending, now: int) -> Outcome:
        del now
        attributes = {"AWS.SNS.SMS.SMSType": "Transactional" if sending.tags.get("service") else "Promotional"}
        if self._account.sender:
            attributes["AWS.SNS.SMS.SenderID"] = self._account.sender
        request = {
            "PhoneNumber": sending.address,
            "Message": sending.rendered.text,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        }
        return called(self._call, request, KINDS, gone=GONE)
