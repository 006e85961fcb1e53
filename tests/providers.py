"""Providers of messages, on loopback: WeChat, WeCom and a receiver of webhooks.

Each checks a request as the real one does (path, query, method, token, shape of the body, type and length of values,
signature) and answers with its codes. What it really took is in ``taken``, whatever it then answered; what no real
client may send is in ``complaints``. On demand it misbehaves: see ``Fault``.
"""

import json
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from tests.patience import ANSWER_S


class Fault(Enum):
    """What happens to one request."""

    BUSY = "503, and nothing was taken"
    BROKEN = "500 after it was taken"
    RESET = "the connection is reset before anything was taken"
    TAKEN_RESET = "the connection is reset after it was taken"
    SLOW = "it is taken, and the answer comes after the client has gone"
    DRIP = "it is taken, and the answer comes byte by byte"
    CUT = "it is taken, and the answer ends in the middle"
    HUGE = "it is taken, and the answer is longer than any client reads"
    ELSEWHERE = "302 to another address"
    RATE = "429 with Retry-After: 7"
    NONSENSE = "it is taken, and the answer is no JSON"
    ERR_BUSY = "errcode -1, nothing was taken"
    ERR_QUOTA = "errcode 45009, nothing was taken"
    EXPIRED = "the token has just ended"


TAKES: Final = frozenset(
    {Fault.BROKEN, Fault.TAKEN_RESET, Fault.SLOW, Fault.DRIP, Fault.CUT, Fault.HUGE, Fault.NONSENSE}
)
"""The message arrives all the same."""
LATE_S: Final = ANSWER_S
"""A slow provider has answered after so long; who waits for less has gone."""
LETTERS: Final = 4_000
"""So many make up an answer that comes byte by byte: no pause between two of them is long."""


