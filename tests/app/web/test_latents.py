"""What the latent-space tab does, without a browser: limits, whose chats, and what is drawn."""

import asyncio
import re

import gradio as gr
import pytest
import torch

from app.bots import Bots
from app.store import Store
from app.trainings import Trainings
from app.web.chats import Chats
from app.web.house import House
from app.web.latent import Asked, Latents
from app.web.latent_pictures import colours_of
from app.web.latent_view import draw_found, draw_looked_at, draw_walk
from app.web.words.sentences import tell
from dialog.decoding.draws import Draw
from dialog.errors import DialogError, StoreError
from dialog.models.registry import build_model
from dialog.run_folder import load_run, save_run


@pytest.fixture(scope="module")
def house(run_folders, tmp_path_factory):
    tokenizer = load_run(run_folders[-1]).tokenizer
    folders = [run_folders[1], run_folders[2]]
    sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 8, "hidden_size": 8}
    for name, more in (("vhcr", {"context_size": 8}), ("vae", {})):
        torch.manual_seed(2)
        folders.append(tmp_path_factory.mktemp("runs") / name)
        save_run(folders[-1], build_model(name, sizes | more), tokenizer, {}, f"# {name}\n")
    bots = Bots.of(list(map(str, folders)))
    place = tmp_path_factory.mktemp("store")
    url = f"sqlite:///{place}/sessions.db"

    async def page() -> gr.Blocks:  # outside of a loop, Gradio makes one and leaves it open
        return gr.Blocks()

    with Store.open(url) as store:
        yield House(bots, store, Chats(bots, store), Trainings(place / "runs", url), asyncio.run(page()))
    bots.close()


@pytest.fixture
def latents(house) -> Latents:
    return Latents(house)


def asked(model="vhred", context="hello\nhow are you?", manner="lively") -> Asked:
    return Asked(model, context, manner)


def test_only_those_with_a_latent_variable_are_offered(house, tmp_path) -> None:
    assert house.bots.latent_names == ["vhred", "vhcr", "vae"]
    assert house.bots.names == ["hred", "vhred", "vhcr"]  # a VAE answers nothing
    assert Bots({"nowhere": tmp_path}).latent_names == []


@pytest.mark.parametrize("model", ["vhred", "vhcr", "vae"])
def test_what_is_drawn_is_shown_with_its_names(latents, model) -> None:
    found, of_z, of_words = latents.draw(asked(model), "both", 3, "7/2", "8", False)
    assert (of_z, of_words) == (Draw(7, 1), Draw(8))
    assert found.latents == Draw(7, 1).following(3) and found.words == Draw(8).following(3)
    again, _, _ = latents.draw(asked(model), "both", 3.0, "7/2", "8/1", False)
    assert again.replies == found.replies
    html = draw_found(found, "en")
    assert "\n" not in html and html.count('class="spoken"') == 3 and html.count('class="point"') == 3
    assert html.count("<figure>") == (3 if model == "vhcr" else 2)
    for number in range(3):
        assert f"z 7/{number + 2} · words 8/{number + 1}" in html
    fresh, of_z, _ = latents.draw(asked(model), "words", 2, "7/2", "no name", True)
    assert of_z == Draw(7, 1) and fresh.latents == [of_z] * 2
    assert 'class="point"' not in draw_found(fresh, "ja")
    walked = latents.walk(asked(model, manner="greedy"), "7/1", "7/3", 4, "1/1")
    html = draw_walk(walked, "ja")
    assert html.count("<li") == 4 and "100 %" in html


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda it: it.draw(asked(), "both", 25, "1/1", "1/1", False), "25 replies .* 1 to 24"),
        (lambda it: it.draw(asked(), "both", None, "1/1", "1/1", False), "0 replies"),
        (lambda it: it.draw(asked(), "both", float("inf"), "1/1", "1/1", False), "0 replies"),
        (lambda it: it.draw(asked(), "both", 1, "x", "1/1", False), "'x' names no draw"),
        (lambda it: it.draw(asked(manner="greedy"), "words", 2, "1/1", "1/1", False), "words are not drawn"),
        (lambda it: it.walk(asked(), "1/1", "1/2", 1, "1/1"), "1 points .* 2 to 12"),
        (lambda it: it.walk(asked(), "1/1", "1/2", 13, "1/1"), "13 points"),
        (lambda it: it.walk(asked(context=" \n "), "1/1", "1/2", 3, "1/1"), "no text to answer"),
        (lambda it: it.walk(asked(context="a\n" * 61), "1/1", "1/2", 3, "1/1"), "61 turns"),
        (lambda it: it.walk(asked(context="a" * 20_001), "1/1", "1/2", 3, "1/1"), "20,001 characters"),
        (lambda it: it.walk(asked(model="hred"), "1/1", "1/2", 3, "1/1"), "HRED has no latent variable"),
        (lambda it: it.walk(asked(model="nobody"), "1/1", "1/2", 3, "1/1"), "no model 'nobody'"),
    ],
)
def test_what_cannot_be_is_a_sentence_in_both_languages(latents, act, sentence) -> None:
    with pytest.raises(DialogError, match=sentence) as caught:
        act(latents)
    assert "エラーが起きました" not in tell(caught.value, "ja")


