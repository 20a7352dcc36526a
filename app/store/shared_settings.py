"""The store's calls on settings of the whole installation, which all its servers share."""

from sqlalchemy import select

from app.store.base import StoreBase
from app.store.tables import SettingRow

__all__ = ["SettingCalls"]


class SettingCalls(StoreBase):
    """Settings by key; a value is what JSON can say."""

    def setting(self, key: str, default: object = None) -> object:
        """Returns a setting, `default` when nobody has set it."""
        with self._reads() as transaction:
            row = transaction.get(SettingRow, key)
            return default if row is None else row.value

    def set_setting(self, key: str, value: object) -> None:
        """Keeps a setting in place of the one before."""
        with self._writes() as transaction:
            transaction.merge(SettingRow(key=key, value=value))

    def settings(self) -> dict[str, object]:
        """Returns all settings, in the order of their keys."""
        with self._reads() as transaction:
            rows = transaction.scalars(select(SettingRow).order_by(SettingRow.key))
            return {row.key: row.value for row in rows}
