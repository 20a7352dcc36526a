"""Why a reply came about, without a browser: whose replies, which model, and what is told of them."""

import re
from dataclasses import replace

import pytest
import torch

from app.bots import Bots
from app.store import Store
from app.web.chats import Chats
from app.web.why_drawing import draw_choices, draw_why
from app.web.whys import Whys
from app.web.words import LANGUAGES
from app.web.words.sentences import tell
from dialog.decoding.replies import Sampling
from dialog.errors import RunFolderError, StoreError, UsageError
from dialog.models.registry import build_model
from dialog.run_folder import save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer

NAMES = ("seq2seq", "hred", "vhred", "vhred without attention")
SAMPLING = Sampling(temperature=0.8, top_k=4, max_tokens=6)


def made(folder, name, tokenizer, seed):
    torch.manual_seed(seed)
    kind, *without = name.split(" without ")
    settings = {
        "vocab_size": tokenizer.num_tokens,
        "embedding_size": 8,
        "hidden_size": 8,
        "max_utterance_tokens": 200,
    }
    settings |= {"attention": "none"} if without else {}
    save_run(folder, build_model(kind, settings), tokenizer, {}, "# a model\n")
    return folder


@pytest.fixture(scope="module")
def tokenizer():
    texts = [f"hello number {n}, how are you this {w} day?" for n in range(50) for w in ("fine", "grey")]
    return Tokenizer.from_bytes(train_tokenizer(texts, 320))


@pytest.fixture(scope="module")
def bots(tmp_path_factory, tokenizer):
    base = tmp_path_factory.mktemp("runs")
    running = Bots({name: made(base / name, name, tokenizer, 1) for name in NAMES})
    yield running
    running.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = Store.open(f"sqlite:///{tmp_path_factory.mktemp('store')}/sessions.db")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def whys(bots, store):
    return Whys(bots, Chats(bots, store))


@pytest.fixture(scope="module")
def owner(store):
    return store.owner_for("a cookie")


@pytest.fixture(scope="module")
def talk(bots, store, owner):
    """Says a text to a model in a chat, and has the reply stored."""

    def said(session, leaf, text, model, sampling=SAMPLING, **changes):
        asked = store.add_user_message(owner, session.id, leaf, text, f"u{leaf}{text}"[:100])
        context = store.conversation(owner, session.id, asked.id)
        (reply,) = bots.engine(model).reply(context, sampling, seed=7)
        return store.add_reply(owner, session.id, asked.id, replace(reply, **changes), model, f"b{asked.id}")

    return said


@pytest.fixture(scope="module")
def chat(store, owner, talk):
    session = store.create_session(owner)
    first = talk(session, None, "hello <b>number</b> $5$, how are you?", "hred")
    return session, first, talk(session, first.id, "are you number 3?", "hred")


def visible(html):
    assert "\n" not in html
    return re.sub(r"<[^>]*>", " ", html)


def test_a_stored_reply_has_the_probabilities_that_it_was_drawn_with(whys, owner, chat) -> None:
    session, _, last = chat
    why = whys.of_reply(owner, session.id, last.id)
    assert why.model == "hred" and why.is_same_context and why.message == last
    assert why.explanation.log_probability == pytest.approx(last.reply.log_probability, abs=1e-4)
    drawn = last.reply.filtered_log_probability
    assert why.explanation.drawn_log_probability == pytest.approx(drawn, abs=1e-4)
    assert len(why.explanation.turns) == 3
    for language in LANGUAGES:
        html = draw_why(why, language)
        assert "<b>number" not in html and "&lt;b&gt;" in html and "$5" not in html
        assert all(f'class="why-{part}"' in html for part in ("turns", "steps", "attention"))
        words = visible(html)
        assert f"{last.reply.log_probability:.2f}" in words and "0.8" in words and "Top-k 4" in words


def test_the_lists_hold_the_owners_chats_and_the_replies_of_one(whys, store, owner, chat) -> None:
    session, first, last = chat
    for asked in ((), (session.id,), (session.id, last.id)):
        choices = whys.choices(owner, *asked)
        assert [message.id for message in choices.replies] == [first.id, last.id]
        html = draw_choices(choices, "en")
        assert html.count("<option") == 1 + 2 + (len(asked) < 2)
        assert "&lt;b&gt;number" in html and "<b>" not in html
    nobody = store.owner_for("another cookie")
    assert whys.choices(nobody).sessions == ()
    assert "no replies yet" in draw_choices(whys.choices(nobody), "en")


def test_a_comparison_that_awaits_its_choice_offers_all_its_replies(whys, bots, store, owner) -> None:
    session = store.create_session(owner, kind="compare")
    asked = store.add_user_message(owner, session.id, None, "hello", "compared")
    context = store.conversation(owner, session.id, asked.id)
    replies = [
        store.add_reply(
            owner, session.id, asked.id, bots.engine(name).reply(context, SAMPLING)[0], name, name
        )
        for name in ("seq2seq", "hred")
    ]
    store.set_active_leaf(owner, session.id, asked.id)
    offered = whys.choices(owner, session.id).replies
    assert [message.id for message in offered] == [message.id for message in replies]
    assert whys.of_reply(owner, session.id, replies[0].id).model == "seq2seq"


