"""Templates: what is found when they are checked, and what comes of them."""

from datetime import date
from typing import Any

import pytest

from loyalty.rules.reading import Reader
from loyalty.rules.yaml_text import Document, Issue
from loyalty.templates.document import read
from loyalty.templates.measure import Length, segments
from loyalty.templates.rendering import render
from loyalty.templates.template import LANGUAGES, Template, Unfit, Value, decode, encode
from loyalty.templates.values import cut, plain_text, units

HELLO = """\
templates:
  hello:
    variables:
      gift: {type: points, most: 5000}
      spent: {type: money, most: 999999}
      until: date
      who: {type: text, most: 10}
      shop: {type: link, most: 60}
    email:
      en:
        subject: "{{ gift }} points, {{ who }}"
        text: "Dear {{ who }}: {{ spent }} by {{ until }}. {{ shop }} {{ unsubscribe }}"
        html: >-
          <p>Dear {{ who }}</p>
          <p><a href="{{ shop }}" title="{{ who }}">shop</a> <a href="{{ unsubscribe }}">no more</a></p>
      zh:
        subject: "送您{{ gift }}积分"
        text: "{{ who }}您好：{{ spent }}，{{ until }}前有效。{{ unsubscribe }}"
    sms:
      segments: 1
      en: "{% if gift >= 1000 %}A lot: {% endif %}{{ gift }} points until {{ until }}"
      zh: "送您{{ gift }}积分，{{ until }}前有效"
    inbox:
      en: {title: "{{ gift }} points", text: "For {{ who }}"}
      zh: {title: "{{ gift }}积分", text: "送给{{ who }}"}
    wechat:
      template_id: kVn3dWq
      page: pages/points
      en:
        {number1: "{{ gift }}", date2: "{{ until }}", thing3: "For {{ who }}",
         amount4: "{{ spent }}", phrase5: 会员日}
      zh:
        {number1: "{{ gift }}", date2: "{{ until }}", thing3: "送给{{ who }}",
         amount4: "{{ spent }}元", phrase5: 会员日}
    wecom: {en: "{{ who }}: {{ gift }}", zh: "{{ who }}：{{ gift }}"}
    webhook: {}
"""
VALUES: dict[str, Value] = {
    "gift": 1200,
    "spent": 123_456,
    "until": date(2026, 11, 11).toordinal(),
    "who": "Ada",
    "shop": "https://shop.example/a?b=1&c=2",
    "unsubscribe": "https://link.invalid/unsubscribe",
}


def checked(text: str, currency: str = "CNY") -> tuple[dict[str, Template], tuple[Issue, ...]]:
    document = Document(text, "campaign.yaml")
    reader = Reader(document)
    found = read(reader, document.root.get("templates"), currency)
    return found, reader.found()


def codes(text: str) -> list[str]:
    return [issue.code for issue in checked(text)[1]]


def hello() -> Template:
    found, issues = checked(HELLO)
    assert [str(one) for one in issues] == []
    return found["hello"]


def refused(
    inside: str, variables: str = "{gift: points, who: {type: text, most: 20}, go: link, until: date}"
) -> Issue:
    """The one thing that is wrong with a template of a service."""
    text = f"templates:\n  t:\n    service: true\n    variables: {variables}\n    {inside}\n"
    _, issues = checked(text)
    assert len(issues) == 1, [str(one) for one in issues]
    return issues[0]


def test_a_template_is_stored_as_it_was_read() -> None:
    template = hello()
    assert decode(encode(template)) == template
    assert template.channels == ("email", "sms", "inbox", "wechat", "wecom", "webhook")


def test_points_money_and_days_stand_as_the_language_writes_them() -> None:
    english, chinese = (render(hello(), "email", language, VALUES) for language in LANGUAGES)
    assert english.subject == "1,200 points, Ada"
    assert english.text.startswith("Dear Ada: ¥1,234.56 by 11 November 2026. ")
    assert chinese.subject == "送您1,200积分"
    assert "2026年11月11日前有效" in chinese.text
    swiss, issues = checked(HELLO, "CHF")
    assert render(swiss["hello"], "email", "en", VALUES).text.startswith("Dear Ada: CHF 1,234.56")
    assert {one.code for one in issues} == {"TEMPLATE_WECHAT_FIELD"}, "there a currency is one sign"


