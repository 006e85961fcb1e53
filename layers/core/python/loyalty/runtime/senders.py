"""What leaves the stack for others' systems: HTTP with limits, SES and SNS; and a programme's channels made of them.

HTTP goes to public addresses over TLS only, checked after the name was resolved, and to the address that was checked.
No redirects, a bound on every answer, one deadline for everything from the first byte to the last. A stack on this
machine may talk to itself, without TLS.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from http.client import HTTPException
from threading import Timer
from typing import Any, Final
from urllib.parse import urlencode

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Url, parse_url

from loyalty.channels.breaker import Breaker, Guarded
from loyalty.channels.channel import AwsRefused, Call, Channel, NoAnswer, NotSent, Reply
from loyalty.channels.mail import Mail
from loyalty.channels.push import Push
from loyalty.channels.service import Tokens
from loyalty.channels.settings import Settings, settings_of
from loyalty.channels.sms import Sms
from loyalty.channels.store import AccessStore
from loyalty.channels.webhook import Webhook
from loyalty.channels.wechat import WeChat
from loyalty.channels.wecom import WeCom
from loyalty.runtime import observability
from loyalty.runtime.config import config
from loyalty.runtime.secrets import channels_secret
from loyalty.runtime.table import table
from loyalty.table.client import client_of

LOCAL_STAGE: Final = "local"
CONNECT_S: Final = 3.0
IDLE_S: Final = 5.0
"""A connection that lay idle for longer is made anew: one that the other side has just closed would leave a message in
doubt.
"""
MOST_CONNECTIONS: Final = 32
MAX_REQUEST: Final = 256 * 1024
MAX_REPLY: Final = 64 * 1024
"""Bytes."""
_AGENT: Final = "loyalty"
_WORDS: Final = frozenset({"content-type", "retry-after"})
"""Headers of an answer that anybody asks for."""

Resolve = Callable[[str, int], list[str]]


class Barred(NotSent):
    """An address that nothing is sent to."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name. OSError; UnicodeError for what is no name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [*dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)]


def checked(url: str, *, local: bool, resolver: Resolve = resolve) -> tuple[Url, str]:
    """A URL in its parts, and the address to connect to. NotSent: ``Barred`` for what nothing is sent to, be it
    written so or resolved so; all addresses of the name count, for the name's owner could order them.
    """
    try:
        parts = parse_url(url)
    except HTTPError:
        raise Barred("bad_url") from None
    secure = parts.scheme == "https"
    if not parts.host or parts.auth or parts.fragment or not (secure or (local and parts.scheme == "http")):
        raise Barred("bad_url")
    host = parts.host.strip("[]")
    try:
        addresses = resolver(host, parts.port or (443 if secure else 80))
    except OSError:
        raise NotSent("no_address") from None
    except UnicodeError:  # a part of the name is empty, or longer than parts of names are
        raise Barred("bad_url") from None
    if not addresses or not all(allowed(address, local=local) for address in addresses):
        raise Barred("private_address")
    return parts, addresses[0]


def allowed(address: str, *, local: bool) -> bool:
    """Whether anything may be sent to an IP address. Every public one; this machine's own in a stack on it."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if inner is not None:
        found = inner
    if local and found.is_loopback:
        return True
    inward = found.is_multicast or found.is_reserved or getattr(found, "is_site_local", False)
    return found.is_global and not inward and found not in _TRANSLATED


_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 behind NAT64, private ones included."""


