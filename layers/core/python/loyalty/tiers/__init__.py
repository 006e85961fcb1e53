"""Tiers: what a member's figures reach, when that ends, and what is missing for more."""
