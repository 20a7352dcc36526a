"""The store's calls that write sessions to lines and read them back."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from sqlalchemy import select

from app.store import queries
from app.store.base import StoreBase
from app.store.export import exported, line_of
from app.store.imports import Imported, check_lines, insert_lines
from app.store.tables import OwnerRow, SessionRow, UserRow
from dialog.errors import StoreError

__all__ = ["TransferCalls"]


class TransferCalls(StoreBase):
    """Export and import."""

    def export_lines(
        self,
        owner: str | None,
        session_ids: Sequence[str] | None = None,
        *,
        is_blind: bool = False,
        names_owners: bool = False,
    ) -> Iterator[bytes]:
        """Returns sessions as lines that `hred prepare` and `import_lines` read, the one changed last first.

        Each session is read in a transaction of its own, when its line is asked for; one that was deleted in
        the meantime is left out.

        Args:
            owner: whose sessions; None for everybody's.
            session_ids: these alone, in this order; all when None.
            is_blind: leaves out battles that wait for their vote, with all that follows their prompts.
            names_owners: writes the owner's id on each line, by which `is_restoring` gives it back.

        Raises:
            StoreError: one of the named sessions is not there or not this owner's; told before the first line.
        """
        chosen = self._chosen(owner, session_ids)
        return self._lines(chosen, is_blind, names_owners)

    def import_lines(
        self,
        open_lines: Callable[[], Iterable[bytes]],
        owner: str | None,
        *,
        is_restoring: bool = False,
        with_battles: bool = True,
    ) -> Imported:
        """Makes sessions of the lines of an export; all of them, or none when one cannot be imported.

        A session that was imported before, or that stands here unchanged, is passed over. Nothing that is there
        is changed, whoever it belongs to.

        Args:
            open_lines: returns the lines from the first one; called twice, once to check and once to insert.
            owner: who gets the sessions; None for those whom the lines name, who must be known here.
            is_restoring: keeps all ids, for sessions that come back to the store that they were exported from.
            with_battles: takes battles and votes along, which count in the ranking.

        Raises:
            StoreError: a line that no export wrote, with its number; or an id that is taken.
        """
        check_lines(open_lines())
        with self._writes() as transaction:

            def owner_of(named: str | None) -> str:
                wanted = owner or named
                if wanted is None:
                    raise StoreError("it does not name its owner; name one")
                known = select(OwnerRow.id).where(OwnerRow.id == wanted).with_for_update()
                if not queries.is_id(wanted) or transaction.scalar(known) is None:
                    raise StoreError(f"its owner {wanted[:36]} is not in this store; name one who is")
                return wanted

            return insert_lines(
                transaction,
                open_lines(),
                owner_of,
                is_restoring=is_restoring,
                with_battles=with_battles,
            )

    def _chosen(self, owner: str | None, session_ids: Sequence[str] | None) -> list[str]:
        mine = select(SessionRow.id)
        if owner is not None:
            mine = mine.where(SessionRow.owner_id == owner)
        with self._reads() as transaction:
            if session_ids is None:
                newest_first = mine.order_by(SessionRow.updated_at.desc(), SessionRow.id.desc())
                return list(transaction.scalars(newest_first))
            for session_id in session_ids:
                known = queries.is_id(session_id) and transaction.scalar(
                    mine.where(SessionRow.id == session_id)
                )
                if not known:
                    queries.unknown_session(session_id)
        return list(dict.fromkeys(session_ids))

    def _lines(self, session_ids: Sequence[str], is_blind: bool, names_owners: bool) -> Iterator[bytes]:
        for session_id in session_ids:
            with self._reads() as transaction:
                row = transaction.get(SessionRow, session_id)
                if row is None:
                    continue
                values = exported(transaction, row, is_blind=is_blind)
                if names_owners:
                    name = select(UserRow.name).join(OwnerRow, OwnerRow.user_id == UserRow.id)
                    user = transaction.scalar(name.where(OwnerRow.id == row.owner_id))
                    values |= {"owner": row.owner_id} | ({} if user is None else {"user": user})
            yield line_of(values)
