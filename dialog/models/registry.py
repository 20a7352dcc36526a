"""The only list of models: a new model is one file, one entry here and one test file.

Reading the list loads no model: an entry names its class by its place, and the class is imported when it is
asked for, so that commands can name models without waiting for torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from dialog.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from dialog.models.base import ReplyModel

__all__ = [
    "MODELS",
    "Ability",
    "ModelEntry",
    "build_model",
    "check_answers",
    "check_generates",
    "check_reconstructs",
    "model_class",
    "model_name",
]

Ability = Literal["reply", "generate", "reconstruct"]
"""`reply`: answers a conversation. `generate`: makes text without any context. `reconstruct`: says again what
it is given."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What is known of a model before it is loaded.

    Attributes:
        place: module and name of its class, `module:Class`.
        purpose: one line, what it is for.
        papers: author, year and title of each; the first is the model's own.
        abilities: what it can be used for.
        has_latent: whether it draws a latent variable z.
        lacks: promises of `ReplyModel` that it does not keep, by name, each with the reason. `log_weights`
            needs no word where there is no latent variable.
        instead: what to do with it, where it cannot reply; goes on a sentence behind "so it answers nothing: ".
    """

    place: str
    purpose: str
    papers: tuple[str, ...]
    abilities: tuple[Ability, ...] = ("reply",)
    has_latent: bool = False
    lacks: Mapping[str, str] = field(default_factory=dict)
    instead: str = ""

    @property
    def cls(self) -> type[Any]:
        """The class, imported now."""
        module, name = self.place.split(":")
        found: type[Any] = getattr(import_module(module), name)
        return found


MODELS: dict[str, ModelEntry] = {
    "seq2seq": ModelEntry(
        "dialog.models.seq2seq:Seq2Seq",
        "answers the last utterance, and knows nothing of what was said before it",
        (
            "Sutskever, Vinyals and Le 2014, Sequence to Sequence Learning with Neural Networks",
            "Vinyals and Le 2015, A Neural Conversational Model",
            "Luong, Pham and Manning 2015, Effective Approaches to Attention-based Neural Machine Translation",
        ),
    ),
    "hred": ModelEntry(
        "dialog.models.hred:HRED",
        "follows the whole conversation, by a context RNN over its utterances",
        (
            "Serban et al. 2016, Building End-To-End Dialogue Systems Using Generative Hierarchical Neural "
            "Network Models",
        ),
    ),
    "vhred": ModelEntry(
        "dialog.models.vhred:VHRED",
        "HRED with a latent variable for each reply, so that the course of a reply varies",
        (
            "Serban et al. 2017, A Hierarchical Latent Variable Encoder-Decoder Model for Generating Dialogues",
            "Zhao, Zhao and Eskenazi 2017, Learning Discourse-level Diversity for Neural Dialog Models using "
            "Conditional Variational Autoencoders",
        ),
        has_latent=True,
    ),
    "vhcr": ModelEntry(
        "dialog.models.vhcr:VHCR",
        "VHRED with a further latent variable that all replies of a conversation share",
        (
            "Park, Cho and Kim 2018, A Hierarchical Latent Structure for Variational Conversation Modeling",
            "Serban et al. 2017, A Hierarchical Latent Variable Encoder-Decoder Model for Generating Dialogues",
        ),
        has_latent=True,
    ),
    "lm": ModelEntry(
        "dialog.models.language:LanguageModel",
        "a language model: how probable an utterance is whatever was said before; to score, generate, rerank by",
        (
            "Mikolov et al. 2010, Recurrent Neural Network Based Language Model",
            "Li et al. 2016, A Diversity-Promoting Objective Function for Neural Conversation Models",
        ),
        abilities=("generate",),
        lacks={"observe": "it reads no turn, its context stays empty"},
        instead="draw text from it by `hred generate`, score text by `hred score`, or rank replies against it by "
        "`hred reply --rerank anti-lm`",
    ),
    "transformer": ModelEntry(
        "dialog.models.transformer:Transformer",
        "a Transformer over the last turns as one sequence: the yardstick, what most would pick today",
        (
            "Vaswani et al. 2017, Attention Is All You Need",
            "Xiong et al. 2020, On Layer Normalization in the Transformer Architecture",
        ),
    ),
    "window": ModelEntry(
        "dialog.models.window:WindowModel",
        "a feed-forward network over the last few tokens: what recurrent networks are taught against",
        ("Bengio et al. 2003, A Neural Probabilistic Language Model",),
    ),
    "autoencoder": ModelEntry(
        "dialog.models.autoencoder:Autoencoder",
        "says an utterance again from a vector of a few numbers, its code",
        (
            "Dai and Le 2015, Semi-supervised Sequence Learning",
            "Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine "
            "Translation",
        ),
        abilities=("reconstruct",),
        instead="give it utterances to say again by `hred autoencode`",
    ),
    "vae": ModelEntry(
        "dialog.models.vae:VAE",
        "an autoencoder whose codes fill a normal distribution: to say again, to draw from, to walk between utterances",
        (
            "Bowman et al. 2016, Generating Sentences from a Continuous Space",
            "Kingma and Welling 2014, Auto-Encoding Variational Bayes",
        ),
        abilities=("reconstruct", "generate"),
        has_latent=True,
        instead="give it utterances to say again by `hred autoencode`, or draw texts from it by `hred generate`",
    ),
}
"""What is known of each model, by the name that commands and run folders use."""


def model_class(name: str) -> type[Any]:
    """Returns the class of a model.

    Raises:
        ConfigError: there is no such model.
    """
    if name not in MODELS:
        raise ConfigError(f"there is no model {name!r}; the models are {', '.join(MODELS)}")
    return MODELS[name].cls


def model_name(model: "ReplyModel") -> str:
    """Returns the name of a model's class."""
    place = f"{type(model).__module__}:{type(model).__qualname__}"
    return next(name for name, entry in MODELS.items() if entry.place == place)


