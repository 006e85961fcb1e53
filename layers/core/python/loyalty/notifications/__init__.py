"""Messages on their way to members: each sent at most once, and what became of it."""
