"""Words of the tab to compare in; the rest of it is said with those of `chat`."""

__all__ = ["WORDS"]

WORDS = {
    "en": {
        "new": "New comparison",
        "models": "Models to compare",
        "count": "Replies of each model",
        "message": "One message to all models",
        "send": "Compare",
    },
    "ja": {
        "new": "新しい比較",
        "models": "比べるモデル",
        "count": "モデルごとの返答の数",
        "message": "すべてのモデルへのメッセージ",
        "send": "比較",
    },
}
