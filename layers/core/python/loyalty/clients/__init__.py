"""Who may call: clients, their keys, roles and scopes."""
