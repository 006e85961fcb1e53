"""What earns points: purchases, their returns, and events."""
