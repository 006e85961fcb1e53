"""What is due, and the night that sees to it, at a cost of what is due."""