class Http:
    """Sends requests, one at a time, and keeps connections for the next of them.

    ``local`` allows this machine; ``context`` says whose certificates count, the system's unless given; ``timer`` calls
    back after so many seconds, unless it is cancelled before.
    """

    def __init__(
        self,
        *,
        local: bool = False,
        context: ssl.SSLContext | None = None,
        resolver: Resolve = resolve,
        clock: Callable[[], float] = time.time,
        timer: Callable[[float, Callable[[], None]], Timer] = Timer,
    ) -> None:
        self._timer = timer
        self._local = local
        self._context = context
        self._resolver = resolver
        self._clock = clock
        self._open: dict[tuple[str, str, int], tuple[HTTPConnection, float]] = {}

    def __call__(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: float,
        query: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Reply:
        if len(body) > MAX_REQUEST:
            raise NotSent("too_long")
        parts, address = checked(url, local=self._local, resolver=self._resolver)
        connection = self._connection(parts, address, timeout)
        request = {**headers, "host": parts.netloc or "", "user-agent": _AGENT, "accept-encoding": "identity"}
        return self._asked(connection, parts, method, _target(parts, query), body, request, timeout)

    def _connection(self, parts: Url, address: str, timeout: float) -> HTTPConnection:
        """A connection that stands. NotSent."""
        key = _key(parts)
        connection, used = self._open.pop(key, (None, 0.0))
        if connection is not None:
            if connection.host == address and connection.is_connected and 0 <= self._clock() - used < IDLE_S:
                return connection
            connection.close()
        port, wait = key[2], min(CONNECT_S, timeout)
        if parts.scheme == "https":
            host = (parts.host or "").strip("[]")
            context = self._context or _context()
            connection = HTTPSConnection(address, port, timeout=wait, ssl_context=context, server_hostname=host)
        else:
            connection = HTTPConnection(address, port, timeout=wait)
        try:
            connection.connect()
        except (HTTPError, OSError, ValueError) as error:
            connection.close()
            raise NotSent("no_tls" if isinstance(error, ssl.SSLError) else "unreachable") from None
        return connection

    def _asked(
        self,
        connection: HTTPConnection,
        parts: Url,
        method: str,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: float,
    ) -> Reply:
        """Write the request and read the answer within ``timeout`` seconds, however slowly it comes. NoAnswer."""
        late: list[bool] = []
        wire = connection.sock

        def end() -> None:
            late.append(True)
            if wire is not None:
                with suppress(OSError, ValueError):
                    wire.shutdown(socket.SHUT_RDWR)

        watch = self._timer(timeout, end)
        watch.daemon = True
        watch.start()
        try:
            connection.timeout = timeout
            if wire is not None:
                wire.settimeout(timeout)
            connection.request(method, target, body or None, headers, preload_content=False, decode_content=False)
            answer = connection.getresponse()
            content = bytearray()
            while len(content) <= MAX_REPLY and (more := answer.read(MAX_REPLY + 1)):  # to the end: it may be cut short
                content += more
            if len(content) > MAX_REPLY:
                raise NoAnswer("answer_too_long")
            if late:
                raise NoAnswer("timeout")
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            connection.close()
            raise NoAnswer(
                "timeout" if late or isinstance(error, TimeoutError | ReadTimeoutError) else "reset"
            ) from None
        except NoAnswer:
            connection.close()
            raise
        finally:
            watch.cancel()
        self._keep(parts, connection)
        words = {name.lower(): value for name, value in answer.headers.items() if name.lower() in _WORDS}
        return Reply(answer.status, bytes(content), words)

    def _keep(self, parts: Url, connection: HTTPConnection) -> None:
        """For the next request, unless the other side said that it closes."""
        if connection.sock is None:
            return
        while len(self._open) >= MOST_CONNECTIONS:
            oldest, _ = self._open.pop(next(iter(self._open)))
            oldest.close()
        self._open[_key(parts)] = connection, self._clock()

    def close(self) -> None:
        """Close what was kept."""
        for connection, _ in self._open.values():
            connection.close()
        self._open.clear()


def _key(parts: Url) -> tuple[str, str, int]:
    return parts.scheme or "", parts.host or "", parts.port or (443 if parts.scheme == "https" else 80)


def _target(parts: Url, query: Mapping[str, str] | None) -> str:
    given = [part for part in (parts.query, urlencode(query) if query else "") if part]
    return (parts.path or "/") + (f"?{'&'.join(given)}" if given else "")


@cache
def _context() -> ssl.SSLContext:
    """Certificates that this machine trusts; TLS 1.2 at least."""
    return ssl.create_default_context()


@cache
def http() -> Http:
    """One a running copy."""
    return Http(local=config().stage == LOCAL_STAGE)


def may_be_sent_to(url: str) -> None:
    """NotSent, with why, for an address that nothing would be sent to."""
    checked(url, local=config().stage == LOCAL_STAGE)


def aws(service: str, operation: str) -> Call:
    """One operation of SES or SNS, called once: botocore would send again after an answer that got lost."""

    def call(request: Mapping[str, object]) -> Mapping[str, object]:
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            EndpointConnectionError,
            HTTPClientError,
            ParamValidationError,
        )

        try:
            answer: Mapping[str, object] = getattr(_client(service), operation)(**request)
        except ClientError as error:
            told = error.response["Error"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            raise AwsRefused(told.get("Code", ""), status, told.get("Message", "")) from None
        except ParamValidationError:
            raise AwsRefused("ValidationException") from None
        except (ConnectTimeoutError, EndpointConnectionError):
            raise NotSent("unreachable") from None
        except HTTPClientError as error:
            raise NoAnswer("timeout" if "Timeout" in type(error).__name__ else "reset") from None
        except BotoCoreError:  # no credentials, no region: it did not come to a request
            raise NotSent("not_ready") from None
        return answer

    return call


@cache
def _client(service: str) -> Any:
    from botocore.config import Config

    once = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=8)
    return client_of("sesv2", config=once) if service == "sesv2" else client_of("sns", config=once)


