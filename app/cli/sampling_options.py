"""The options by which `hred reply` and `hred chat` choose tokens."""

from typing import Annotated

import typer

from dialog.decoding.replies import CHAT_SAMPLING

__all__ = ["DEFAULTS", "MaxTokens", "MethodName", "Temperature", "TopK", "TopP"]

DEFAULTS = CHAT_SAMPLING

MethodName = Annotated[str, typer.Option("--method", help="greedy or sample.")]
Temperature = Annotated[float, typer.Option(help="Divides the logits; below 1 is safer, above 1 wilder.")]
TopK = Annotated[int, typer.Option(help="Keep the k most probable tokens; 0 keeps all.")]
TopP = Annotated[float, typer.Option(help="Keep the most probable tokens that reach this share together.")]
MaxTokens = Annotated[int, typer.Option(help="The longest reply, in tokens.")]
