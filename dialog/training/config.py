"""How a model is trained; every schedule counts updates, never the clock."""

from dataclasses import dataclass

from dialog.errors import ConfigError
from dialog.models.config import Settings, setting
from dialog.text.backward import DIRECTIONS

__all__ = ["LatentTrainingConfig", "TrainingConfig", "training_config_class"]


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """How any model is trained; each field says its unit."""

    batch_tokens: int = setting(
        4096, "tokens of a batch at most, context and targets together", minimum=1, below=1_000_001
    )
    batches_per_update: int = setting(
        1, "batches whose gradients make one update; all processes share them", minimum=1, below=1_000_001
    )
    window_turns: int = setting(32, "turns of a window; longer conversations are cut into several", minimum=2)
    lead_turns: int = setting(8, "turns before a further window that are read again, not scored", minimum=0)
    max_tokens: int = setting(64, "tokens of an utterance in training; the rest is cut", minimum=2)
    learning_rate: float = setting(1e-3, "AdamW's step size after the warm-up", minimum=1e-12)
    warmup_updates: int = setting(200, "updates of linear warm-up", minimum=0)
    decay_updates: int = setting(
        10_000, "updates until the cosine decay has reached the final learning rate", minimum=1
    )
    final_learning_rate: float = setting(0.02, "share of the learning rate that decay ends at", minimum=0.0)
    weight_decay: float = setting(0.01, "AdamW's decoupled weight decay, on matrices", minimum=0.0)
    gradient_clip: float = setting(1.0, "largest gradient norm; 0 clips nothing", minimum=0.0)
    label_smoothing: float = setting(
        0.0, "share of the target given to all tokens alike", minimum=0.0, below=1.0
    )
    validate_every: int = setting(500, "updates between validations", minimum=1)
    validate_conversations: int = setting(
        1000, "conversations of the validation split that are scored; 0 for all", minimum=0
    )
    patience: int = setting(6, "validations without a better bound before training stops; 0 never", minimum=0)
    keep: str = setting(
        "best",
        "whose weights the run folder gets: those of the best validation, or the last ones, which on a small corpus "
        "know more of its sentences by heart",
        choices=("best", "last"),
    )
    sample_replies: int = setting(3, "contexts that replies are shown for at each validation", minimum=0)
    measure_replies: int = setting(
        200, "replies that are sampled at each validation for the alarm of dull ones; 0 for none", minimum=0
    )
    checkpoint_minutes: float = setting(5.0, "minutes between checkpoints", minimum=0.01)
    direction: str = setting(
        "forward",
        "forward, or backward for a model that reads a reply and guesses the turn before, to rerank by",
        choices=DIRECTIONS,
    )
    bfloat16: bool = setting(False, "bf16 matrix products on the CPU, too; on a GPU they always are")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lead_turns >= self.window_turns:
            raise ConfigError(
                f"lead_turns is {self.lead_turns}, but must be below window_turns ({self.window_turns})"
            )


@dataclass(frozen=True)
class LatentTrainingConfig(TrainingConfig):
    """How a model with a latent variable is trained, beyond what all have."""

    kl_annealing_updates: int = setting(5_000, "updates until the KL weight stays at 1", minimum=0)
    kl_schedule: str = setting(
        "linear",
        "how the KL weight rises: linear (Bowman et al. 2016), or cyclical (Fu et al. 2019): again and again",
        choices=("linear", "cyclical"),
    )
    kl_cycles: int = setting(4, "cycles of the cyclical schedule in kl_annealing_updates", minimum=1)
    kl_rising_share: float = setting(
        0.5,
        "share of a cycle in which the weight rises from 0 to 1; it stays there for the rest",
        minimum=0.01,
        maximum=1.0,
    )
    free_bits: float = setting(
        0.0, "nats of KL a dimension that cost nothing (Kingma et al. 2016), of the batch's mean", minimum=0.0
    )
    bag_of_words_weight: float = setting(
        1.0, "weight of the bag-of-words loss, if the model has one", minimum=0.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kl_schedule == "linear":
            for name in ("kl_cycles", "kl_rising_share"):
                default = type(self).__dataclass_fields__[name].default
                if getattr(self, name) != default:
                    raise ConfigError(
                        f"{name} is {getattr(self, name)}, but only the cyclical schedule has cycles; set "
                        "kl_schedule=cyclical as well"
                    )
        elif self.kl_annealing_updates < 2 * self.kl_cycles:
            raise ConfigError(
                f"kl_annealing_updates is {self.kl_annealing_updates}, but {self.kl_cycles} cycles need two "
                f"updates each: set {2 * self.kl_cycles} or more"
            )


def training_config_class(latent: bool) -> type[TrainingConfig]:
    """Returns the settings that a model with or without a latent variable can be trained with."""
    return LatentTrainingConfig if latent else TrainingConfig
