"""The report of a comparison: what was compared, every table for all and for the clean part, pictures, differences."""

import math
from collections.abc import Sequence

from dialog.evaluation.bootstrap import Difference, Estimate
from dialog.evaluation.comparison.anchor_rows import TRUE
from dialog.evaluation.comparison.document import Block, Cell, Folded, Heading, Picture, Table, Text
from dialog.evaluation.comparison.plots import draw_context, draw_grid, draw_turns
from dialog.evaluation.comparison.reply_tables import MAIN_FIGURES
from dialog.evaluation.comparison.report_parts import in_short, interval, number, use_of_latent
from dialog.evaluation.comparison.results import Part, Results
from dialog.evaluation.comparison.table import Column

__all__ = ["report_blocks", "report_title"]

_PARTS = {"all": "All conversations", "clean": "Without conversations that stand in the training data"}
_LIKELIHOOD_PAIRS = ("nats_per_token", "nats_per_character")


def report_title(results: Results) -> str:
    """Returns the report's title."""
    about = results.statistics.about
    count = len(about["runs"])
    return f"{count} model{'s' if count > 1 else ''} on {about['data']['corpus']}, split {about['data']['split']}"


def report_blocks(results: Results) -> list[Block]:
    """Returns the report as blocks."""
    blocks: list[Block] = [
        Heading(report_title(results), 1),
        *_data(results),
        *in_short(results),
        *_runs(results),
    ]
    titles = dict.fromkeys((part.table.key, part.table.rule) for part in results.parts)
    for key, rule in titles:
        blocks += _section(results, key, rule)
    blocks += _method(results)
    return blocks


def _data(results: Results) -> list[Block]:
    statistics = results.statistics
    about, leaks = statistics.about, statistics.leaks
    data = about["data"]
    leaked = len(leaks.ids) - len(statistics.clean)
    pairs, leaked_pairs = (int(leaks.column(name).sum()) for name in ("pairs", "leaked_pairs"))
    found = [
        f"**Data.** {len(leaks.ids):,} conversations with {data['replies']:,} replies to score, of the corpus "
        f"{data['corpus']} (hash {data['corpus_hash']}, texts {data['text_hash']}), split {data['split']}"
        + (", the first ones only" if data["limited"] else "")
        + ".",
        f"**Leaks.** {leaked:,} of these conversations stand in the training data, case, space and punctuation "
        f"ignored ({int(leaks.column('leaked_turns').sum()):,} of them turn by turn), and {leaked_pairs:,} of "
        f"{pairs:,} replies stand there right behind the same turn. {_leak_note(results)}",
        f"**Intervals** in brackets: 95 %, from {about['settings']['bootstrap_draws']:,} draws of the conversations "
        "with replacement (paired for differences). "
        + (
            "One conversation alone gives none."
            if len(leaks.ids) == 1
            else "In bold: the best value of a model."
        )
        + " Rows in italics are no models: what a metric gives to them says what it is worth.",
    ]
    if about["notes"]:
        found.append("**Note.** " + " ".join(about["notes"]))
    return [Text(text) for text in found]


def _leak_note(results: Results) -> str:
    if "clean" in results.statistics.parts:
        return "Every table is given for all conversations, and for the clean part without these."
    if results.statistics.clean:
        return "So every table is of a clean split."
    return "No conversation is left without them, so there is no clean part: take these tables for no more than recall."


def _runs(results: Results) -> list[Block]:
    about = results.statistics.about
    rows = []
    for name, facts in about["runs"].items():
        settings = facts["settings"]
        cells = (
            facts["model"],
            f"{facts['parameters']:,}",
            f"{settings.get('embedding_size', '')}/{settings.get('hidden_size', settings.get('feedforward_size', ''))}",
            f"{facts['tokens_known']:,}",
            str(facts["seed"] if facts["seed"] is not None else ""),
            f"{facts['update']:,}" if facts["update"] is not None else "",
            facts["weights_sha256"][:12],
            facts["tokenizer_sha256"][:12],
        )
        rows.append((name, [Cell(text) for text in cells]))
    head = [
        "run",
        "model",
        "parameters",
        "embedding/hidden",
        "tokens known",
        "seed",
        "update",
        "weights",
        "tokenizer",
    ]
    return [Heading("Models"), Table(head, rows)]


def _section(results: Results, key: str, rule: str) -> list[Block]:
    parts = [part for part in results.parts if (part.table.key, part.table.rule) == (key, rule)]
    blocks: list[Block] = [Heading(parts[0].table.title), Text(parts[0].table.text)]
    for part in parts:
        if len(results.statistics.parts) > 1:
            blocks.append(Heading(_PARTS[part.part], 3))
        blocks.append(_table(results, part))
    blocks += _pictures(results, parts[0])
    if key == "latent":
        blocks.append(use_of_latent(results))
    for part in parts:
        pairs = _pairs(part)
        if pairs:
            blocks.append(Folded(f"Differences, pair by pair: {_PARTS[part.part].lower()}", pairs))
    return blocks


