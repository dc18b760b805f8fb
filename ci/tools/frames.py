"""Tables that gates ask: ibis expressions over an engine that holds the rows."""

from typing import Any


class Duck:
    """DuckDB in this process, over Arrow tables that it does not copy."""

    def __init__(self) -> None:
        import ibis

        self._engine = ibis.duckdb.connect()

    def table(self, name: str, rows: Any) -> Any:
        """An ibis table of an Arrow table's rows.

        Args:
            name: one that this engine has not seen yet; columns may not differ by case alone.
        """
        self._engine.con.register(name, rows)
        return self._engine.table(name)
