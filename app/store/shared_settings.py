"""The store's calls on settings of the whole installation, which all its servers share."""

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from app.store.base import StoreBase
from app.store.records import checked_json, checked_text
from app.store.tables import SettingRow
from dialog.errors import StoreError

__all__ = ["SettingCalls"]

LONGEST_KEY = 100  # characters


class SettingCalls(StoreBase):
    """Settings by key; a value is what JSON can say."""

    def setting(self, key: str, default: object = None) -> object:
        """Returns a setting, `default` when nobody has set it."""
        with self._reads() as transaction:
            row = transaction.get(SettingRow, key)
            return default if row is None else row.value

    def set_setting(self, key: str, value: object) -> None:
        """Keeps a setting in place of the one before."""
        if not 1 <= len(checked_text(key, "setting's name")) <= LONGEST_KEY:
            raise StoreError(
                f"a setting's name has 1 to {LONGEST_KEY} letters, but {len(key)} came; give another"
            )
        row = {"key": key, "value": checked_json(value, "setting")}
        with self._writes() as transaction:
            dialect = transaction.get_bind().dialect.name
            statement = (sqlite if dialect == "sqlite" else postgresql).insert(SettingRow).values(**row)
            # Two servers may set it at once: neither finds a row to change, and both insert one.
            last_one_wins = statement.on_conflict_do_update(index_elements=[SettingRow.key], set_=row)
            transaction.execute(last_one_wins)

    def settings(self) -> dict[str, object]:
        """Returns all settings, in the order of their keys."""
        with self._reads() as transaction:
            rows = transaction.scalars(select(SettingRow).order_by(SettingRow.key))
            return {row.key: row.value for row in rows}
