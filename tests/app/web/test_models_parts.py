"""What the tab of models draws: escaped cards, curves that say what they show, and nothing for the wrong eyes."""

import json
from pathlib import Path

import pytest

from app.bots import Bots
from app.learning import Lessons
from app.runs import Curve, curve_of, facts_of, run_folders
from app.trainings import Plan, Training
from app.web import model_menu as model_menu_module
from app.web.card import card_html
from app.web.curves import curve_svg
from app.web.model_menu import model_menu
from app.web.models_drawing import Shown, draw_lessons, draw_list, draw_running
from tests.app.cli.tiny_runs import make_runs


def test_a_card_is_drawn_and_nothing_of_it_becomes_an_element():
    card = (
        "# One & `two`\n\nSome **bold** words\nthat go on.\n\n- an item\n- <b>another</b>\n\n"
        "| what | value |\n|---|---|\n| <img src=x> | 3 |\n\n```\n<script>\n\ny$\n```\n"
        "[link](javascript:alert(1)) <svg onload=alert(1)>"
    )
    drawn = card_html(card)
    assert "<h4>One &amp; <code>two</code></h4>" in drawn
    assert "<p>Some <strong>bold</strong> words that go on.</p>" in drawn
    assert "<li>an item</li><li>&lt;b&gt;another&lt;/b&gt;</li>" in drawn
    assert '<th scope="col">what</th>' in drawn and "<td>&lt;img src=x&gt;</td><td>3</td>" in drawn
    assert "<pre>&lt;script&gt;&#10;&#10;y&#36;</pre>" in drawn
    for bad in ("<script", "<img", "<svg", "<b>", "href", "\n", "$"):
        assert bad not in drawn


@pytest.mark.parametrize(
    "card", ["|", "|-", "```", "#", "- ", "**", "`", "###### x\n####### y", "|a\n|b|c|d|"]
)
def test_a_card_that_is_cut_off_is_drawn_all_the_same(card):
    assert "\n" not in card_html(card)


def test_a_curve_says_what_it_shows_and_has_few_points_however_long():
    curve = Curve(tuple((n, 5 - n / 5000) for n in range(1, 10_001)), ((500, 4.9), (10_000, 3.25)), 12_345)
    assert curve.best == (10_000, 3.25) and curve.update == 10_000
    drawn = curve_svg(curve, "en")
    assert 'role="img"' in drawn and "up to update 10,000, training 3.000, validation 3.250" in drawn
    train, valid = (
        drawn.split(f'<polyline class="{name}" points="')[1].split('"')[0] for name in ("train", "valid")
    )
    assert 2 <= len(train.split()) <= 150 and len(valid.split()) == 2 and drawn.count("<circle") == 2
    for x, y in (point.split(",") for point in train.split()):
        assert 0 <= float(x) <= 560 and 0 <= float(y) <= 190
    assert "\n" not in drawn and "<script" not in drawn
    assert "<svg" not in curve_svg(Curve(), "en") and "まだ" in curve_svg(Curve(), "ja")
    assert "<circle" in curve_svg(Curve(valid=((3, 2.0),)), "ja")  # one point is a dot
    assert "<polyline" in curve_svg(Curve(train=((1, 2.0), (2, 2.0))), "en")  # a level line has a scale, too


def test_a_log_that_is_cut_off_or_strange_is_read_as_far_as_it_goes(tmp_path: Path):
    good = {"update": 2, "split": "train", "nats_per_token": 4.0, "target_tokens": 30}
    lines = [
        good,
        {**good, "update": 4, "nats_per_token": None},
        {"update": 4, "split": "valid", "nats_per_token": 3.5},
    ]
    text = "\n".join(map(json.dumps, lines)) + '\n[1]\n{"update": "x"}\n{"update": 6, "spl'
    (tmp_path / "metrics.jsonl").write_text(text)
    curve = curve_of(tmp_path)
    assert (curve.train, curve.valid, curve.target_tokens) == (((2, 4.0),), ((4, 3.5),), 60)
    (tmp_path / "metrics.jsonl").write_text(json.dumps({**good, "target_tokens": None}))
    assert curve_of(tmp_path).target_tokens is None  # of an earlier version: not recorded
    for damaged in (b"", b"\xff" * 9, b"\x08" + b"\0" * 7 + b"not json", b"\xff" * 8):
        (tmp_path / "model.safetensors").write_bytes(damaged)
        assert facts_of(tmp_path).parameters is None


def test_facts_of_a_folder_are_those_of_the_loaded_model(tmp_path: Path):
    folder = make_runs(tmp_path / "runs", ["vhred"]) / "vhred"
    bots = Bots({"vhred": folder})
    told, facts = bots.describe("vhred"), facts_of(folder)
    assert (facts.kind, facts.parameters, facts.model_hash) == (
        "vhred",
        told["parameters"],
        told["model_hash"],
    )
    assert facts.num_bytes == (folder / "model.safetensors").stat().st_size
    bots.close()
    (tmp_path / "runs" / "no run").mkdir()
    assert run_folders(tmp_path / "runs") == [folder] and run_folders(tmp_path / "nowhere") == []


def test_who_is_no_administrator_sees_no_button_no_path_and_no_log(tmp_path: Path):
    folder = make_runs(tmp_path / "secret place", ["hred"]) / "hred"
    training = Training("hred", folder, "failed", "a reason", Plan("", 1, 1, 0.1), "what somebody wrote\x07")
    shown = Shown("<i>hred", folder, "failed", ("int8",), ("load", "go_on"), "a reason", training)
    for drawn, is_seen in (
        (draw_list([shown], [shown], 3, "en", True), True),
        (draw_list([shown], [shown], 3, "en", False), False),
        (draw_running(shown, "ja", True), True),
        (draw_running(shown, "ja", False), False),
    ):
        for secret in ("secret place", "a reason", "what somebody wrote", "data-model="):
            assert (secret in drawn) == is_seen
        assert "int8" in drawn and "<i>" not in drawn and "\n" not in drawn and "\x07" not in drawn
        assert "&lt;i&gt;hred" in drawn


def test_what_there_is_to_learn_is_told_in_both_languages():
    lessons = Lessons(3, 4, {"corrected": 1, "liked": 2, "read through": 1, "won": 1}, {}, "")
    told = draw_lessons(lessons, "<host>", Path("/runs"), "en")
    assert "5 replies (1 corrected, 2 liked, 1 read through, 1 won a battle) in 3 chats" in told
    assert "&lt;host&gt;" in told and "/runs" in told and "So few" in told
    assert "5 件(訂正 1, いいね 2, 通読 1, 対戦で勝ち 1)" in draw_lessons(lessons, "", Path(), "ja")


def test_a_menu_of_models_takes_names_alone():
    menu = model_menu(["hred"], multiselect=True)
    assert menu.get_block_name() == "dropdown" and menu.value == ["hred"]
    assert not Path(model_menu_module.__file__).with_suffix(".pyi").exists()  # Gradio writes one for a class
    assert menu.preprocess(["hred", "new", "hred", 3, None, {}]) == ["hred", "new"]
    assert len(menu.preprocess([str(n) for n in range(1000)])) == 64
    assert [menu.preprocess(value) for value in ("new", None, 3, {})] == ["new", None, None, None]
