"""Whether, when and where a member is told something: what was agreed to, what was sent, and one decision over all."""
