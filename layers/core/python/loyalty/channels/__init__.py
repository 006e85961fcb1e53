"""Channels: how one message leaves for one address, and what a provider's answer means for sending it again."""