@pytest.mark.parametrize(
    ("asked", "said"), [("zh-CN", "zh"), ("zh", "zh"), ("en-GB", "en"), ("de", "en"), ("", "en"), ("zh-Hant-TW", "zh")]
)
def test_what_the_member_speaks_or_english(asked: str, said: str) -> None:
    assert render(hello(), "sms", asked, VALUES) == render(hello(), "sms", said, VALUES)


def test_cases_go_by_the_number_and_not_by_how_it_is_written() -> None:
    def sms(gift: int) -> str:
        return render(hello(), "sms", "en", {**VALUES, "gift": gift}).text

    assert sms(1000) == "A lot: 1,000 points until 11 November 2026"
    assert sms(999) == "999 points until 11 November 2026"


def test_wechat_gets_its_fields_as_the_platform_reads_them() -> None:
    data = render(hello(), "wechat", "zh-CN", VALUES).data
    assert data == {
        "template_id": "kVn3dWq",
        "page": "pages/points",
        "lang": "zh_CN",
        "number1": "1200",
        "date2": "2026-11-11",
        "thing3": "送给Ada",
        "amount4": "¥1234.56元",
        "phrase5": "会员日",
    }
    assert render(hello(), "wechat", "en", VALUES).data["lang"] == "en_US"


def test_a_webhook_gets_the_variables_themselves() -> None:
    data = render(hello(), "webhook", "en", VALUES).data
    assert (data["gift"], data["until"], data["spent"]) == ("1200", "2026-11-11", "¥1234.56")


@pytest.mark.parametrize("name", ["gift", "until", "who", "shop"])
def test_a_variable_that_is_missing_stops_the_message_and_is_named(name: str) -> None:
    with pytest.raises(Unfit, match=name):
        render(hello(), "sms", "en", {key: value for key, value in VALUES.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gift", 5001),
        ("gift", -1),
        ("gift", True),
        ("gift", "1200"),
        ("until", 0),
        ("until", 10**9),
        ("who", 7),
        ("spent", 10**9),
        ("shop", "javascript:alert(1)"),
        ("shop", "https://shop.example/\r\nBcc: x"),
        ("shop", 'https://shop.example/"onclick="x'),
        ("shop", "https://shop.example/" + "x" * 60),
        ("shop", "ftp://shop.example/"),
        ("shop", "https://user@shop.example/"),
    ],
)
def test_what_a_type_cannot_hold_stops_the_message_and_is_not_quoted(name: str, value: Any) -> None:
    with pytest.raises(Unfit) as error:
        render(hello(), "email", "en", {**VALUES, name: value})
    assert str(error.value) == name


