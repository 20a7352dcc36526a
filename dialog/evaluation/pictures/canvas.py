"""What all pictures share: a figure without a screen, text in any script, the same bytes from the same figures."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialog.errors import UsageError
from dialog.run_folder import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

__all__ = ["canvas", "check_place", "heat_map"]

KINDS = (".svg", ".png")
_DOTS_PER_INCH = 110
_EAST_ASIAN = (
    "Noto Sans CJK JP",
    "Noto Serif CJK JP",
    "Source Han Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "TakaoPGothic",
    "VL PGothic",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
)
"""Fonts that have what matplotlib's own lacks; those that are installed stand behind it."""


def check_place(path: Path) -> None:
    """Checks that a picture can be written, before anything is computed for it.

    Raises:
        UsageError: the name ends in neither .svg nor .png, or its folder is not there.
    """
    if path.suffix not in KINDS:
        raise UsageError(f"{path} names no kind of picture; let it end in .svg or .png")
    if not path.parent.is_dir():
        raise UsageError(
            f"the folder {path.parent} of {path.name} is not there; make it, or name another place"
        )


@contextmanager
def canvas(path: Path, width: float, height: float) -> Iterator["Figure"]:
    """Gives a figure to draw on, and writes it.

    Args:
        path: see `check_place`.
        width: of the figure, inches.
        height: of the figure, inches.

    Raises:
        UsageError: see `check_place`; or a PNG needs characters that no installed font has.
    """
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.figure import Figure  # no screen, and no state of pyplot's

    check_place(path)
    installed = {font.name for font in font_manager.fontManager.ttflist}
    style: Any = {
        "font.family": ["DejaVu Sans", *(name for name in _EAST_ASIAN if name in installed)],
        "font.size": 9.0,
        "axes.titlesize": 10.0,
        "svg.fonttype": "none",  # text stays text: small files, and the viewer's fonts for what is lacking here
        "svg.hashsalt": "dialog",
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
        yield figure
        drawn = BytesIO()
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            figure.savefig(drawn, format=path.suffix[1:], metadata=metadata)
    lacking = any("missing from font" in str(one.message) for one in told)
    if lacking and path.suffix == ".png":
        raise UsageError(
            f"no font here has all characters of {path.name}; install one, such as Noto Sans CJK, or draw an .svg, "
            "which takes the fonts of whoever looks at it"
        )
    write_atomically(path, drawn.getvalue())


def heat_map(
    axes: "Axes",
    values: "ArrayLike",
    columns: Sequence[str],
    rows: Sequence[str] | None = None,
    lowest: float = 0.0,
    highest: float = 1.0,
    colours: str = "viridis",
) -> None:
    """Draws a matrix with its rows and columns named, and what its colours mean.

    Args:
        axes: where.
        values: (row, column).
        columns: their names.
        rows: their names; None for none.
        lowest: value of the first colour.
        highest: value of the last colour.
        colours: a colour map of matplotlib's.
    """
    image = axes.imshow(
        values, aspect="auto", interpolation="nearest", vmin=lowest, vmax=highest, cmap=colours
    )
    axes.set_xticks(range(len(columns)), [_plain(name) for name in columns], rotation=60, ha="right")
    if rows is None:
        axes.set_yticks([])
    else:
        axes.set_yticks(range(len(rows)), [_plain(name) for name in rows])
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.ax.tick_params(labelsize=7)


def _plain(text: str) -> str:
    """A dollar would begin a formula."""
    return text.replace("$", r"\$")
