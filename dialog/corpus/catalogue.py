"""The published corpora that `hred corpora` knows: facts of each, where it lives, and what reads it.

Facts are those that the corpora's papers, pages and licence files state. A SHA-256 stands here only where somebody who
distributes the file has published it (ParlAI's downloader has several), or where the published file itself was hashed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dialog.corpus.published.cornell import read_cornell
from dialog.corpus.published.dailydialog import read_dailydialog
from dialog.corpus.published.empathetic import read_empathetic
from dialog.corpus.published.material import Reader
from dialog.corpus.published.multiwoz import read_multiwoz
from dialog.corpus.published.numbered import read_numbered
from dialog.corpus.published.real_persona_chat import read_real_persona_chat
from dialog.corpus.published.self_dialogue import read_self_dialogue
from dialog.corpus.published.subtitles import read_subtitles
from dialog.corpus.published.taskmaster import read_taskmaster
from dialog.corpus.published.topical_chat import read_topical_chat
from dialog.corpus.published.ubuntu import read_ubuntu
from dialog.errors import UsageError

__all__ = ["CATALOGUE", "PublishedCorpus", "find_corpus"]


@dataclass(frozen=True, slots=True)
class PublishedCorpus:
    """A published corpus.

    Attributes:
        name: what the command calls it.
        title: its own name.
        language: as BCP 47 tags, separated by commas.
        size: conversations and turns, as published.
        licence: its name, or that none is stated.
        obligations: what that means for who uses it, in a sentence.
        paper: authors, year and title.
        home: the page where it lives.
        urls: the files to download; none where there is no one file for everybody.
        sha256: known hashes by file name.
        reader: what makes conversations of its files.
        remarks: what to know before training on it.
    """

    name: str
    title: str
    language: str
    size: str
    licence: str
    obligations: str
    paper: str
    home: str
    urls: tuple[str, ...]
    reader: Reader
    sha256: Mapping[str, str]
    remarks: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns its facts as plain JSON values."""
        names = (
            "name",
            "title",
            "language",
            "size",
            "licence",
            "obligations",
            "paper",
            "home",
            "remarks",
        )
        facts = {name: getattr(self, name) for name in names}
        return {**facts, "urls": list(self.urls), "sha256": dict(self.sha256)}


_NONE_STATED = "none stated"
_ASK = (
    "no licence comes with the file: using it for research is common, passing it or weights on is not settled"
)