NAMES = (
    "<b>Ada</b>",
    '"><script>alert(1)</script>',
    "{{ 7 * 7 }}{% for %}",
    "Ada\r\nBcc: all@example.com",
    "Ada\u2028\u2029\x0b\x00",
    "\u202egnp.exe",
    "http://evil.example/x",
    "https\uff1a//evil.example",
    "www.evil.example",
    "javascript:alert(1)",
    "mailto:a@b.example",
    "&lt;i&gt;&#60;",
    "😀" * 40,
    "\ud83d",
    "' onmouseover='x",
    '<a href="https://evil.example">you won</a>',
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channel", ["email", "sms", "inbox", "wechat", "wecom", "webhook"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_in_a_name_does_nothing_in_any_channel(name: str, channel: str, language: str) -> None:
    wide = Template("t", hello().variables, hello().texts, hello().setup)
    got = render(wide, channel, language, {**VALUES, "who": name})
    plain = render(wide, channel, language, {**VALUES, "who": "Ada"})
    assert got.html.count("<") == plain.html.count("<"), "no tag that the template has not"
    assert got.html.count('"') == plain.html.count('"')
    assert len(got.subject.splitlines()) <= 1
    assert len(got.text.splitlines()) == len(plain.text.splitlines())
    for text in (got.subject, got.text, *got.data.values()):
        without = text.replace(str(VALUES["shop"]), "").replace(str(VALUES["unsubscribe"]), "")
        assert "://" not in without
        assert "\uff1a//" not in without
        assert "evil.example" not in without
        assert not any(sign in text for sign in "\r\x00\u2028\u202e\u200b")
        text.encode("utf-8")
    if channel == "wecom":
        assert "<" not in got.text
    assert len(segments_of := plain_text(name)) <= 200, segments_of


def test_a_long_text_is_cut_by_what_phones_count_and_says_so() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde…"
    assert cut("ab😀😀", 5) == "ab😀…"
    assert units("ab😀") == 4
    assert cut("😀", 1) == "…"


def test_honest_names_stay_as_they_are() -> None:
    for name in ("Ada Lovelace", "王小明", "O'Brien-Smith", "Dr. Müller", "José 3.5", "阿卜杜拉·买买提"):
        assert plain_text(name) == name


@pytest.mark.parametrize(
    ("inside", "code", "place"),
    [
        ('sms: {en: "{{ gfit }}", zh: a}', "TEMPLATE_VARIABLE_UNKNOWN", (5, 19)),
        ('sms: {en: "{{ gift", zh: a}', "TEMPLATE_SYNTAX", (5, 16)),
        ('sms: {en: "{% for a in b %}x{% endfor %}", zh: a}', "TEMPLATE_NOT_ALLOWED", (5, 16)),
        ('sms: {en: "{{ gift|upper }}", zh: a}', "TEMPLATE_NOT_ALLOWED", (5, 16)),
        ('sms: {en: "{{ gift.real }}", zh: a}', "TEMPLATE_NOT_ALLOWED", (5, 16)),
        ('sms: {en: "{{ gift * 1000000 }}", zh: a}', "TEMPLATE_NOT_ALLOWED", (5, 16)),
        ('sms: {en: "{% set x = 1 %}", zh: a}', "TEMPLATE_NOT_ALLOWED", (5, 16)),
        ('sms: {en: "{% include \'x\' %}", zh: a}', "TEMPLATE_NOT_ALLOWED", (5, 16)),
        ('sms: {en: "{{ range(9) }}", zh: a}', "TEMPLATE_NOT_ALLOWED", (5, 16)),
        ('sms: {en: "{% if who > 3 %}a{% endif %}", zh: a}', "TEMPLATE_NOT_ALLOWED", (5, 16)),
        ('sms: {en: "{% if 1 < gift < 5 %}a{% endif %}", zh: a}', "TEMPLATE_NOT_ALLOWED", (5, 16)),
        ("sms: {en: abc}", "TEMPLATE_LANGUAGE_MISSING", (5, 10)),
        ('sms: {segments: 1, en: "{{ who }} 0123456789012345678901234567890123456789012345678901", zh: a}',
         "TEMPLATE_TOO_LONG", (5, 28)),
        ('push: {en: {title: "a\\nb", text: a}, zh: {title: a, text: b}}', "TEMPLATE_NOT_ALLOWED", (5, 26)),
        ('wechat: {en: {thing1: a}, zh: {thing1: a}}', "RULE_KEY_MISSING", (5, 13)),
        ('wechat: {template_id: a, en: {thing1: "{{ who }}!"}, zh: {thing1: a}}', "TEMPLATE_TOO_LONG", (5, 43)),
        ('wechat: {template_id: a, en: {thing1: a, thingy1: a}, zh: {thing1: a}}', "TEMPLATE_WECHAT_FIELD", (5, 46)),
        ('wechat: {template_id: a, en: {number1: "{{ gift }} points"}, zh: {number1: "1"}}',
         "TEMPLATE_WECHAT_FIELD", (5, 44)),
        ('wechat: {template_id: a, en: {phrase1: hello}, zh: {phrase1: 您好}}', "TEMPLATE_WECHAT_FIELD", (5, 44)),
        ('wechat: {template_id: a, en: {thing1: a}, zh: {thing2: a}}', "TEMPLATE_WECHAT_FIELD", (5, 13)),
        ('wechat: {template_id: a, en: {date1: "{{ gift }}"}, zh: {date1: "{{ until }}"}}',
         "TEMPLATE_WECHAT_FIELD", (5, 42)),
        ("wecom: {en: a, zh: b}\n    fax: {en: a, zh: b}", "RULE_KEY_UNKNOWN", (6, 5)),
        ("webhook: {en: a}", "RULE_KEY_UNKNOWN", (5, 15)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_in_its_place(inside: str, code: str, place: tuple[int, int]) -> None:
    issue = refused(inside)
    assert (issue.code, (issue.line, issue.column)) == (code, place), str(issue)


def test_an_unknown_variable_is_told_with_the_nearest() -> None:
    assert refused('sms: {en: "{{ gfit }}", zh: a}').suggestion == "gift"


def html(text: str) -> str:
    return f"email: {{en: {{subject: a, text: b, html: '{text}'}}, zh: {{subject: a, text: b}}}}"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script",
        '<a href="{{ who }}">x</a>',
        '<a href="https://x.example/{{ who }}">x</a>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="http://x.example/">x</a>',
        "<a href={{ go }}>x</a>",
        '<a onclick="x">x</a>',
        '<img src="{{ who }}">',
        '<img src="data:image/png;base64,AA">',
        '<p style="background-image:url(https://x.example/)">x</p>',
        '<p style="color:{{ who }}">x</p>',
        "<p>x",
        "<!-- {{ who }} --",
        "a < b",
        "<p {% if gift %}title{% endif %}>x</p>",
        '<a href="{% if gift %}{{ go }}{% endif %}">x</a>',
        "<iframe></iframe",
        '<p class="x">y</p>',
        "<P>x</P",
        '<td width="{{ gift }}"></td>',
    ],
)
def test_html_that_could_do_harm_is_refused(text: str) -> None:
    _, issues = checked(f"templates:\n  t:\n    service: true\n    variables: {{gift: points, who: text, go: link}}\n"
                        f"    {html(text)}\n")  # fmt: skip
    assert issues
    assert {one.code for one in issues} == {"TEMPLATE_MARKUP"}, [str(one) for one in issues]


@pytest.mark.parametrize(
    "text",
    [
        '<p style="color:#333; margin:4px">{{ who }} &amp; {{ gift }}</p>',
        '<a href="{{ go }}" title="{{ who }}">x</a><br><hr/>',
        '<img src="https://x.example/a.png" alt="{{ who }}" width="20">',
        '<table><tr><td align="left">{% if gift > 5 %}<b>x</b>{% elif gift %}<i>y</i>{% endif %}</td></tr></table>',
        '<a href="mailto:a@x.example">x</a>',
    ],
)
def test_html_of_the_closed_list_passes(text: str) -> None:
    _, issues = checked(f"templates:\n  t:\n    service: true\n    variables: {{gift: points, who: text, go: link}}\n"
                        f"    {html(text)}\n")  # fmt: skip
    assert [str(one) for one in issues] == []


def test_an_advertising_mail_has_the_link_to_unsubscribe_in_every_case() -> None:
    def issues(text: str, markup: str, service: str = "false") -> set[str]:
        _, found = checked(
            f"templates:\n  t:\n    service: {service}\n    variables: {{gift: points}}\n"
            f"    email: {{en: {{subject: a, text: '{text}', html: '{markup}'}}, zh: {{subject: a, text: '{text}'}}}}\n"
        )
        return {one.code for one in found}

    link = '<a href="{{ unsubscribe }}">x</a>'
    assert issues("{{ unsubscribe }}", link) == set()
    assert issues("{{ unsubscribe }}", "<p>x</p>") == {"TEMPLATE_UNSUBSCRIBE_MISSING"}
    assert issues("a", link) == {"TEMPLATE_UNSUBSCRIBE_MISSING"}
    assert issues("{% if gift %}{{ unsubscribe }}{% endif %}", link) == {"TEMPLATE_UNSUBSCRIBE_MISSING"}
    assert issues("{% if gift %}{{ unsubscribe }}{% else %}{{ unsubscribe }}{% endif %}", link) == set()
    assert issues("a", "<p>x</p>", "true") == set()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # the euro's two places are not parted
        ("中" * 70, 1),
        ("中" * 71, 2),
        ("中" * 134, 2),
        ("中" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 66 + "中中", 3),  # 33 of them a message, for none is parted
        ("a" * 100 + "中", 2),
    ],
)
def test_an_sms_is_counted_as_networks_bill_it(text: str, count: int) -> None:
    assert segments(text) == count
    assert Length.of(text).segments >= count


