"""The product: a points ledger and what stands on it. One folder a feature; see docs/concepts.md."""
