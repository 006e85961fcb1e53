"""Webhooks: events for partners' systems, signed, in order where asked, tried for a day and kept for thirty."""