@dataclass(frozen=True)
class Request:
    """One request as it came, headers in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, None when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def said(**fields: object) -> Answer:
    """A JSON answer."""
    return Answer(200, json.dumps(fields).encode(), {"Content-Type": "application/json; encoding=utf-8"})


class Provider:
    """One server. ``faults`` are used up one a message, in their order; ``now`` is the provider's clock;
    ``dawdles`` is set when it has taken a message whose answer it keeps back.
    """

    message_path = "/"

    def __init__(self) -> None:
        self.faults: list[Fault | None] = []
        self.token_faults: list[Fault | None] = []
        self.taken: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self.requests: list[Request] = []
        self.counts: Counter[str] = Counter()
        self.now: Callable[[], float] = time.time
        self.stopping = Event()
        self.dawdles = Event()
        self.lock = Lock()
        self.url = ""

    def answer(self, request: Request) -> Answer:
        """The provider itself; called with the lock held."""
        raise NotImplementedError

    def expire(self) -> None:
        """The token that is out ends now."""

    def err(self, code: int, message: str = "error") -> Answer:
        return said(errcode=code, errmsg=message)

    def handle(self, request: Request) -> tuple[Answer | None, Fault | None]:
        """What to answer, and what is wrong about it; no answer for a reset."""
        with self.lock:
            self.requests.append(request)
            self.counts[request.path] += 1
            faults = self.faults if request.path == self.message_path else self.token_faults
            fault = faults.pop(0) if faults else None
            if fault is Fault.EXPIRED:
                self.expire()
                fault = None
            if fault is None or fault in TAKES:
                return self.answer(request), fault
        instead = {
            Fault.BUSY: Answer(503, b"busy"),
            Fault.ELSEWHERE: Answer(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"}),
            Fault.RATE: Answer(429, b"slower", {"Retry-After": "7"}),
            Fault.ERR_BUSY: self.err(-1, "system error"),
            Fault.ERR_QUOTA: self.err(45009, "reach max api daily quota limit"),
            Fault.RESET: None,
        }
        return instead[fault], fault


class WeChat(Provider):
    """The platform of mini programmes. ``members`` maps an openid to the messages it still has of each template;
    ``templates`` a template to its keys.
    """

    message_path = "/cgi-bin/message/subscribe/send"
    token_path = "/cgi-bin/stable_token"

    def __init__(self, app_id: str = "wxapp", secret: str = "s" * 32) -> None:
        super().__init__()
        self.app_id, self.secret = app_id, secret
        self.members: dict[str, dict[str, int]] = {}
        self.templates: dict[str, tuple[str, ...]] = {}
        self.pages = {"pages/index", "pages/points"}
        self.lasts_s = 7200
        self.tokens: dict[str, float] = {}
        """Every token that holds, and until when."""
        self.current = ""
        self.made = self.forced = 0
        self.refuses: Callable[[str], bool] = lambda token: False
        """Tokens that are refused although they hold."""
        self._forced_at = -1e9

    def expire(self) -> None:
        self.tokens[self.current] = self.now() - 1

    def void(self) -> None:
        """The platform throws the token away, as it may."""
        self.tokens.clear()

    def answer(self, request: Request) -> Answer:
        if request.path == self.token_path:
            return self._token(request)
        if request.path != self.message_path:
            self.complaints.append(f"no such path: {request.path}")
            return Answer(404, b"")
        return self._message(request)

    def _token(self, request: Request) -> Answer:
        wanted = request.json()
        if request.method != "POST":
            return self.err(43002, "require POST method")
        if not isinstance(wanted, dict) or wanted.keys() - {"grant_type", "appid", "secret", "force_refresh"}:
            return self.err(47001, "data format error")
        if wanted.get("grant_type") != "client_credential":
            return self.err(40002, "invalid grant_type")
        if wanted.get("appid") != self.app_id:
            return self.err(40013, "invalid appid")
        if wanted.get("secret") != self.secret:
            return self.err(40125, "invalid appsecret")
        if not isinstance(wanted.get("force_refresh", False), bool):
            return self.err(47001, "data format error")
        now = self.now()
        if wanted.get("force_refresh"):
            if self.forced >= 20:
                return self.err(45009, "reach max api daily quota limit")
            if now - self._forced_at >= 30:
                self.forced += 1
                self._forced_at = now
                self.tokens.clear()
                self._make(now)
        elif self.tokens.get(self.current, 0) - now < 300:  # the one before it holds on for its last five minutes
            self._make(now)
        return said(access_token=self.current, expires_in=int(self.tokens.get(self.current, now + 7200) - now))

    def _make(self, now: float) -> None:
        self.made += 1
        self.current = f"wechat-token-{self.made}"
        self.tokens[self.current] = now + self.lasts_s

    def _message(self, request: Request) -> Answer:
        if request.method != "POST":
            return self.err(43002, "require POST method")
        token = request.query.get("access_token", "")
        if not token:
            return self.err(41001, "access_token missing")
        if token not in self.tokens or self.refuses(token):
            return self.err(40001, "invalid credential, access_token is invalid or not latest")
        if self.now() >= self.tokens[token]:
            return self.err(42001, "access_token expired")
        body = request.json()
        if not isinstance(body, dict):
            return self.err(47001, "data format error")
        return self._checked(body)

    def _checked(self, body: dict[str, Any]) -> Answer:
        strange = body.keys() - {"touser", "template_id", "page", "data", "miniprogram_state", "lang"}
        if strange:
            self.complaints.append(f"unknown fields {sorted(strange)}")
        member = self.members.get(str(body.get("touser")))
        if member is None:
            return self.err(40003, "invalid openid")
        template = str(body.get("template_id"))
        if template not in self.templates:
            return self.err(40037, "invalid template_id")
        if "page" in body and str(body["page"]).split("?")[0] not in self.pages:
            return self.err(41030, "invalid page")
        if body.get("miniprogram_state") not in ("developer", "trial", "formal"):
            return self.err(47003, "argument invalid! miniprogram_state")
        if body.get("lang") not in ("zh_CN", "en_US", "zh_HK", "zh_TW"):
            return self.err(47003, "argument invalid! lang")
        data = body.get("data")
        if not isinstance(data, dict) or data.keys() != set(self.templates[template]):
            return self.err(47003, "argument invalid! data")
        for key, given in data.items():
            if not isinstance(given, dict) or given.keys() != {"value"} or not fits(key, given["value"]):
                return self.err(47003, f"argument invalid! data.{key}.value invalid")
        if not member.get(template):
            return self.err(43101, "user refuse to accept the msg")
        member[template] -= 1
        self.taken.append(body)
        return said(errcode=0, errmsg="ok")


_VALUES: Final = {
    "thing": r"[^\x00-\x1f]{1,20}",
    "number": r"(?=.{1,32}$)\d+(\.\d+)?",
    "letter": r"[A-Za-z]{1,32}",
    "symbol": r"[^\w\x00-\x1f]{1,5}",
    "character_string": r"[\x20-\x7e]{1,32}",
    "time": r"(\d{4}年\d{1,2}月\d{1,2}日 ?)?\d{1,2}:\d{2}(:\d{2})?([~]\d{1,2}:\d{2})?",
    "date": r"\d{4}(年\d{1,2}月\d{1,2}日|([-/.])\d{1,2}\2\d{1,2})( \d{1,2}:\d{2}(:\d{2})?)?",
    "amount": r"[^\w\s]?\d{1,10}(\.\d+)?元?",
    "phone_number": r"[\d+\-() ]{1,17}",
    "car_number": r".{1,8}",
    "name": r"[\u4e00-\u9fff]{1,10}|[\u4e00-\u9fffA-Za-z ·.\-]{1,10}|[A-Za-z ·.\-]{1,20}",
    "phrase": r"[\u4e00-\u9fff]{1,5}",
    "enum": r".+",
}


def fits(key: str, value: object) -> bool:
    """Whether WeChat takes a value under a key: its name begins with the type, a number follows."""
    named = re.fullmatch(r"([a-z_]+?)(\d+)", key)
    if named is None or named[1] not in _VALUES or not isinstance(value, str):
        return False
    return re.fullmatch(_VALUES[named[1]], value) is not None


class WeCom(Provider):
    """WeCom's server. ``customers`` maps an external user id to the mass messages it may still get this month."""

    message_path = "/cgi-bin/externalcontact/add_msg_template"
    token_path = "/cgi-bin/gettoken"

    def __init__(self, corp_id: str = "wwcorp", corp_secret: str = "c" * 43) -> None:
        super().__init__()
        self.corp_id, self.corp_secret = corp_id, corp_secret
        self.customers: dict[str, int] = {}
        self.staff = {"lina"}
        self.lasts_s = 7200
        self.tokens: dict[str, float] = {}
        self.current = ""
        self.made = 0

    def expire(self) -> None:
        self.tokens[self.current] = self.now() - 1

    def void(self) -> None:
        """The platform throws the token away, as it may."""
        self.tokens.clear()

    def answer(self, request: Request) -> Answer:
        if request.path == self.token_path:
            return self._token(request)
        if request.path != self.message_path:
            self.complaints.append(f"no such path: {request.path}")
            return Answer(404, b"")
        return self._message(request)

    def _token(self, request: Request) -> Answer:
        if request.method != "GET" or request.query.keys() != {"corpid", "corpsecret"}:
            self.complaints.append(f"gettoken by {request.method} with {sorted(request.query)}")
        if request.query.get("corpid") != self.corp_id:
            return self.err(40013, "invalid corpid")
        if request.query.get("corpsecret") != self.corp_secret:
            return self.err(40001, "invalid credential")
        now = self.now()
        if self.tokens.get(self.current, 0) <= now:
            self.made += 1
            self.current = f"wecom-token-{self.made}"
            self.tokens[self.current] = now + self.lasts_s
        left = int(self.tokens[self.current] - now)
        return said(errcode=0, errmsg="ok", access_token=self.current, expires_in=left)

    def _message(self, request: Request) -> Answer:
        token = request.query.get("access_token", "")
        if not token:
            return self.err(41001, "access_token missing")
        if token not in self.tokens:
            return self.err(40014, "invalid access_token")
        if self.now() >= self.tokens[token]:
            return self.err(42001, "access_token expired")
        body = request.json()
        if request.method != "POST" or not isinstance(body, dict):
            return self.err(40035, "Warning: wrong json format.")
        wrong = self._wrong(body)
        if wrong:
            return self.err(wrong)
        unreached = [one for one in body["external_userid"] if not self.customers.get(one)]
        reached = [one for one in body["external_userid"] if one not in unreached]
        if not reached and any(one not in self.customers for one in unreached):
            return self.err(40096, "invalid external userid")
        if not reached:
            return self.err(41048, "no customer to send")
        for one in reached:
            self.customers[one] -= 1
        self.taken.append(body)
        return said(errcode=0, errmsg="ok", fail_list=unreached, msgid=f"msg{len(self.taken)}")

    def _wrong(self, body: dict[str, Any]) -> int:
        """The code of what is wrong about a task; 0 when nothing is."""
        strange = body.keys() - {"chat_type", "external_userid", "sender", "text", "attachments"}
        if strange:
            self.complaints.append(f"unknown fields {sorted(strange)}")
        to = body.get("external_userid")
        if body.get("chat_type", "single") != "single" or not isinstance(to, list) or not to or len(to) > 10_000:
            return 40058
        if "sender" in body and body["sender"] not in self.staff:
            return 40003
        text = body.get("text", {}).get("content", "")
        attachments = body.get("attachments", [])
        if not isinstance(text, str) or not (text or attachments):
            return 44004
        if len(text.encode()) > 4000 or len(attachments) > 9:
            return 45002
        return next(filter(None, map(self._wrong_attachment, attachments)), 0)

    @staticmethod
    def _wrong_attachment(attachment: Mapping[str, Any]) -> int:
        kind = str(attachment.get("msgtype"))
        content = attachment.get(kind)
        if kind != "link" or not isinstance(content, dict):
            return 40008
        if not 0 < len(content.get("title", "").encode()) <= 128 or not str(content.get("url")).startswith("http"):
            return 40058
        return 0


