"""Small pieces in the layouts in which corpora are published, in our own words, and what must be read of each."""

import json
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PIECES", "Piece"]


@dataclass(frozen=True)
class Piece:
    """A corpus of a few lines.

    Attributes:
        files: content by path.
        read: split, and speaker and text of each turn, of each conversation.
        lost: turns that are in none, by a word of the reason.
        noted: what else is met, by a word of it.
    """

    files: dict[str, str | bytes]
    read: list[tuple[str | None, list[tuple[str, str]]]]
    lost: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return folder


def _a_and_b(*texts: str) -> list[tuple[str, str]]:
    return [("AB"[place % 2], text) for place, text in enumerate(texts)]


def _cornell_line(name: str, speaker: str, text: str) -> str:
    return f"{name} +++$+++ {speaker} +++$+++ m0 +++$+++ NAME +++$+++ {text}\n"


_AGENTS = {"agent": "agent_1", "message": "Did you read that?"}, {"agent": "agent_2", "message": "Not yet."}
_UTTERED = [("USER", "A table for two, please."), ("ASSISTANT", "For when?")]


def _csv(*rows: list[str]) -> str:
    return "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)


_TURK = [
    "HITId",
    "AssignmentId",
    "WorkerId",
    "Answer.sentence1",
    "Answer.sentence10",
    "Answer.sentence2",
    "Reject",
]