_settings: dict[str, tuple[str, Settings]] = {}
_breakers: dict[tuple[str, str], Breaker] = {}
_channels: dict[str, tuple[Settings, dict[str, Channel]]] = {}


def channels(program: str) -> Mapping[str, Channel]:
    """A programme's channels by name, as the secret has them at most five minutes ago, each behind a breaker of its
    own: a provider may be that of all programmes, but a wrong sender is the trouble of one of them alone. The
    inbox is none of them. While the secret is wrong, what it last said stands. Unavailable; ValueError when it never
    was right.
    """
    settings = _current(program)
    known = _channels.get(program)
    if known is None or known[0] is not settings:
        made = {
            name: Guarded(channel, _breakers.setdefault((program, name), Breaker()))
            for name, channel in _made(program, settings).items()
        }
        known = _channels[program] = settings, dict(made)
    return known[1]


def _current(program: str) -> Settings:
    text = channels_secret()
    known = _settings.get(program)
    if known is not None and known[0] == text:
        return known[1]
    try:
        settings = settings_of(text, program, config().mail_configuration_set)
    except ValueError:
        observability.count("ChannelsMisconfigured", now_ms=int(time.time() * 1000), program=program)
        if known is None:
            raise
        settings = known[1]
    _settings[program] = text, settings
    return settings


def _made(program: str, settings: Settings) -> dict[str, Channel]:
    found: dict[str, Channel] = {}
    if settings.email is not None:
        found["email"] = Mail(settings.email, aws("sesv2", "send_email"))
    if settings.sms is not None:
        found["sms"] = Sms(settings.sms, aws("sns", "publish"))
    if settings.push:
        found["push"] = Push(aws("sns", "publish"))
    if settings.wechat is not None:
        found["wechat"] = WeChat(settings.wechat, http(), partial(tokens().token, program, "wechat"))
    if settings.wecom is not None:
        found["wecom"] = WeCom(settings.wecom, http(), partial(tokens().token, program, "wecom"))
    if settings.webhook is not None:
        found["webhook"] = Webhook(settings.webhook, http())
    return found


@cache
def tokens() -> Tokens:
    """Access tokens of this copy."""
    return Tokens(AccessStore(table()))