def build_model(name: str, settings: Mapping[str, Any]) -> "ReplyModel":
    """Makes a model with fresh weights, drawn from torch's global generator.

    Raises:
        ConfigError: no such model, an unknown setting, or a value out of range.
    """
    cls = model_class(name)
    model: ReplyModel = cls(cls.config_class.from_json(settings))
    return model


def check_answers(name: str, direction: str, run: object) -> None:
    """Checks that a trained model answers conversations.

    Args:
        name: of the model; an unknown one passes, for loading it says so.
        direction: that it was trained in; see `text.backward`.
        run: its folder, for the sentence.

    Raises:
        UsageError: it knows no context, or guesses the turn before instead.
    """
    if name in MODELS and "reply" not in MODELS[name].abilities:
        entry = MODELS[name]
        reason = next(iter(entry.lacks.values()), entry.purpose)
        raise UsageError(f"{run} is a run of {name}: {reason}, so it answers nothing: {entry.instead}")
    if direction != "forward":
        raise UsageError(
            f"{run} was trained backwards: it guesses the turn before a reply and answers nothing; "
            "give it as --backward to `hred reply` with another model"
        )


def check_generates(name: str, run: object) -> None:
    """Checks that a trained model makes text without a context.

    Raises:
        UsageError: it does not.
    """
    if "generate" not in MODELS[name].abilities:
        instead = MODELS[name].instead or f"draw replies from it by `hred reply {run} --context TEXT`"
        raise UsageError(f"{run} is a run of {name}, which makes no text without a context: {instead}")


def check_reconstructs(name: str, run: object) -> None:
    """Checks that a trained model says again what it is given.

    Raises:
        UsageError: it does not.
    """
    if "reconstruct" not in MODELS[name].abilities:
        instead = MODELS[name].instead or f"chat with it by `hred chat {run}`"
        raise UsageError(f"{run} is a run of {name}, which does not say again what it is given: {instead}")
