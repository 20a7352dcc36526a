"""Words of the page's frame."""

__all__ = ["WORDS"]

WORDS = {
    "en": {
        "about": "Small models that learned to talk from conversations. They know no facts and make things "
        "up; what you write stays on this machine.",
        "language": "Language",
        "chat": "Chat",
        "compare": "Compare",
        "battle": "Battle",
        "latent": "Latent space",
        "why": "Why this reply",
        "models": "Models",
        "look_out": "Please note",
        "colours": "Colours",
        "system": "System colours",
        "light": "Light",
        "dark": "Dark",
        "scores": "Scores",
        "log_out": "Log out",
    },
    "ja": {
        "about": "会話から話し方を学んだ小さなモデルです。事実は知らず、作り話もします。"
        "書いた内容はこのコンピュータの外に出ません。",
        "language": "言語",
        "chat": "チャット",
        "compare": "比較",
        "battle": "対戦",
        "latent": "潜在空間",
        "why": "返答の理由",
        "models": "モデル",
        "look_out": "お知らせ",
        "colours": "配色",
        "system": "システムの配色",
        "light": "明るい",
        "dark": "暗い",
        "scores": "スコア",
        "log_out": "ログアウト",
    },
}
