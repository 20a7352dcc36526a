"""Sentences of errors in Japanese.

Errors are raised in English, by parts of the program that know nothing of the page. Here each sentence that the page
can show stands with its gaps as `{names}`; one that is not here is shown in English, after a Japanese lead.
"""

import re

__all__ = ["SENTENCES", "tell"]

SENTENCES = {
    "you have {count} temporary chats, and no more are kept at a time; delete one, or wait until one ends": (
        "一時的なチャットは同時に {count} 件までです。1件削除するか、終わるまで待ってください"
    ),
    "the server has no more memory for temporary chats, nothing was kept; delete one of yours, or wait until "
    "others have ended": (
        "一時的なチャットのためのメモリーが足りず、保存されませんでした。自分のチャットを削除するか、"
        "ほかのチャットが終わるまで待ってください"
    ),
    "the message is empty; write something": ("メッセージが空です。何か書いてください"),
    "the message has {count} characters, but at most {most} can be sent; shorten it": (
        "メッセージは {count} 文字ですが、送れるのは {most} 文字までです。短くしてください"
    ),
    "no model is chosen; choose one or more": ("モデルが選ばれていません。1つ以上選んでください"),
    "no reply is chosen; choose the one that the conversation goes on with": (
        "返答が選ばれていません。会話を続ける返答を選んでください"
    ),
    "only your own messages can be edited; say what a reply should have been instead": (
        "編集できるのは自分のメッセージだけです。返答については、どう返すべきだったかを書いてください"
    ),
    "the browser sent no cookie, by which chats are told apart; allow it and reload": (
        "チャットを区別するための Cookie が送られてきません。許可してから再読み込みしてください"
    ),
    "nobody is known by this cookie; reload the page to get a new one": (
        "この Cookie は登録されていません。再読み込みしてください"
    ),
    "there is no chat {id} of yours in the store; choose one from your list": (
        "あなたのチャット {id} はありません。一覧から選んでください"
    ),
    "there is no message {id} in this chat; reload the chat": (
        "このチャットにメッセージ {id} はありません。チャットを開き直してください"
    ),
    "there is no model {name} here; choose one of {names}": (
        "モデル {name} はここにありません。{names} から選んでください"
    ),
    "the {what} holds a NUL character, which the store cannot keep; take it out and send it again": (
        "NUL 文字が含まれていて保存できません。取り除いて送り直してください"
    ),
    "the {what} holds half a character ({code}), which is no text; take it out and send it again": (
        "文字の半分({code})が含まれています。取り除いて送り直してください"
    ),
    "the search has {count} letters, but at most {most} are looked for; shorten it": (
        "検索語は {count} 文字ですが、{most} 文字までです。短くしてください"
    ),
    "{setting} is empty, but needs a number; type one, or reload the page": (
        "{setting} が空です。数を入れるか、再読み込みしてください"
    ),
    "the seed is {seed}, but must be from 0 to {most}; type another": (
        "シードは {seed} ですが、0 から {most} までです。別の数にしてください"
    ),
    "the beam size is {size}, but this server decodes {rows} rows at once: choose a smaller beam": (
        "ビーム幅は {size} ですが、このサーバーが一度に扱えるのは {rows} 行です。小さくしてください"
    ),
    "busy: {count} requests wait already, as many as this server takes; try again in a moment": (
        "混み合っています(待ち {count} 件)。少し待ってからもう一度送ってください"
    ),
    "the server is stopping; send the message again in a moment": (
        "サーバーが停止中です。少し待ってからもう一度送ってください"
    ),
    "{setting} is {value}, but must be {range}": (
        "{setting} は {value} ですが、次の範囲にしてください: {range}"
    ),
    "a battle needs two models, but there {verb} {count}; serve another: hred serve RUN RUN": (
        "対戦には2つのモデルが必要ですが、{count} しかありません。モデルを足してください: hred serve RUN RUN"
    ),
    "the two replies cannot be had now; try again, or begin another battle": (
        "二つの返答が今は得られません。もう一度試すか、新しい対戦を始めてください"
    ),
    "there are no replies to judge yet; wait for them": "まだ返答がありません。少しお待ちください",
    "your last message has not been answered yet; wait for the replies": (
        "前のメッセージへの返答がまだです。少しお待ちください"
    ),
    "you have voted in this battle before, and a vote stands; begin another battle": (
        "この対戦にはもう投票しています。投票は変えられません。新しい対戦を始めてください"
    ),
    "{name} names no draw; write a seed and a number, both whole, such as 7/1": (
        "{name} は抽選の名前ではありません。7/1 のように、シードと番号を整数で書いてください"
    ),
    "the page's event cannot be read; reload the page": "ページからの要求を読み取れません。再読み込みしてください",
    "the conversation has no text to answer; give at least one turn with words": (
        "返答する言葉がありません。1つ以上の発言を書いてください"
    ),
    "the context has {count} characters, but at most {most} are read; shorten it": (
        "文脈は {count} 文字ですが、読めるのは {most} 文字までです。短くしてください"
    ),
    "the context has {count} turns, but at most {most} are read; leave the first ones out": (
        "文脈は {count} 発言ですが、読めるのは {most} 発言までです。最初のほうを除いてください"
    ),
    "{count} replies were asked for, but at once it can be {least} to {most}; choose another number": (
        "返答を {count} 件とありますが、一度に {least} から {most} 件までです。別の数にしてください"
    ),
    "{count} points were asked for, but at once it can be {least} to {most}; choose another number": (
        "点の数が {count} とありますが、{least} から {most} までです。別の数にしてください"
    ),
    "the most probable word is always taken, so words are not drawn; choose another manner": (
        "常に最も確率の高い言葉を選ぶため、言葉の抽選はありません。別の話し方を選んでください"
    ),
    "nothing was said in this chat that could be answered; choose another one": (
        "このチャットには返答できる発言がありません。別のチャットを選んでください"
    ),
    "{model} has no latent variable to draw; choose a VHRED or a VHCR": (
        "{model} には潜在変数がないため抽選できません。VHRED か VHCR を選んでください"
    ),
    "this battle has ended; begin another one": "この対戦は終わりました。新しい対戦を始めてください",
    "this is for administrators; log in as one": "これは管理者だけができます。管理者としてログインしてください",
    "{run} is no folder and no shipped model (these are: {names}); give the folder of a trained run": (
        "{run} はフォルダーでも付属のモデル({names})でもありません。学習結果のフォルダーを指定してください"
    ),
    "{folder} has no {file}; copy it again": "{folder} に {file} がありません。もう一度コピーしてください",
    "{folder} has no {file}; has it been trained up to its first validation?": (
        "{folder} に {file} がありません。最初の検証まで学習が進んでいますか"
    ),
    "no run folder is named; type its path, such as runs/hred": (
        "フォルダーが指定されていません。runs/hred のように入力してください"
    ),
    "{folder} is loaded already, as {name}; unload that first": (
        "{folder} は {name} として読み込まれています。先に外してください"
    ),
    "{name} is the only model here; load another one before it is unloaded": (
        "モデルは {name} だけです。別のモデルを読み込んでから外してください"
    ),
    "there is too little to learn from (reviewed chats of people who agreed to it: {count}, needed: {fewest}); like "
    "or correct replies in more chats, with the switch below the page on": (
        "学ぶものが足りません(同意した人の評価済みチャット {count} 件、最低 {fewest} 件)。ページの下のスイッチを入れ、"
        "ほかのチャットでも返答に「いいね」や訂正を付けてください"
    ),
    "the time is {minutes} minutes, but must be above 0 and at most {most}": (
        "時間は {minutes} 分ですが、0 より大きく {most} 以下にしてください"
    ),
    "the number of updates is {count}, but must be from 1 to {most}, or empty": (
        "更新の数は {count} ですが、1 から {most} まで、または空にしてください"
    ),
    "the learning rate is {rate}, but must be above 0 and at most 1": (
        "学習率は {rate} ですが、0 より大きく 1 以下にしてください"
    ),
    "the training {name} runs already, and one runs at a time; wait for it, or stop it": (
        "学習 {name} が動いています。一度に一つだけなので、終わるのを待つか止めてください"
    ),
    "the training {name} does not run; look at the list again": (
        "学習 {name} は動いていません。一覧を確かめてください"
    ),
    "there is no battle {id} of yours in the store; begin another one": (
        "あなたの対戦 {id} はありません。新しい対戦を始めてください"
    ),
    "there is no reply {id} in this chat; choose one from the list": (
        "このチャットに返答 {id} はありません。一覧から選んでください"
    ),
    "the context has no words; write what the reply answers": ("文脈が空です。何への返答かを書いてください"),
    "the reply has no words; write one": "返答が空です。返答を書いてください",
    "the reply has a token {token}, but the model has {count} tokens; it was not written by this model": (
        "返答にトークン {token} がありますが、モデルのトークンは {count} 個です。このモデルが書いた返答ではありません"
    ),
    "{count} turns stand before this reply, but at most {most} are read here; choose an earlier reply": (
        "この返答の前に {count} 発言ありますが、ここで読めるのは {most} 発言までです。もっと前の返答を選んでください"
    ),
    "this reply was written by {name} with the weights {hash}, which are not loaded here; start the server with the "
    "folder of that run (hred serve FOLDER), or let a model of today answer anew and look at that reply": (
        "この返答は {name}(重み {hash})が書きましたが、その重みはここに読み込まれていません。そのフォルダーを指定して"
        "サーバーを起動する(hred serve FOLDER)か、今のモデルに答え直させて、その返答を調べてください"
    ),
}
"""English sentences and their Japanese ones, with the same gaps."""


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", sentence)
    return re.compile(
        "".join(f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
    )


_PATTERNS = [(_pattern(english), japanese) for english, japanese in SENTENCES.items()]


def tell(error: Exception, language: str) -> str:
    """Returns an error's sentence in a language; not escaped."""
    sentence = str(error)
    if language != "ja":
        return sentence
    for pattern, japanese in _PATTERNS:
        found = pattern.fullmatch(sentence)
        if found:
            return japanese.format(**found.groupdict())
    return f"エラーが起きました: {sentence}"
