"""Earning rules: a language like SQL, checked and compiled when a rule is written, evaluated in microseconds."""