def _table(results: Results, part: Part) -> Table:
    shown = part.shown()
    columns = [column for column in part.table.columns if column.figure.name in shown]
    models = {row.name for row in results.statistics.rows if row.run is not None}
    best = {column.figure.name: _best(column, part, models) for column in columns}
    rows = [
        (
            name,
            [_cell(each, figures.get(each.figure.name), name in best[each.figure.name]) for each in columns],
        )
        for name, figures in part.rows.items()
    ]
    return Table(["", *(column.label for column in columns)], rows, frozenset(set(part.rows) - models))


def _best(column: Column, part: Part, models: set[str]) -> set[str]:
    """Returns the models with the best value; none where nothing is better, or all are alike."""
    lower = column.figure.lower_is_better
    values = {
        name: figures[column.figure.name].value
        for name, figures in part.rows.items()
        if name in models
        and column.figure.name in figures
        and math.isfinite(figures[column.figure.name].value)
    }
    if lower is None or len(set(values.values())) < 2:
        return set()
    best = min(values.values()) if lower else max(values.values())
    return {name for name, value in values.items() if value == best}


def _cell(column: Column, found: Estimate | None, best: bool) -> Cell:
    if found is None:
        return Cell("")
    if not math.isfinite(found.value):
        return Cell("not defined")
    return Cell(number(found.value, column.decimals), interval(found.low, found.high, column.decimals), best)


def _pairs(part: Part) -> list[Block]:
    """Returns a table of differences for each of the figures that matter most."""
    wanted: Sequence[str] = _LIKELIHOOD_PAIRS if part.table.key == "likelihood" else MAIN_FIGURES
    if part.table.key == "context":
        wanted = part.shown()
    blocks: list[Block] = []
    for column in part.table.columns:
        pairs = part.differences.get(column.figure.name, [])
        if column.figure.name in wanted and pairs:
            rows = [(f"{pair.one} − {pair.other}", _pair_cells(column, pair)) for pair in pairs]
            blocks.append(Table([column.label, "difference", "does it stand?"], rows))
    return blocks


def _pair_cells(column: Column, pair: Difference) -> list[Cell]:
    if not math.isfinite(pair.value):
        return [Cell("not defined"), Cell("no")]
    value = f"{pair.value:+,.{column.decimals}f}"
    return [
        Cell(value, interval(pair.low, pair.high, column.decimals)),
        Cell("yes" if pair.stands else "no"),
    ]


def _pictures(results: Results, part: Part) -> list[Block]:
    key = part.table.key
    if key == "turns":
        return [
            Picture(
                draw_turns(part),
                "Nats by turn, and beside them less those of the first model (paired), with 95 % intervals.",
            )
        ]
    if key == "context":
        return [
            Picture(draw_context(part), "Rise of the loss by change of the context, with 95 % intervals.")
        ]
    overlap = results.part("overlap", "all", part.table.rule)
    if key == "variety" and overlap is not None:
        rows = [row for row in results.statistics.rows if row.name != TRUE]
        text = "Distinct-2 over BLEU-2 for each model and decoder, with 95 % intervals; the true reply is left out."
        return [Picture(draw_grid(overlap, part, rows), text)]
    return []


def _method(results: Results) -> list[Block]:
    about = results.statistics.about
    settings = about["settings"]
    decoders = "; ".join(
        f"{each['name']} ({', '.join(f'{k} {v}' for k, v in each.items() if k != 'name')})"
        for each in settings["decoders"]
    )
    signatures = "; ".join(f"{name}: `{text}`" for name, text in about["signatures"].items())
    hashes = [
        (row.name, [Cell(str(row.facts["replies_hash"]))])
        for row in results.statistics.rows
        if "replies_hash" in row.facts
    ]
    return [
        Heading("How it was measured"),
        Text(f"**Decoders.** {decoders or 'none'}."),
        Text(f"**Words** by {', '.join(settings['word_rules'])}. **sacrebleu**: {signatures}."),
        Text(f"**Word vectors.** {about['vectors']}."),
        Text(
            f"**Seed** {settings['seed']}; a reply's own is made of it, its conversation's name and its turn. "
            f"**Versions**: {', '.join(f'{name} {version}' for name, version in about['versions'].items())}."
        ),
        Folded("Hashes of the replies", [Table(["", "SHA-256, first digits"], hashes)]),
    ]
