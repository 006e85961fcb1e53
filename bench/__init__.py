"""What ``make bench`` measures: the numbers that the ledger promises, each beside its bound."""