class Receiver(Provider):
    """A receiver of Standard Webhooks, which verifies with the standard's own library and takes each id once.

    ``statuses`` are answered one a delivery, after the signature was found right; ``twice`` counts what came again.
    """

    message_path = "/hook"

    def __init__(self, *secrets: str) -> None:
        super().__init__()
        self.secrets = [*secrets]
        self.statuses: list[int] = []
        self.seen: dict[str, bytes] = {}
        self.twice = 0

    def answer(self, request: Request) -> Answer:
        if (request.method, request.path) != ("POST", self.message_path):
            self.complaints.append(f"{request.method} {request.path}")
            return Answer(404, b"")
        if not self._verified(request):
            return Answer(401, b"")
        if request.headers.get("content-type") != "application/json":
            self.complaints.append("a body that is not called JSON")
        status = self.statuses.pop(0) if self.statuses else 204
        if status >= 300:
            return Answer(status, b"")
        name = request.headers["webhook-id"]
        if name in self.seen:
            self.twice += 1
        else:
            self.seen[name] = request.body
            self.taken.append({"id": name, **request.json()})
        return Answer(status, b"")

    def _verified(self, request: Request) -> bool:
        for secret in self.secrets:
            try:
                Verifier(secret).verify(request.body, dict(request.headers))
            except WebhookVerificationError:
                continue
            return True
        return False