def test_a_variable_that_may_be_chinese_makes_the_whole_message_count_so() -> None:
    words = "x" * 60
    assert refused(f'sms: {{segments: 1, en: "{words} {{{{ who }}}}", zh: a}}').code == "TEMPLATE_TOO_LONG"
    sms = f"sms: {{segments: 1, en: '{words} {{{{ gift }}}}', zh: a}}"
    text = f"templates:\n  t:\n    variables: {{gift: points}}\n    {sms}\n"
    assert checked(text)[1] == ()


def test_wecom_counts_bytes() -> None:
    assert refused(f"wecom: {{en: a, zh: {'中' * 683}}}").code == "TEMPLATE_TOO_LONG"
    _, issues = checked(f"templates:\n  t:\n    wecom: {{en: a, zh: {'中' * 682}}}\n")
    assert issues == ()


def test_a_template_without_a_text_is_none() -> None:
    _, issues = checked("templates:\n  t: {variables: {gift: points}}\n")
    assert [one.code for one in issues] == ["TEMPLATE_CHANNEL_MISSING"]


def test_a_name_of_the_language_is_no_variable() -> None:
    _, issues = checked("templates:\n  t: {variables: {unsubscribe: link, none: text}, wecom: {en: a, zh: b}}\n")
    assert [one.code for one in issues] == ["RULE_NAME_TAKEN", "RULE_NAME_TAKEN"]


