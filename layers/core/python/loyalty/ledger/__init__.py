"""The points ledger: accounts, lots, holds, entries and the chain that holds them. Imports no other feature."""
