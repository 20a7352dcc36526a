"""What a newcomer sees in the first minute: a short chat with each model, as Markdown, nothing chosen or left out.

    python benchmarks/first_minute.py [RUN...] [--language en] [--seed 0] > data/models/first_minute.en.md

RUN is a run folder or a shipped model's name; without one, all shipped models are asked. Replies are drawn as the page
draws them. The last question asks for a name that was told two turns before: a model that reads the last
utterance alone cannot know it. It is asked five times with other seeds, which shows how a model varies.
"""

import argparse
import hashlib
import json
from dataclasses import asdict

from app.shipped import run_path, shipped_models
from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import CHAT_SAMPLING
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
ASKED_AGAIN = 5
"""Place of the question for the name."""
NUM_TIMES = 5


def transcript(replier: Replier, lines: tuple[str, ...], seed: int) -> list[str]:
    """Returns the lines of a chat, each with its reply."""
    turns: list[Turn] = []
    shown = []
    for place, line in enumerate(lines):
        turns.append(Turn("you", line))
        conversation = Conversation("", tuple(turns))
        found = replier.reply(
            conversation, CHAT_SAMPLING, NUM_TIMES if place == ASKED_AGAIN else 1, seed + place
        )
        shown += [f"- **you** {cell(line)}", f"- *bot* {cell(found[0].text)}"]
        if place == ASKED_AGAIN:
            shown += [f"    - or: {cell(reply.text)}" for reply in found[1:]]
        turns.append(Turn("bot", found[0].text))
    return shown


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
    runs = asked.runs or list(shipped_models())
    print(f"# The first minute, {asked.language}\n")
    command = " ".join(
        ["python benchmarks/first_minute.py", *asked.runs, f"--language {asked.language} --seed {asked.seed}"]
    )
    print(f"Printed by `{command}`, as it came. Sampling: `{json.dumps(asdict(CHAT_SAMPLING))}`.")
    for name in runs:
        folder = run_path(name)
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:12]
        print(f"\n## {name} (`model.safetensors` {digest}…)\n")
        print("\n".join(transcript(Replier.from_run(load_run(folder)), CHATS[asked.language], asked.seed)))


if __name__ == "__main__":
    main()
