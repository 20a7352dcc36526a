"""Short conversations made by a program: how a chat begins and ends, and names that are told and asked for.

The user says hello, asks what most ask a chatbot first, tells a name or two, talks of something else, asks for one of
them, and says goodbye, or some of that. What a name is stands in the conversation alone, and which of two is meant in
the question: a model must look it up. The sentences are this project's own.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BOT", "USER", "drill"]

USER, BOT = "User", "Bot"
_Exchange = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Sentences:
    """What is said in a language; `{who}` is a kind of animal or person, `{name}` its name.

    Attributes:
        animals, people: kinds that have names.
        tells: by the user; after a bar, of people.
        taken: by the bot, of what was told.
        aside: what the user says in between, and the bot's answer.
        asks: by the user.
        answers: by the bot.
        hello, first, goodbye: what the user may say, and what the bot answers.
    """

    animals: tuple[str, ...]
    people: tuple[str, ...]
    tells: tuple[str, ...]
    taken: tuple[str, ...]
    aside: tuple[tuple[str, str], ...]
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    hello: _Exchange
    first: tuple[_Exchange, ...]
    goodbye: _Exchange


_SENTENCES = {
    "en": _Sentences(
        ("dog", "dog", "cat", "rabbit", "horse", "hamster", "parrot"),
        ("sister", "brother", "son", "daughter", "friend", "teacher", "boss"),
        (
            "I have a {who} called {name}",
            "I have a {who} called {name}.",
            "My {who} is called {name}.",
            "my {who}'s name is {name}",
            "I have a {who}. The name is {name}.",
            "{name} is my {who}.",
        ),
        (
            "{name} is a fine name for a {who}.",
            "Hello to {name}! What is {name} like?",
            "How old is {name}?",
            "Say hello to {name} from me.",
            "{name}! Tell me more about your {who}.",
        ),
        (
            ("very lazy today", "A lazy day is a good day. Why is {name} so lazy?"),
            ("he is very lazy today", "Then let {name} sleep. Lazy days are good days."),
            ("she is very quick", "Then {name} is hard to catch!"),
            ("seven years old", "Seven! And what does {name} like best?"),
            ("quite loud in the morning", "Then {name} is your alarm clock."),
            ("the weather is nice today", "Then go out for a while, and take {name} along."),
            ("I am a bit tired", "Then rest a little. Did {name} keep you awake?"),
            ("we went to the park", "Did {name} like the park?"),
            ("I like music", "So do I, as far as a program can. What do you listen to?"),
            ("I had soup for lunch", "Soup is good on any day. Which one was it?"),
        ),
        (
            "what is my {who} called?",
            "What is my {who} called?",
            "what is my {who}'s name?",
            "Do you remember my {who}'s name?",
            "what was the name of my {who}?",
            "how is my {who} called?",
        ),
        (
            "{name}.",
            "Your {who} is called {name}.",
            "{name}, you told me.",
            "It is {name}.",
            "That is {name}, your {who}.",
        ),
        (
            ("hello", "Hello!", "hi", "Hi there", "hey", "good morning"),
            (
                "Hello! Nice to meet you.",
                "Hi! How are you today?",
                "Hello! What would you like to talk about?",
                "Hello there! How is your day?",
            ),
        ),
        (
            (
                (
                    "what is your name?",
                    "What's your name?",
                    "who are you?",
                    "do you have a name?",
                    "your name?",
                ),
                ("I'm Dialog. What's yours?", "My name is Dialog.", "Dialog, a small program. And you?"),
            ),
            (
                ("are you a robot?", "what are you?", "are you human?", "Are you a real person?"),
                (
                    "I'm a small program that learned from conversations.",
                    "No person, a program. Is that all right?",
                ),
            ),
            (
                ("how are you?", "How are you today?", "how is it going?"),
                ("I'm fine, thank you. And you?", "All my words are in order, thanks. How are you?"),
            ),
            (
                ("do you like music?", "Do you like music?", "what music do you like?"),
                (
                    "I like reading about it. What music do you like?",
                    "I can't hear it, but I like to talk about it. What do you listen to?",
                ),
            ),
            (
                ("do you like films?", "do you watch movies?", "What is your favorite movie?"),
                (
                    "I have no eyes for films. Which one should I know?",
                    "I only know them from talk. What is yours?",
                ),
            ),
            (
                ("tell me a joke", "Do you know a joke?", "make me laugh"),
                ("What is brown and sticky? A stick!", "I know one about paper, but it's tearable."),
            ),
            (
                ("what can you do?", "can you help me?", "What do you know?"),
                (
                    "I can chat a little, and listen.",
                    "Not much: small talk is what I do. What's on your mind?",
                ),
            ),
            (
                ("thank you", "thanks!", "Thanks a lot"),
                ("You're welcome!", "With pleasure."),
            ),
        ),
        (
            ("bye", "Bye!", "goodbye", "see you", "good night", "I have to go now"),
            ("Bye! It was nice talking to you.", "Goodbye! Take care.", "See you! Have a good day."),
        ),
    ),
    "ja": _Sentences(
        ("犬", "犬", "猫", "うさぎ", "ハムスター", "インコ"),
        ("妹", "弟", "友達", "先生", "息子", "娘"),
        (
            "{name}という{who}を飼っています|{name}という{who}がいます",
            "私は{name}という{who}を飼っています|私には{name}という{who}がいます",
            "うちの{who}の名前は{name}です",
            "{who}の名前は{name}っていうんだ",
            "{who}がいて、{name}といいます",
        ),
        (
            "{name}、いい名前ですね。",
            "{name}ですか。どんな{who}ですか?",
            "{name}は何歳ですか?",
            "{name}によろしくお伝えください。",
            "{name}の話、もっと聞きたいです。",
        ),
        (
            ("今日はとても眠そうです", "{name}にはゆっくり休んでもらいましょう。"),
            ("今日は元気いっぱいです", "{name}が元気だと、うれしくなりますね。"),
            ("七歳です", "七歳ですか。{name}は何が好きですか?"),
            ("朝から声が大きいんです", "{name}は目覚まし時計の代わりですね。"),
            ("今日はいい天気ですね", "そうですね。{name}と散歩に行くのもいいですね。"),
            ("少し疲れました", "少し休みましょう。{name}のお世話で疲れましたか?"),
            ("公園に行きました", "{name}も公園を喜びましたか?"),
            ("音楽が好きです", "いいですね。どんな音楽を聴きますか?"),
            ("お昼はうどんでした", "うどん、いいですね。温かいのですか?"),
        ),
        (
            "私の{who}の名前は何ですか?",
            "うちの{who}の名前は?",
            "{who}の名前、覚えていますか?",
            "私の{who}の名前、何でしたっけ?",
            "{who}は何という名前でしたか?",
        ),
        (
            "{name}です。",
            "{name}ですよね。",
            "{who}の名前は{name}です。",
            "覚えていますよ。{name}です。",
            "もちろん、{name}です。",
        ),
        (
            ("こんにちは", "こんにちは!", "やあ", "どうも", "おはようございます", "はじめまして"),
            (
                "こんにちは!お会いできてうれしいです。",
                "こんにちは!今日はどんな一日ですか?",
                "こんにちは。何の話をしましょうか?",
            ),
        ),
        (
            (
                ("お名前は何ですか?", "名前は?", "あなたは誰ですか?", "何て呼べばいい?", "お名前は?"),
                ("ダイアログといいます。お名前は?", "ダイアログです。よろしくお願いします。"),
            ),
            (
                ("あなたは人間ですか?", "ロボットなの?", "何者ですか?", "AIですか?"),
                ("会話から学んだ小さなプログラムです。", "人ではなく、プログラムなんです。"),
            ),
            (
                ("元気ですか?", "お元気ですか?", "調子はどう?"),
                ("元気です。あなたはいかがですか?", "おかげさまで、言葉はそろっています。お元気ですか?"),
            ),
            (
                ("音楽は好きですか?", "音楽好き?", "どんな音楽が好きですか?"),
                (
                    "聴けませんが、音楽の話は好きです。何を聴きますか?",
                    "音楽の話は楽しいです。よく聴く曲はありますか?",
                ),
            ),
            (
                ("映画は好きですか?", "映画は見ますか?", "好きな映画は?"),
                (
                    "目がないので見られませんが、話を聞くのは好きです。",
                    "見られないんです。おすすめはありますか?",
                ),
            ),
            (
                ("何か面白いこと言って", "冗談を言って", "笑わせて"),
                ("布団が吹っ飛んだ。お粗末さまでした。", "アルミ缶の上にあるミカン。いかがでしょう。"),
            ),
            (
                ("何ができますか?", "手伝ってくれますか?", "何を知っていますか?"),
                ("少しおしゃべりができます。", "大したことはできませんが、お話は聞けます。"),
            ),
            (
                ("ありがとう", "ありがとうございます", "助かりました"),
                ("どういたしまして。", "お役に立ててうれしいです。"),
            ),
        ),
        (
            ("さようなら", "またね", "じゃあね", "おやすみなさい", "そろそろ行きます", "バイバイ"),
            (
                "さようなら。お話しできて楽しかったです。",
                "またいつでも話しかけてください。",
                "それでは、よい一日を。",
            ),
        ),
    ),
}


def drill(
    language: str, animals: Sequence[str], people: Sequence[str], random_state: random.Random
) -> tuple[tuple[str, str], ...]:
    """Returns a conversation: speaker and text of each turn.

    Args:
        language: `en` or `ja`.
        animals: names of animals.
        people: names of people.
        random_state: what draws it.
    """
    said, draw = _SENTENCES[language], random_state.choice
    turns: list[tuple[str, str]] = []

    def say(user: str, bot: str, who: str = "", name: str = "", kind: int = 0) -> None:
        texts = (user.split("|")[min(kind, user.count("|"))], bot)
        turns.extend(
            (by, text.format(who=who, name=name)) for by, text in zip((USER, BOT), texts, strict=True)
        )

    if random_state.random() < 0.6:
        say(draw(said.hello[0]), draw(said.hello[1]))
    for users, bots in random_state.sample(said.first, random_state.randint(0, 2)):
        say(draw(users), draw(bots))
    if random_state.random() < 0.8:
        told = [(draw(said.animals), draw(animals), 0)]
        if random_state.random() < 0.4:
            told.append((draw(said.people), draw(people), 1))
            random_state.shuffle(told)
        for one in told:
            say(draw(said.tells), draw(said.taken), *one)
        for aside in random_state.sample(said.aside, random_state.randint(0, 2)):
            say(*aside, *told[-1])
        say(draw(said.asks), draw(said.answers), *draw(told))
    if not turns or random_state.random() < 0.5:
        say(draw(said.goodbye[0]), draw(said.goodbye[1]))
    return tuple(turns)
