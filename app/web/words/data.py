"""Words of what is kept of somebody's chats, and learned from them."""

__all__ = ["WORDS"]

WORDS = {
    "en": {
        "title": "Your data",
        "keep": "Keep my new chats",
        "keep_info": "Otherwise a new chat stays in the server's memory alone and ends an hour after its last message.",
        "learn": "Models may learn from my chats",
        "learn_info": "From replies that you like, correct or prefer in a battle.",
        "temporary": "temporary",
    },
    "ja": {
        "title": "自分のデータ",
        "keep": "新しいチャットを保存する",
        "keep_info": "保存しない場合、新しいチャットはサーバーのメモリーだけに置かれ、"
        "最後のメッセージから1時間で消えます。",
        "learn": "モデルが自分のチャットから学んでもよい",
        "learn_info": "「いいね」や訂正をした返答、バトルで選んだ返答から学びます。",
        "temporary": "一時的",
    },
}
