"""Why an entry says what it says: told from the entry, the state before it and the rules of its version."""
