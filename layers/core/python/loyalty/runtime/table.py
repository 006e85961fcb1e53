"""The deployed table, one client a running copy."""

from functools import cache

from loyalty.runtime.config import config
from loyalty.table.client import Table, connect


@cache
def table() -> Table:
    """Made when first asked for."""
    return Table(connect(), config().table)