def test_a_link_counts_as_what_goes_out_and_the_shortest_that_may_be_named_goes_out() -> None:
    words = "Twice the points all week, in every one of our shops. Where they are: {{ shop }}"
    short = HELLO.replace("most: 60", "most: 20").replace("{{ gift }} points until {{ until }}", words)
    assert codes(short) == ["TEMPLATE_TOO_LONG"]
    template = checked(HELLO.replace("most: 60", "most: 20"))[0]["hello"]
    sent = render(template, "email", "en", VALUES | {"shop": "https://link.invalid/10"})
    assert "https://link.invalid/10" in sent.text


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("{{ who }}", False),
        ("{{ who }} ", False),
        ("{% if who %}{{ who }}{% else %}you{% endif %}", True),
        ("{% if not who %}you{% else %}{{ who }}{% endif %}", True),
        ('{% if who != "" %}{{ who }}{% else %}you{% endif %}', True),
        ("{{ who if who else 'you' }}", True),
        ("{% if gift > 5 %}{{ who }}{% else %}you{% endif %}", False),
        ("{% if who %}{{ who }}{% endif %}", False),
        ("{% if who or gift > 5 %}{{ who }}{% else %}you{% endif %}", False),
        ('{% if gift > 5 and who %}{{ who }}{% elif who == "" %}you{% else %}{{ who }}{% endif %}', True),
    ],
)
def test_a_field_of_wechats_is_never_empty(text: str, good: bool) -> None:
    written = text.replace('"', '\\"') + '",\n         amount4'
    found = codes(HELLO.replace('For {{ who }}",\n         amount4', written))
    assert found == ([] if good else ["TEMPLATE_WECHAT_FIELD"])


def test_a_name_may_be_another_where_it_is_not_known() -> None:
    chinese = HELLO.replace('thing3: "For {{ who }}"', "name3: You").replace(
        'thing3: "送给{{ who }}"', 'name3: "{% if who %}{{ who }}{% else %}会员{% endif %}"'
    )
    assert codes(chinese) == []
    assert codes(chinese.replace("%}会员{%", "%}VIP 会员{%")) == ["TEMPLATE_WECHAT_FIELD"]