P = TypeVar("P", bound=Provider)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        provider = self.server.provider
        answer, fault = provider.handle(Request(self.command, parts.path, query, headers, body))
        if answer is None or fault is Fault.TAKEN_RESET:
            self._reset()
            return
        if fault is Fault.SLOW:
            provider.dawdles.set()
            provider.stopping.wait(LATE_S)
        self._write(_spoiled(answer, fault), fault)

    def _reset(self) -> None:
        """Close with a reset, not with an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _write(self, answer: Answer, fault: Fault | None) -> None:
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if fault is Fault.CUT:
                self.wfile.write(answer.body[: len(answer.body) // 2])
                self.close_connection = True
            elif fault is Fault.DRIP:
                for number, letter in enumerate(answer.body):
                    self.wfile.write(bytes([letter]))
                    if number == 0:
                        self.server.provider.dawdles.set()
                    if self.server.provider.stopping.wait(LATE_S / LETTERS):
                        break
            else:
                self.wfile.write(answer.body)
        except OSError:  # the client has gone
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing: tests have ``requests``."""


def _spoiled(answer: Answer, fault: Fault | None) -> Answer:
    if fault is Fault.BROKEN:
        return Answer(500, b"broken")
    if fault is Fault.NONSENSE:
        return Answer(200, b"<html>taken</html>")
    if fault is Fault.HUGE:
        return Answer(answer.status if answer.status != 204 else 200, b" " * 200_000)
    if fault in (Fault.CUT, Fault.DRIP) and len(answer.body) < 20:
        answer = Answer(200, b'{"errcode": 0, "errmsg": "ok"}')
    if fault is Fault.DRIP:
        answer = Answer(answer.status, answer.body.ljust(LETTERS), answer.headers)
    return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    provider: Provider

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the server's."""


@contextmanager
def serving(provider: P, context: Any = None) -> Iterator[P]:
    """Serve on a free port of this machine; ``url`` of the provider says where. With ``context`` over TLS."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.provider = provider
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        provider.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            provider.stopping.set()
            server.shutdown()
            thread.join()
