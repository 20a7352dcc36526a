"""A map of the latent variable: which z make the reply begin how.

The reply to each z is the most probable one, token by token, so that nothing but z tells two replies apart.

- draws of z from the prior of a context, laid out by the two directions in which they vary most (their principal
  components), each coloured by how its reply begins;
- a plane through z-space: through the first three draws whose replies begin differently, z_1, z_2 and z_3,

      z(u, v) = z_1 + u (z_2 - z_1) + v (z_3 - z_1)

  and the reply at each point of a grid on it. Where z holds the course of a reply, neighbours begin alike.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dialog.conversation import Conversation
from dialog.decoding.replier import Asked, Replier
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import reply_generator
from dialog.errors import UsageError
from dialog.evaluation.pictures.canvas import canvas
from dialog.evaluation.pictures.names import shortened
from dialog.run_folder import Run

__all__ = ["LatentMap", "draw_map", "map_of", "principal_plane"]

_NAMED = 12
"""Beginnings of replies that have a colour of their own."""
_EDGES = -0.5, 1.5
"""Of u and v."""


@dataclass(frozen=True, slots=True)
class LatentMap:
    """How replies begin, by z.

    Attributes:
        places: (draw, 2), the draws along their two principal components.
        shares: of the draws' variance, that of each component.
        replies: to each draw.
        beginnings: the first words of each, in small letters.
        corners: the draws z_1, z_2 and z_3 by their number; none where fewer than three begin differently.
        plane: the first words at each point of the grid, v by v, in each u by u; empty without corners.
    """

    places: NDArray[np.float64]
    shares: tuple[float, float]
    replies: tuple[str, ...]
    beginnings: tuple[str, ...]
    corners: tuple[int, ...]
    plane: tuple[tuple[str, ...], ...]

    def counts(self) -> list[tuple[str, int]]:
        """Returns how often each beginning came among the draws, the most frequent first."""
        return _counted(self.beginnings)


@torch.inference_mode()
def map_of(
    run: Run, conversation: Conversation, num_draws: int, side: int = 25, words: int = 2, seed: int = 0
) -> LatentMap:
    """Draws z, and replies to each.

    Args:
        run: of a model that answers and has a latent variable.
        conversation: its last turn is answered.
        num_draws: of z; the z of `hred reply` by the same seed are the same.
        side: points of the plane's grid along each side.
        words: of a reply that are its beginning.
        seed: of the draws.

    Raises:
        UsageError: the model has no latent variable or answers nothing, or no turn has words.
    """
    replier = Replier.from_run(run)
    if not run.model.is_latent:
        raise UsageError(
            f"{run.folder} is a run of {run.name}, which has no latent variable to draw; give a run of vhred"
        )
    replies = replier.reply(conversation, Sampling(method="greedy"), num_draws, seed)
    latents = torch.tensor([one.latent for one in replies])
    places, shares = principal_plane(latents.double().numpy())
    beginnings = [_beginning(one.text, words) for one in replies]
    first = {name: number for number, name in reversed(list(enumerate(beginnings)))}
    corners = sorted(first.values())[:3]
    plane: list[tuple[str, ...]] = []
    if len(corners) == 3:
        at, towards, upwards = latents[corners]
        steps = torch.linspace(*_EDGES, side)
        grid = torch.stack([at + u * (towards - at) + v * (upwards - at) for v in steps for u in steps])
        found = [_beginning(text, words) for text in _most_probable(replier, conversation, grid)]
        plane = [tuple(found[row * side : (row + 1) * side]) for row in range(side)]
    texts = tuple(one.text for one in replies)
    return LatentMap(places, shares, texts, tuple(beginnings), tuple(corners) if plane else (), tuple(plane))


def principal_plane(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Returns points (point, size) along the two directions in which they vary most, and the shares of variance."""
    centred = points - points.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    variances = np.pad(sizes**2, (0, 2))
    axes = np.pad(directions, ((0, 2), (0, 0)))[:2]
    whole = max(float(variances.sum()), 1e-300)
    return centred @ axes.T, (float(variances[0]) / whole, float(variances[1]) / whole)


def draw_map(found: LatentMap, path: Path) -> None:
    """Draws the draws, and the plane if there is one; colours are the same in both.

    Raises:
        UsageError: see `canvas`.
    """
    on_plane = [name for row in found.plane for name in row]
    named = [name for name, _ in _counted([*found.beginnings, *on_plane])][:_NAMED]
    with canvas(path, 11.6 if found.plane else 7.4, 4.4) as figure:
        from matplotlib import colormaps
        from matplotlib.patches import Patch

        palette = colormaps["tab20"]
        colours: dict[str, Any] = {name: palette(number) for number, name in enumerate(named)}
        panels = figure.subplots(1, 2 if found.plane else 1, squeeze=False)[0]
        _draw_draws(panels[0], found, colours)
        if found.plane:
            _draw_plane(panels[1], found, colours)
        handles = [Patch(color=colour, label=f"{shortened(name)} …") for name, colour in colours.items()]
        if any(name not in colours for name in [*found.beginnings, *on_plane]):
            handles.append(Patch(color="lightgrey", label="others"))
        figure.legend(handles=handles, loc="outside right center", fontsize=7)


def _draw_draws(panel: Any, found: LatentMap, colours: dict[str, Any]) -> None:
    shades = [colours.get(name, "lightgrey") for name in found.beginnings]
    panel.scatter(*found.places.T, s=14, c=shades)
    panel.set_title(f"{len(found.replies)} draws from the prior")
    panel.set_xlabel(f"principal component 1 of z, {found.shares[0]:.0%} of the variance")
    panel.set_ylabel(f"principal component 2, {found.shares[1]:.0%}")


def _draw_plane(panel: Any, found: LatentMap, colours: dict[str, Any]) -> None:
    from matplotlib.colors import to_rgb

    shades = [[to_rgb(colours.get(name, "lightgrey")) for name in row] for row in found.plane]
    low, high = _EDGES
    panel.imshow(shades, origin="lower", extent=(low, high, low, high), interpolation="nearest")
    for number, place in enumerate(((0, 0), (1, 0), (0, 1)), 1):
        panel.plot(*place, marker="o", color="black", markersize=4)
        panel.annotate(f"z{number}", place, xytext=(4, 4), textcoords="offset points")
    panel.set_title("the plane through three of them")
    panel.set_xlabel("u")
    panel.set_ylabel("v")


def _most_probable(replier: Replier, conversation: Conversation, latents: torch.Tensor) -> list[str]:
    """Returns the most probable reply, token by token, to each z (row, latent)."""
    reading = replier.open(conversation)
    replier.reader.read_all([reading])
    greedy, count = Sampling(method="greedy"), len(latents)
    drafts, _ = replier.begin([Asked(reading, greedy, 0, index) for index in range(count)])
    generators = [reply_generator(0, index) for index in range(count)]
    state = replier.model.plan(reading.state.select([0] * count), generators, latents)
    batch = replier.new_batch()
    batch.join(drafts, state)
    for _ in batch.run():
        pass
    return [replier.finish(draft).text for draft in drafts]


def _beginning(text: str, words: int) -> str:
    return " ".join(text.lower().split()[:words]) or "(nothing)"


def _counted(names: Sequence[str]) -> list[tuple[str, int]]:
    return sorted(Counter(names).items(), key=lambda one: (-one[1], one[0]))
