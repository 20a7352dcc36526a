"""Words of the tab that says why a reply came about."""

__all__ = ["WORDS"]

WORDS = {
    "en": {
        "about": "Choose a reply of one of your chats, or press the lamp below it there. Each figure is "
        "computed anew from the model, for exactly that reply.",
        "chat": "Chat",
        "reply": "Reply",
        "no_replies": "You have no replies yet: chat first, or type a context and a reply below.",
        "no_replies_here": "There is no reply in this chat.",
        "choose_reply": "choose a reply",
        "typed": "Type a context and a reply instead",
        "model": "Model",
        "context": "Context: one turn a line, the last one is answered",
        "context_example": "hello, how was your day?",
        "typed_reply": "Reply",
        "reply_example": "it was fine, thank you.",
        "look": "Look at it",
        "working": "Computing…",
        "result": "Why this reply",
        "asked_with": "Chosen by",
        "pure": "The reply was typed, so the probabilities are the model's own: temperature 1, nothing left "
        "out.",
        "log_p": "log p {nats} nats under the model",
        "log_p_drawn": "{nats} nats in what was drawn from",
        "z_given": "z is the one that was drawn with seed {seed}, as it was kept with the reply. It stays "
        "the same below, also where a turn is left out: what a turn tells by way of z is not counted.",
        "z_mean": "No z was drawn for it, so z is the prior's mean. It stays the same below, also where a "
        "turn is left out.",
        "z_lost": "The z that it was drawn with was not kept, so z is the prior's mean: the probabilities "
        "are not those it was drawn with.",
        "other_context": "The model read other turns when it wrote this reply than stand before it now, so "
        "the probabilities are not those it was drawn with.",
        "cut_reply": "The reply has {count} tokens; the first {most} are shown, and count.",
        "turns": "Which turns count",
        "turns_about": "By how many nats the log-probability of this reply falls when a turn is left out. "
        "Below 0 the reply is more probable without it.",
        "turns_seen": "{model} reads the last turn alone: what was said before counts nothing. Without the "
        "last turn it answers the one before.",
        "turns_seen_few": "{model} reads the last {count} turns alone: what was said before counts nothing. "
        "Without one of them it reads one more of the earlier ones.",
        "turns_left": "The last {most} turns were left out, one at a time; {count} earlier ones were read, "
        "but not left out.",
        "turn": "Turn",
        "fall": "Fall, nats",
        "unseen": "not read",
        "by_word": "by word",
        "steps": "Step by step",
        "steps_about": "What stands in the reply, how probable it was at its place, and the {count} most "
        "probable others. Those that the settings left out are faint, with the model's own probability.",
        "steps_about_pure": "What stands in the reply, how probable it was at its place, and the {count} "
        "most probable others.",
        "token": "Token",
        "chance": "Chance",
        "own": "Model's own",
        "others": "Others",
        "left_out": "left out by the settings; {share} under the model",
        "attention": "Where it looked",
        "attention_about": "Each row is a token of the reply, each column a place that it may look at; the "
        "weights, in percent, sum to 100 in a row.",
        "attention_cut": "The last {most} of {count} places are shown; what a row lacks of 100 lies before "
        "them.",
        "no_attention": "This model has no attention: it knows the context by one vector alone.",
        "nothing_there": "There was nothing that it could look at.",
    },
    "ja": {
        "about": "自分のチャットの返答を選ぶか、チャットの返答の下にある電球のボタンを押してください。"
        "数値はすべて、その返答そのものについてモデルから計算し直します。",
        "chat": "チャット",
        "reply": "返答",
        "no_replies": "まだ返答がありません。先にチャットするか、下に文脈と返答を入力してください。",
        "no_replies_here": "このチャットに返答はありません。",
        "choose_reply": "返答を選ぶ",
        "typed": "文脈と返答を自分で入力する",
        "model": "モデル",
        "context": "文脈: 1行に1発言、最後の行に返答します",
        "context_example": "こんにちは、今日はどうでしたか?",
        "typed_reply": "返答",
        "reply_example": "よい一日でした。",
        "look": "調べる",
        "working": "計算しています…",
        "result": "この返答の理由",
        "asked_with": "選び方",
        "pure": "入力された返答なので、確率はモデルそのものの値です(温度 1、除外なし)。",
        "log_p": "モデルでの log p {nats} ナット",
        "log_p_drawn": "抽選された分布では {nats} ナット",
        "z_given": "z はシード {seed} で抽選され、返答とともに保存されたものです。"
        "下の計算では発言を除いても同じ z を使うので、z を通じて伝わる分は数えていません。",
        "z_mean": "z は抽選されていないので、事前分布の平均を使います。発言を除いても同じ z を使います。",
        "z_lost": "抽選された z が保存されていないため、事前分布の平均を使います。抽選時の確率とは異なります。",
        "other_context": "この返答が書かれたときにモデルが読んだ発言と、いま前にある発言が異なります。"
        "抽選時の確率とは異なります。",
        "cut_reply": "返答は {count} トークンです。最初の {most} トークンだけを表示し、計算しています。",
        "turns": "どの発言が効いているか",
        "turns_about": "その発言を除くと、この返答の対数確率が何ナット下がるか。0 より小さければ、"
        "ないほうが確率は高くなります。",
        "turns_seen": "{model} が読むのは最後の発言だけで、それより前は影響しません。最後の発言を除くと、"
        "その前の発言に返答します。",
        "turns_seen_few": "{model} が読むのは最後の {count} 発言だけで、それより前は影響しません。"
        "どれかを除くと、その前の発言が1つ加わります。",
        "turns_left": "最後の {most} 発言を1つずつ除きました。それより前の {count} 発言は読みますが、"
        "除いていません。",
        "turn": "発言",
        "fall": "低下(ナット)",
        "unseen": "読まれない",
        "by_word": "語ごとに",
        "steps": "1トークンずつ",
        "steps_about": "返答のトークン、その位置での確率、ほかに確率の高かった {count} 個。"
        "設定によって除かれたものは薄く、モデルそのものの確率で示します。",
        "steps_about_pure": "返答のトークン、その位置での確率、ほかに確率の高かった {count} 個。",
        "token": "トークン",
        "chance": "確率",
        "own": "モデルそのもの",
        "others": "ほかの候補",
        "left_out": "設定により除外。モデルでは {share}",
        "attention": "どこを見ていたか",
        "attention_about": "行は返答のトークン、列は見ることのできる位置です。重みはパーセントで、"
        "行ごとの合計は 100 です。",
        "attention_cut": "{count} か所のうち最後の {most} か所を表示しています。行の合計が 100 "
        "に足りない分は、それより前にあります。",
        "no_attention": "このモデルには注意機構がなく、文脈を1つのベクトルとしてだけ知っています。",
        "nothing_there": "見ることのできるものがありませんでした。",
    },
}
