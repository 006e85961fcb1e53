"""Which channel is worth most: by what each has brought, and not by luck."""

from hypothesis import given
from hypothesis import strategies as st

from loyalty.notifications.choice import by_return

CHANNELS = ("email", "sms", "wechat")


def test_the_channel_after_which_most_bought_comes_first() -> None:
    returns = {"email": {"sent": 5_000, "purchased": 100}, "sms": {"sent": 5_000, "purchased": 300}}
    assert by_return(("email", "sms"), returns) == ("sms", "email")


def test_two_purchases_after_three_messages_are_no_proof() -> None:
    returns = {"email": {"sent": 10_000, "purchased": 2_000}, "sms": {"sent": 3, "purchased": 0}}
    assert by_return(("sms", "email"), returns) == ("email", "sms")
    lucky = {"email": {"sent": 10_000, "purchased": 2_000}, "sms": {"sent": 10, "purchased": 4}}
    much = {**lucky, "sms": {"sent": 10_000, "purchased": 1_900}}
    assert by_return(("email", "sms"), much) == ("email", "sms")


def test_where_nobody_bought_clicks_count_and_then_looks() -> None:
    clicked = {"email": {"sent": 900, "opened": 500}, "sms": {"sent": 900, "clicked": 20}}
    assert by_return(("email", "sms"), clicked) == ("sms", "email")
    opened = {"email": {"sent": 900, "opened": 500}, "sms": {"sent": 900}}
    assert by_return(("sms", "email"), opened) == ("email", "sms")


def test_without_figures_channels_stay_as_they_stand() -> None:
    assert by_return(("wechat", "sms", "email"), {}) == ("wechat", "sms", "email")


@given(
    st.permutations(CHANNELS),
    st.dictionaries(
        st.sampled_from(CHANNELS),
        st.dictionaries(st.sampled_from(("sent", "opened", "clicked", "purchased")), st.integers(0, 10**6)),
    ),
)
def test_every_channel_stays_in_the_list(channels: list[str], returns: dict[str, dict[str, int]]) -> None:
    assert sorted(by_return(channels, returns)) == sorted(CHANNELS)