_ENTRIES = (
    PublishedCorpus(
        name="dailydialog",
        title="DailyDialog",
        language="en",
        size="13,118 conversations, 102,979 turns",
        licence="CC BY-NC-SA 4.0",
        obligations="name the authors, no commercial use, pass it on under the same licence",
        paper='Li et al. 2017, "DailyDialog: A Manually Labelled Multi-turn Dialogue Dataset"',
        home="http://yanran.li/dailydialog",
        urls=("http://yanran.li/files/ijcnlp_dailydialog.zip",),
        sha256={
            "dialogues_train.txt": "2128f3b82140b7d72d8d5bb989e5982a0394e4e40655995270d84c7eeee373b1",
            "dialogues_validation.txt": "2ad64701fe3a4449e7a6ee7cdc6c2a71c80f77b8a34f708ac0532395f499081c",
            "dialogues_test.txt": "3c323651cdfb09f7b529f850eddf96a638fc6cc9b43330b77956ab248484a1a8",
        },
        reader=read_dailydialog,
        remarks="149 conversations of the published test split stand in its training split too: see docs/preparing.md",
    ),
    PublishedCorpus(
        name="cornell",
        title="Cornell Movie-Dialogs Corpus",
        language="en",
        size="83,097 conversations, 304,713 turns",
        licence=_NONE_STATED,
        obligations=_ASK,
        paper='Danescu-Niculescu-Mizil and Lee 2011, "Chameleons in imagined conversations"',
        home="https://www.cs.cornell.edu/~cristian/Cornell_Movie-Dialogs_Corpus.html",
        urls=("http://parl.ai/downloads/cornell_movie/cornell_movie_dialogs_corpus.tgz",),
        sha256={
            "cornell_movie_dialogs_corpus.tgz": "ae77ab2e4743ce929087a4f529934059b920c4bdaa3143741b65b1e648ab45fd"
        },
        reader=read_cornell,
        remarks="has no splits; film scripts: what is written to be spoken, and violent or rude at times",
    ),
    PublishedCorpus(
        name="personachat",
        title="PersonaChat",
        language="en",
        size="10,907 conversations, 162,064 turns",
        licence=_NONE_STATED,
        obligations=_ASK,
        paper='Zhang et al. 2018, "Personalizing Dialogue Agents: I have a dog, do you have pets too?"',
        home="https://github.com/facebookresearch/ParlAI/tree/main/parlai/tasks/personachat",
        urls=("http://parl.ai/downloads/personachat/personachat.tgz",),
        sha256={},
        reader=read_numbered,
        remarks="in lower case, with spaces around punctuation; lines of personas are left out",
    ),
    PublishedCorpus(
        name="convai2",
        title="ConvAI2",
        language="en",
        size="18,878 conversations (17,878 to train on, 1,000 for validation)",
        licence=_NONE_STATED,
        obligations=_ASK,
        paper='Dinan et al. 2019, "The Second Conversational Intelligence Challenge (ConvAI2)"',
        home="https://github.com/facebookresearch/ParlAI/tree/main/parlai/tasks/convai2",
        urls=("http://parl.ai/downloads/convai2/convai2_fix_723.tgz",),
        sha256={"convai2_fix_723.tgz": "d0ae89defe2fd0b0a4221eaa642a457d7d40cef475f54798119c7f3b8dd9361d"},
        reader=read_numbered,
        remarks="as personachat, of which it is an enlarged edition; its test split is not published",
    ),
    PublishedCorpus(
        name="topical_chat",
        title="Topical-Chat",
        language="en",
        size="10,792 conversations, 235,434 turns",
        licence="CDLA-Sharing 1.0",
        obligations="data that is passed on stays under the same agreement, with its credits; results are free of it",
        paper='Gopalakrishnan et al. 2019, "Topical-Chat: Towards Knowledge-Grounded Open-Domain Conversations"',
        home="https://github.com/alexa/Topical-Chat",
        urls=("https://github.com/alexa/Topical-Chat/archive/refs/heads/master.zip",),
        sha256={},
        reader=read_topical_chat,
        remarks="the reading sets that the speakers had before them are not read",
    ),
    PublishedCorpus(
        name="empathetic_dialogues",
        title="EmpatheticDialogues",
        language="en",
        size="24,850 conversations",
        licence="CC BY-NC 4.0",
        obligations="name the authors, no commercial use",
        paper='Rashkin et al. 2019, "Towards Empathetic Open-domain Conversation Models"',
        home="https://github.com/facebookresearch/EmpatheticDialogues",
        urls=("https://dl.fbaipublicfiles.com/parlai/empatheticdialogues/empatheticdialogues.tar.gz",),
        sha256={
            "empatheticdialogues.tar.gz": "240c492cb6199a315722f716bfcc14f13ea6605f1cec67349153b606be92f6f2"
        },
        reader=read_empathetic,
    ),
    PublishedCorpus(
        name="ubuntu",
        title="Ubuntu Dialogue Corpus",
        language="en",
        size="about 930,000 conversations, 7.1 million turns",
        licence=_NONE_STATED,
        obligations=_ASK,
        paper='Lowe et al. 2015, "The Ubuntu Dialogue Corpus: A Large Dataset for Research in Unstructured '
        'Multi-Turn Dialogue Systems"',
        home="http://cs.mcgill.ca/~jpineau/datasets/ubuntu-corpus-1.0/",
        urls=("http://cs.mcgill.ca/~jpineau/datasets/ubuntu-corpus-1.0/ubuntu_dialogs.tgz",),
        sha256={},
        reader=read_ubuntu,
        remarks="a file a conversation: unpacking makes more than a million small files for a while",
    ),
    PublishedCorpus(
        name="opensubtitles",
        title="OpenSubtitles (OPUS)",
        language="en, ja and about 60 others",
        size="2.6 billion sentences in all languages (2016)",
        licence=_NONE_STATED,
        obligations="OPUS asks to link to www.opensubtitles.org and to cite the paper; the films' texts belong to "
        "their makers",
        paper='Lison and Tiedemann 2016, "OpenSubtitles2016: Extracting Large Parallel Corpora from Movie and TV '
        'Subtitles"',
        home="https://opus.nlpl.eu/OpenSubtitles/corpus/version/OpenSubtitles",
        urls=(),
        sha256={},
        reader=read_subtitles,
        remarks="an archive a language: choose one on the page, raw XML or plain text, and give it by --from; who "
        "speaks is not known",
    ),
    PublishedCorpus(
        name="multiwoz",
        title="MultiWOZ",
        language="en",
        size="10,438 conversations",
        licence="MIT",
        obligations="keep the copyright notice",
        paper='Budzianowski et al. 2018, "MultiWOZ: A Large-Scale Multi-Domain Wizard-of-Oz Dataset for '
        'Task-Oriented Dialogue Modelling"',
        home="https://github.com/budzianowski/multiwoz",
        urls=("https://github.com/budzianowski/multiwoz/raw/master/data/MultiWOZ_2.1.zip",),
        sha256={"MULTIWOZ2.1.zip": "d377a176f5ec82dc9f6a97e4653d4eddc6cad917704c1aaaa5a8ee3e79f63a8e"},
        reader=read_multiwoz,
        remarks="versions 2.0, 2.1 and 2.2 are read; `hred prepare --reply-as SYSTEM` trains on the system's turns",
    ),
    PublishedCorpus(
        name="self_dialogue",
        title="Self-dialogue Corpus",
        language="en",
        size="24,165 conversations, 3,653,313 words",
        licence="BSD 3-Clause",
        obligations="keep the copyright notice",
        paper='Fainberg et al. 2018, "Talking to myself: self-dialogues as data for conversational agents"',
        home="https://github.com/jfainberg/self_dialogue_corpus",
        urls=("https://github.com/jfainberg/self_dialogue_corpus/archive/refs/heads/master.zip",),
        sha256={},
        reader=read_self_dialogue,
        remarks="has no splits; the same people wrote many conversations, so drawn splits share authors",
    ),
    PublishedCorpus(
        name="real_persona_chat",
        title="RealPersonaChat",
        language="ja",
        size="13,583 conversations, 408,619 turns",
        licence="CC BY-SA 4.0",
        obligations="name the authors, pass it on under the same licence; never identify or impersonate a speaker",
        paper="Yamashita et al. 2023, \"RealPersonaChat: A Realistic Persona Chat Corpus with Interlocutors' Own "
        'Personalities"',
        home="https://github.com/nu-dialogue/real-persona-chat",
        urls=("https://github.com/nu-dialogue/real-persona-chat/archive/refs/heads/main.zip",),
        sha256={},
        reader=read_real_persona_chat,
        remarks="has no splits; what is told of the speakers is not read",
    ),
    PublishedCorpus(
        name="taskmaster",
        title="Taskmaster-1",
        language="en",
        size="13,215 conversations",
        licence="CC BY 4.0",
        obligations="name the authors",
        paper='Byrne et al. 2019, "Taskmaster-1: Toward a Realistic and Diverse Dialog Dataset"',
        home="https://github.com/google-research-datasets/Taskmaster",
        urls=(
            "https://storage.googleapis.com/dialog-data-corpus/TASKMASTER-1-2019/self-dialogs.json",
            "https://storage.googleapis.com/dialog-data-corpus/TASKMASTER-1-2019/woz-dialogs.json",
        ),
        sha256={
            "self-dialogs.json": "1e590ed0ccee279e40c2fb9e083d3b9417477c6bfe35ce5b2277167698dd858d",
            "woz-dialogs.json": "cd3bc4e968487315d412c044d30af2bf0a4b33c3ef8b74c589f1e1fa832bf72f",
        },
        reader=read_taskmaster,
        remarks="Taskmaster-2 and -3 have the same layout: give their folder by --from",
    ),
)

CATALOGUE = {entry.name: entry for entry in _ENTRIES}
"""All of them by name."""


def find_corpus(name: str) -> PublishedCorpus:
    """Returns the corpus of that name; case, hyphens and underscores make no difference.

    Raises:
        UsageError: there is none.
    """
    wanted = name.casefold().replace("-", "").replace("_", "")
    for entry in _ENTRIES:
        if wanted == entry.name.replace("_", ""):
            return entry
    raise UsageError(f"there is no corpus {name!r} in the list; it has {', '.join(CATALOGUE)}")
