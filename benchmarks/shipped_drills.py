"""Short conversations made by a program: the user tells names, talks of something else, and asks for one of them.

What to answer stands in the conversation alone, and which of two names is meant in the question: a model must look it
up. The sentences are this project's own.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["drill"]

USER, BOT = "User", "Bot"


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
    """

    animals: tuple[str, ...]
    people: tuple[str, ...]
    tells: tuple[str, ...]
    taken: tuple[str, ...]
    aside: tuple[tuple[str, str], ...]
    asks: tuple[str, ...]
    answers: tuple[str, ...]


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
    told = [(draw(said.animals), draw(animals), 0)]
    if random_state.random() < 0.4:
        told.append((draw(said.people), draw(people), 1))
        random_state.shuffle(told)
    turns: list[tuple[str, str]] = []

    def say(user: str, bot: str, one: tuple[str, str, int]) -> None:
        who, name, kind = one
        texts = (user.split("|")[min(kind, user.count("|"))], bot)
        turns.extend(
            (by, text.format(who=who, name=name)) for by, text in zip((USER, BOT), texts, strict=True)
        )

    for one in told:
        say(draw(said.tells), draw(said.taken), one)
    for aside in random_state.sample(said.aside, random_state.randint(0, 2)):
        say(*aside, told[-1])
    say(draw(said.asks), draw(said.answers), draw(told))
    return tuple(turns)