PIECES = {
    "dailydialog": Piece(
        {
            "ijcnlp/train/dialogues_train.txt": "Tea ? __eou__ Yes , please . __eou__\n\n"
            "Hi . __eou__ Hello . __eou__\n",
            "ijcnlp/validation/dialogues_validation.txt": "Late again ? __eou__ The bus . __eou__ I see . __eou__\n",
            "ijcnlp/train/dialogues_act_train.txt": "1 2 __eou__\n",
            "ijcnlp/dialogues_text.txt": "All of it again . __eou__\n",
        },
        [
            ("train", _a_and_b("Tea ?", "Yes , please .")),
            ("train", _a_and_b("Hi .", "Hello .")),
            ("valid", _a_and_b("Late again ?", "The bus .", "I see .")),
        ],
    ),
    "cornell": Piece(
        {
            "corpus/movie_lines.txt": (
                _cornell_line("L1", "u0", "A caf\xe9, then?")
                + _cornell_line("L2", "u1", "Why not.")
                + _cornell_line("L4", "u0", "It is late +++$+++ and dark.")
                + _cornell_line("L9", "u0", "Nobody names me.")
                + "broken\n"
            ).encode("latin-1"),
            "corpus/movie_conversations.txt": (
                "u0 +++$+++ u1 +++$+++ m0 +++$+++ ['L1', 'L2', 'L3', 'L4']\n"
                "u0 +++$+++ u1 +++$+++ m0 +++$+++ ['L5']\n"
                "u0 +++$+++ u1 +++$+++ m0 +++$+++ []\n"
            ),
        },
        [
            (None, [("u0", "A caf\xe9, then?"), ("u1", "Why not.")]),
            (None, [("u0", "It is late +++$+++ and dark.")]),
        ],
        lost={"no conversation names": 1, "five fields": 1},
        noted={"missing": 2, "without lines": 1},
    ),
    "personachat": Piece(
        {
            "train_both_original.txt": "1 your persona: i sing.\n2 hi there\tnot me\t\ta|b\n",
            "train_none_original_no_cands.txt": "1 hi there\thello\n2 you sing ?\ti do\n1 __SILENCE__\tgood day\n",
            "train_none_original.txt": "1 hi there\tnot me\t\ta|b\n",
            "readme.txt": "no numbers here\n",
        },
        [
            ("train", _a_and_b("hi there", "hello", "you sing ?", "i do")),
            ("train", [("B", "good day")]),
        ],
        lost={"nothing said": 1},
        noted={"other personas": 2},
    ),
    "convai2": Piece(
        {
            "valid_self_original.txt": "1 your persona: i sing.\n2 partner's persona: i dance.\n"
            "3 hi\thello\t\tx|y\n4 bye\tbye\n"
        },
        [("valid", _a_and_b("hi", "hello", "bye", "bye"))],
        noted={"lines of personas": 2},
    ),
    "topical_chat": Piece(
        {
            "conversations/train.json": json.dumps(
                {"t_1": {"config": "A", "content": [*_AGENTS, {"agent": "agent_1"}]}}
            ),
            "conversations/valid_rare.json": json.dumps({"t_2": {"content": list(_AGENTS)}, "t_3": {}}),
            "reading_sets/pre-build/train.json": json.dumps({"t_1": {"content": list(_AGENTS)}}),
        },
        [
            ("train", [("agent_1", "Did you read that?"), ("agent_2", "Not yet.")]),
            ("valid", [("agent_1", "Did you read that?"), ("agent_2", "Not yet.")]),
        ],
        lost={"no message": 1},
        noted={"without 'content'": 1},
    ),
    "empathetic_dialogues": Piece(
        {
            "empatheticdialogues/train.csv": (
                "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n"
                "hit:0_conv:1,1,proud,My sister won_comma_ at last,1,She won_comma_ you know!,5|5|5_2|2|5,\n"
                "hit:0_conv:1,2,proud,My sister won_comma_ at last,0,How nice.,5|5|5_2|2|5,\n"
                "hit:0_conv:1,3,a,line,cut\n"
                "hit:1_conv:2,1,afraid,A noise,7,What was that?,5|5|5_2|2|5,,one|two\n"
            ),
            "empatheticdialogues/notes.csv": "a,b\n1,2\n",
        },
        [
            ("train", [("1", "She won, you know!"), ("0", "How nice.")]),
            ("train", [("7", "What was that?")]),
        ],
        lost={"8 or 9 fields": 1},
        noted={"without the columns": 1},
    ),
    "ubuntu": Piece(
        {
            "dialogs/3/1.tsv": (
                '2008-04-17T14:06:00.000Z\tann\t\tmy "sound is gone\n'
                "2008-04-17T14:07:00.000Z\tbob\tann\twhich\tcard ?\n"
                "cut off\n"
            ),
            "dialogs/4/1.tsv": "2009-01-01T00:00:00.000Z\tann\t\thello\n",
            "meta/valfiles.csv": "1.tsv, 4\n",
        },
        [
            ("train", [("ann", 'my "sound is gone'), ("bob", "which\tcard ?")]),
            ("valid", [("ann", "hello")]),
        ],
        lost={"four fields": 1},
    ),
    "opensubtitles": Piece(
        {
            "OpenSubtitles/raw/en/1990/7/1.xml": (
                '<?xml version="1.0" encoding="utf-8"?>\n<document id="1">\n'
                '<s id="1"><time id="T1S" value="00:00:01,000"/>- Who is there?'
                '<time id="T1E" value="00:00:02,000"/></s>\n'
                '<s id="2"><time id="T2S" value="00:00:02,500"/>Me &amp; the\n cat.'
                '<time id="T2E" value="00:00:03,000"/></s>\n'
                '<s id="3"><time id="T3S" value="00:01:02,500"/><w id="3.1">Next</w> <w id="3.2">day</w></s>\n'
                '<s id="4"></s>\n<meta><conversion/></meta></document>\n'
            ),
            "OpenSubtitles/raw/en/1990/8/2.xml": "<document><s>cut",
        },
        [(None, _a_and_b("Who is there?", "Me & the cat.")), (None, _a_and_b("Next day"))],
        lost={"without text": 1},
        noted={"damaged": 1},
    ),
    "multiwoz": Piece(
        {
            "MULTIWOZ2.1/data.json": json.dumps(
                {
                    "SNG01.json": {
                        "goal": {},
                        "log": [{"text": "a train", "metadata": {}}, {"text": "from where ?"}, {}],
                    },
                    "MUL02.json": {"log": [{"text": "a room"}]},
                    "MUL03.json": {"goal": {}},
                }
            ),
            "MULTIWOZ2.1/valListFile.txt": "MUL02.json\n",
            "MULTIWOZ2.1/testListFile.txt": "",
        },
        [("train", [("USER", "a train"), ("SYSTEM", "from where ?")]), ("valid", [("USER", "a room")])],
        lost={"no text": 1},
        noted={"without 'log'": 1},
    ),
    "self_dialogue": Piece(
        {
            "master/blocked_workers.txt": "W9\n",
            "master/corpus/music/m1.csv": _csv(
                _TURK,
                ["H1", "A1", "W1", "Do you sing?", "Third, of two lines\nhere", 'Only "badly".', ""],
                ["H1", "A2", "W1", "Rejected", "{}", "{}", "too short"],
                ["H1", "A3", "W9", "Blocked", "{}", "{}", ""],
                ["H1", "A1", "W1", "Twice", "{}", "{}", ""],
                ["H1", "A4", "W2", "Hum", "{}", "Hm", ""],
            ),
            "master/corpus/other.csv": "a,b\n1,2\n",
        },
        [
            (None, _a_and_b("Do you sing?", 'Only "badly".', "Third, of two lines\nhere")),
            (None, _a_and_b("Hum", "Hm")),
        ],
        lost={"rejected": 3, "blocked": 3, "twice": 3, "empty": 1},
        noted={"without the columns": 1},
    ),
    "real_persona_chat": Piece(
        {
            "real_persona_chat/dialogues/00001.json": json.dumps(
                {
                    "dialogue_id": 1,
                    "interlocutors": ["AA", "AB"],
                    "utterances": [
                        {"utterance_id": 0, "interlocutor_id": "AA", "text": "今日は寒いですね。"},
                        {"utterance_id": 1, "interlocutor_id": "AB", "text": "本当に。"},
                    ],
                },
                ensure_ascii=False,
            ),
            "real_persona_chat/dialogues/00002.json": "{",
            "real_persona_chat/interlocutors.json": json.dumps({"AA": {"persona": []}}),
        },
        [(None, [("AA", "今日は寒いですね。"), ("AB", "本当に。")])],
        noted={"damaged": 1},
    ),
    "taskmaster": Piece(
        {
            "TM-1-2019/self-dialogs.json": json.dumps(
                [
                    {
                        "conversation_id": f"dlg-{name}",
                        "utterances": [{"index": 0, "speaker": who, "text": text} for who, text in _UTTERED],
                    }
                    for name in ("00aa", "00bb")
                ]
                + [{"conversation_id": "dlg-00cc"}]
            ),
            "TM-1-2019/train-dev-test/dev.csv": "dlg-00bb,\n",
            "TM-1-2019/ontology.json": "{}",
        },
        [("train", _UTTERED), ("valid", _UTTERED)],
        noted={"entries without": 1},
    ),
}
