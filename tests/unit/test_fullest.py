"""The entry of an account that has everything still fits into one write unit."""

from bench import fullest
from loyalty.ledger import chain


def test_an_entry_with_all_that_an_account_can_ordinarily_have_fits_into_a_write_unit() -> None:
    entry = fullest.entry()
    assert len(entry.state.lots) == 24
    assert (len(entry.state.months), len(entry.state.counters)) == (12, 2)
    assert (entry.state.remainders, entry.state.tier, entry.timers) != ({}, "", {})
    assert chain.read(entry.chain, entry.number, entry.ref, entry.body, entry.hash) == entry
    assert fullest.size(entry) <= 1_024
