"""What a newcomer sees in the first minute: a short chat with each model, as Markdown, nothing chosen or left out.

    python benchmarks/first_minute.py [RUN...] [--language en] [--seed 0] > data/models/first_minute.en.md

RUN is a run folder or a shipped model's name; without one, the shipped models of the language are asked. Replies are
drawn as the page draws them. The last question asks for a name that was told two turns before: a model that reads
the last utterance alone cannot know it. It is asked five times with other seeds, which shows how a model varies.
Then the same is asked for twenty names by greedy decoding, and how often the right one came is counted.
"""

import argparse
import hashlib
import json
from dataclasses import asdict

from shipped_names import UNDRILLED

from app.shipped import for_language, run_path, shipped_models
from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import CHAT_SAMPLING, Sampling
from dialog.run_folder import load_run

CHATS = {
    "en": (
        "hello",
        "what is your name?",
        "do you like music?",
        "I have a dog called Max",
        "he is very lazy today",
        "what is my dog called?",
        "bye",
    ),
    "ja": (
        "こんにちは",
        "お名前は何ですか？",
        "音楽は好きですか？",
        "私はマックスという犬を飼っています",
        "今日はとても眠そうです",
        "私の犬の名前は何ですか？",
        "さようなら",
    ),
}
TOLD, ASKED = 3, 5
"""Places of the turn that tells the name, and of the question for it."""
NUM_TIMES = 5
NAMES = {
    "en": (*"Max Luna Charlie Rocky Molly Lucy Sam Oscar Bruno Pepper".split(), *UNDRILLED["en"]),
    "ja": (*"マックス チョコ モモ ココ ソラ レオ マロン ハナ ポチ ラッキー".split(), *UNDRILLED["ja"]),
}
"""What the dog is called; the first is the one of the chat."""


def transcript(replier: Replier, lines: tuple[str, ...], seed: int) -> list[str]:
    """Returns the lines of a chat, each with its reply."""
    turns: list[Turn] = []
    shown = []
    for place, line in enumerate(lines):
        turns.append(Turn("you", line))
        conversation = Conversation("", tuple(turns))
        found = replier.reply(conversation, CHAT_SAMPLING, NUM_TIMES if place == ASKED else 1, seed + place)
        shown += [f"- **you** {cell(line)}", f"- *bot* {cell(found[0].text)}"]
        if place == ASKED:
            shown += [f"    - or: {cell(reply.text)}" for reply in found[1:]]
        turns.append(Turn("bot", found[0].text))
    return shown


def recalled(replier: Replier, language: str) -> list[str]:
    """Returns the names that a greedy reply to the question for them has, asked in a chat each."""
    lines, found = CHATS[language][TOLD : ASKED + 1], []
    names = NAMES[language]
    for name in names:
        turns: list[Turn] = []
        for line in lines:
            turns.append(Turn("you", line.replace(names[0], name)))
            reply = replier.reply(Conversation("", tuple(turns)), Sampling("greedy"), 1, 0)[0]
            turns.append(Turn("bot", reply.text))
        found += [name] if name in turns[-1].text else []
    return found


def cell(text: str) -> str:
    """A text that Markdown takes as it is; an empty one is said to be."""
    signs = "\\`*_{}[]<>#|"
    return "".join(f"\\{sign}" if sign in signs else sign for sign in text.replace("\n", " ")) or "(nothing)"


def main() -> None:
    """Prints the transcripts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", metavar="RUN")
    parser.add_argument("--language", choices=sorted(CHATS), default="en")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    runs = asked.runs or for_language(list(shipped_models()), asked.language)
    print(f"# The first minute, {asked.language}\n")
    command = " ".join(
        ["python benchmarks/first_minute.py", *asked.runs, f"--language {asked.language} --seed {asked.seed}"]
    )
    print(f"Printed by `{command}`, as it came. Sampling: `{json.dumps(asdict(CHAT_SAMPLING))}`.")
    for name in runs:
        folder = run_path(name)
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:12]
        print(f"\n## {name} (`model.safetensors` {digest}…)\n")
        replier = Replier.from_run(load_run(folder))
        print("\n".join(transcript(replier, CHATS[asked.language], asked.seed)))
        names = recalled(replier, asked.language)
        num_asked = len(NAMES[asked.language])
        print(f"\nOf {num_asked} names asked for, {len(names)} came: {', '.join(names) or 'none'}.")


if __name__ == "__main__":
    main()
