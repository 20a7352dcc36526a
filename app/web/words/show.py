"""Words on how a reply came about."""

__all__ = ["WORDS"]

WORDS = {
    "en": {
        "greedy": "greedy",
        "beam_of": "beam of {size}",
        "seed": "seed {seed}",
        "index": "reply {number}",
        "length": "cut at its longest",
        "stop": "stopped",
        "tokens": "{count} tokens",
        "log_p": "log p {nats} nats",
    },
    "ja": {
        "greedy": "最大確率",
        "beam_of": "ビーム幅 {size}",
        "seed": "シード {seed}",
        "index": "返答 {number}",
        "length": "最長で打ち切り",
        "stop": "停止",
        "tokens": "{count} トークン",
        "log_p": "log p {nats} ナット",
    },
}
