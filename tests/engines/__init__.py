"""The table's engines: AWS's own (DynamoDB Local) and moto, both behind one function that makes a table on them."""

from tests.engines.tables import DYNAMODB_LOCAL, ENGINES, MOTO, create_table, empty_table, items_of

__all__ = ["DYNAMODB_LOCAL", "ENGINES", "MOTO", "create_table", "empty_table", "items_of"]
