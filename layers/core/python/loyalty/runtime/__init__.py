"""The edge of a function: configuration, HTTP, batches, logs. The only code that knows Powertools."""