def test_nothing_of_others_and_nothing_of_battles_is_told(whys, store, owner, chat, talk) -> None:
    session, first, _ = chat
    nobody = store.owner_for("another cookie")
    battle = store.create_session(owner, kind="battle")
    hidden = talk(battle, None, "hello", "hred")
    for who, chat_id, reply in ((nobody, session.id, first.id), (owner, battle.id, hidden.id)):
        with pytest.raises(StoreError, match="there is no chat") as refused:
            whys.of_reply(who, chat_id, reply)
        assert "ありません" in tell(refused.value, "ja")
        with pytest.raises(StoreError, match="there is no chat"):
            whys.choices(who, chat_id, reply)
    assert battle.id not in [one.id for one in whys.choices(owner).sessions]
    for wrong in (hidden.id, "nothing"):
        with pytest.raises(StoreError, match="there is no message"):
            whys.of_reply(owner, session.id, wrong)
    with pytest.raises(StoreError, match="there is no reply"):
        whys.of_reply(owner, session.id, first.parent_id)


def test_a_reply_of_weights_that_are_not_loaded_says_what_can_be_done(
    whys, store, owner, chat, talk, bots
) -> None:
    session, first, _ = chat
    lost = talk(session, first.id, "who are you?", "hred", model_hash="0" * 64)
    with pytest.raises(
        UsageError, match="by hred with the weights 000000000000, which are not loaded"
    ) as told:
        whys.of_reply(owner, session.id, lost.id)
    assert "読み込まれていません" in tell(told.value, "ja")
    # The same weights under another name are found.
    renamed = store.add_reply(owner, session.id, first.parent_id, first.reply, "an old name", "renamed")
    assert whys.of_reply(owner, session.id, renamed.id).model == "hred"
    strange = talk(session, first.id, "and you?", "hred", tokens=(5, 10**6))
    with pytest.raises(UsageError, match="not written by this model"):
        whys.of_reply(owner, session.id, strange.id)


def test_the_page_says_which_z_it_took(whys, store, owner, talk) -> None:
    session = store.create_session(owner)
    reply = talk(session, None, "hello", "vhred")
    why = whys.of_reply(owner, session.id, reply.id)
    assert why.explanation.log_probability == pytest.approx(reply.reply.log_probability, abs=1e-4)
    assert "drawn with seed 7" in visible(draw_why(why, "en"))
    lost = talk(session, reply.id, "hello again", "vhred", latent=None, context_hash="another")
    why = whys.of_reply(owner, session.id, lost.id)
    told = visible(draw_why(why, "en"))
    assert "was not kept" in told and "read other turns" in told
    typed = whys.of_typed("vhred without attention", "hello", "number 5")
    told = visible(draw_why(typed, "en"))
    assert "No z was drawn" in told and "no attention" in told


def test_what_was_typed_is_looked_at_as_it_stands(whys) -> None:
    why = whys.of_typed("seq2seq", "hello\n\n how are you?\nare you number 3?", "I am <i>fine</i>")
    assert [count.turn.speaker for count in why.explanation.turns] == ["user", "bot", "user"]
    assert [count.is_seen for count in why.explanation.turns] == [False, False, True]
    told = draw_why(why, "en")
    assert "reads the last turn alone" in visible(told) and told.count("not read") == 2
    assert "<i>fine" not in told and "the model&#x27;s own" in told
    for given, sentence in [
        (("seq2seq", "", "yes"), "the context has no words"),
        (("seq2seq", "hello", " \n"), "the reply has no words"),
        (("seq2seq", "hello", "x" * 20_001), "at most 20,000"),
        (("seq2seq", "hello\n" * 1_001, "yes"), "at most 1,000 are read"),
    ]:
        with pytest.raises(UsageError, match=sentence) as refused:
            whys.of_typed(*given)
        assert "エラーが起きました" not in tell(refused.value, "ja")
    with pytest.raises(RunFolderError, match="there is no model 'nobody'"):
        whys.of_typed("nobody", "hello", "yes")


def test_what_is_too_much_to_show_is_cut_with_a_sentence(whys, store, owner, talk) -> None:
    session = store.create_session(owner)
    long = Sampling(max_tokens=120, min_tokens=120)
    reply = talk(session, None, "hello " * 200, "seq2seq", sampling=long)
    told = visible(draw_why(whys.of_reply(owner, session.id, reply.id), "en"))
    assert "120 tokens; the first 100" in told and "last 120 of 200 places" in told
    many = whys.of_typed("hred", "\n".join(f"number {place}" for place in range(15)), "yes")
    told = draw_why(many, "en")
    assert "3 earlier ones were read" in visible(told) and told.count("<details>") == 12
