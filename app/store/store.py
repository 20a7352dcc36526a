"""Store: every call on what is kept; each subject has a module of its own, and this class is their sum.

Each call names the owner, opens and closes its own transaction, and gives out frozen records; nothing is
held while a reply is decoded. Somebody else's chat and one that is not there are the same sentence.
"""

from app.store.access import AccessCalls
from app.store.administration import AdministrationCalls
from app.store.battle_rounds import BattleRoundCalls
from app.store.battles import BattleCalls
from app.store.branches import BranchCalls
from app.store.chats import ChatCalls
from app.store.feedback import FeedbackCalls
from app.store.owners import OwnerCalls
from app.store.reviewed import ReviewCalls
from app.store.search import SearchCalls
from app.store.shared_settings import SettingCalls
from app.store.transfer import TransferCalls

__all__ = ["Store"]


class Store(
    AdministrationCalls,
    ChatCalls,
    AccessCalls,
    BranchCalls,
    OwnerCalls,
    TransferCalls,
    ReviewCalls,
    SearchCalls,
    FeedbackCalls,
    BattleCalls,
    BattleRoundCalls,
    SettingCalls,
):
    """The session store; made with `Store.open`, used by any number of threads at once.

    `owner` is always an id from `owner_for` or `owner_of_user`. Every call but `close` raises a StoreError when
    the database cannot do what is asked, or when a session or message is not there or not this owner's.
    """