@pytest.mark.parametrize(("vary", "manner"), [("<x>", "lively"), ("both", "<x>")])
def test_what_no_control_says_is_refused(latents, vary, manner) -> None:
    with pytest.raises(DialogError, match="'<x>"):
        latents.draw(asked(manner=manner), vary, 2, "1/1", "1/1", False)


def test_a_vae_says_the_last_line_again_or_makes_texts_up(latents) -> None:
    for context, is_prior in (("", True), ("hello", False), ("what?\nhello", False)):
        found, _, _ = latents.draw(asked("vae", context, "greedy"), "z", 3, "7/1", "1/1", False)
        assert len({reply.latent for reply in found.replies}) == 3
        assert found.points is not None and found.points.conversation_kl is None
        assert (found.replies[0].context_hash == "") == is_prior
    assert latents.walk(asked("vae", ""), "1/1", "1/2", 3, "1/1").replies


def test_lines_are_turns_the_last_by_the_user() -> None:
    turns = asked(context=" one \r\n\n two\u2028three\n").conversation.turns
    assert [(turn.speaker, turn.text) for turn in turns] == [
        ("user", "one"),
        ("bot", "two"),
        ("user", "three"),
    ]


def test_a_chat_becomes_a_context_for_its_owner_alone(latents, house) -> None:
    store = house.store
    owner, other = map(store.owner_for, ("the cookie of one browser", "that of another"))
    session = store.create_session(owner, kind="chat").id
    with pytest.raises(DialogError, match="nothing was said"):
        latents.take(owner, session)
    parent, said = None, []
    for number in range(40):
        message = store.add_user_message(owner, session, parent, f"question\n{number}", f"client {number}")
        parent = message.id
        said.append(f"question {number}")
    taken = latents.take(owner, session)
    assert taken.context == " ".join(said) and not taken.is_cut and taken.num_turns == 1
    for asking, wanted in ((other, session), (owner, "nothing"), (owner, "")):
        with pytest.raises(StoreError):
            latents.take(asking, wanted)
    assert [one.id for one in latents.chats(owner)] == [session] and latents.chats(other) == []
    assert latents.look(other, "vhred") is None
    assert "見るものがありません" in draw_looked_at(latents.look(other, "vhred"), "ja")


def test_replies_that_begin_alike_share_a_colour() -> None:
    shared = colours_of(["Yes, I do", "yes. no", "Maybe", "はい、そうです", "はい!", "", ""])
    assert shared[0] == shared[1] and shared[3] == shared[4] and shared[5] == shared[6]
    assert len({shared[0], shared[2], shared[3], shared[5]}) == 4
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in shared)
