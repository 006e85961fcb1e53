"""Rules tried on what really happened: stored purchases once more, under a rule set that nobody earns by yet."""
