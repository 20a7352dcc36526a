"""Battles without a browser: two servers on one store, models that are missing or others, and which pair is drawn."""

from collections import Counter

import pytest
import torch

from app.bots import Bots
from app.store import Store
from app.web.battles import Battles
from dialog.errors import RunFolderError, StoreError, UsageError
from dialog.models.registry import build_model
from dialog.run_folder import save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer


def trained(folder, seed, tokenizer):
    torch.manual_seed(seed)
    settings = {"vocab_size": tokenizer.num_tokens, "embedding_size": 8, "hidden_size": 8}
    save_run(folder, build_model("hred", settings), tokenizer, {}, "# a model\n")
    return folder


@pytest.fixture(scope="module")
def tokenizer():
    texts = [f"hello number {n}, how are you this {w} day?" for n in range(50) for w in ("fine", "grey")]
    return Tokenizer.from_bytes(train_tokenizer(texts, 320))


@pytest.fixture(scope="module")
def folders(tmp_path_factory, tokenizer):
    base = tmp_path_factory.mktemp("runs")
    return {
        name: trained(base / name, seed, tokenizer) for seed, name in enumerate(("ash", "birch", "cedar"))
    }


@pytest.fixture
def serve(folders, tmp_path):
    """Makes servers that share one store but nothing else; each is closed at the end."""
    opened = []

    def served(**changes):
        bots, store = Bots(folders | changes), Store.open(f"sqlite:///{tmp_path}/sessions.db")
        opened.extend([bots, store])
        return Battles(bots, store), store

    yield served
    for each in opened:
        each.close()


def test_another_server_goes_on_and_draws_the_same_replies(serve) -> None:
    (first, store), (second, _) = serve(), serve()
    owner = store.owner_for("a cookie")
    asked = first.say(owner, "", "hello", "1", "en")
    assert (asked.is_waiting, asked.can_vote, asked.names) == (True, False, None)
    with pytest.raises(StoreError, match="no replies to judge"):
        second.vote(owner, asked.id, "a")
    taken_up = second.latest(owner)
    assert taken_up == asked
    # Both answer it; what is stored first stays, and each draws just the same.
    battle, branches = store.battle(owner, asked.id), store.battle_branches(owner, asked.id)
    sides = [(battle.model_a, battle.model_a_hash), (battle.model_b, battle.model_b_hash)]
    drawn = [
        [server._reply(battle, model, branch).tokens for model, branch in zip(sides, branches, strict=True)]
        for server in (first, second)
    ]
    assert drawn[0] == drawn[1]
    answered = second.answer(owner, asked.id)
    assert first.answer(owner, asked.id) == answered
    assert [len(side) for side in (answered.left, answered.right)] == [2, 2]
    assert answered.can_vote and answered.names is None
    voted = first.vote(owner, asked.id, "tie")
    assert voted.names == (battle.model_a, battle.model_b) and not voted.can_vote
    assert second.latest(owner) == voted
    assert second.ranking("en").tally.num_votes == 1
    # After the vote a message begins another battle.
    again = second.say(owner, asked.id, "another one", "2", "en")
    assert again.id != asked.id


def test_a_model_that_fails_or_is_another_by_now_is_not_named(serve, folders, tmp_path, tokenizer) -> None:
    battles, store = serve()
    owner = store.owner_for("a cookie")
    asked = battles.say(owner, "", "hello", "1", "en")
    name = store.battle(owner, asked.id).model_b
    later, _ = serve(**{name: trained(tmp_path / name, 9, tokenizer)})  # trained again under its old name
    for server in (later, serve(**{name: tmp_path / "nowhere"})[0]):
        with pytest.raises(StoreError) as told:
            server.answer(owner, asked.id)
        assert "two replies cannot be had" in str(told.value)
        assert not any(word in str(told.value) for word in (*folders, "nowhere"))
    assert battles.latest(owner) == asked  # nothing of it is stored
    assert battles.answer(owner, asked.id).can_vote


def test_pairs_are_drawn_among_models_that_load(serve, tmp_path) -> None:
    battles, store = serve(cedar=tmp_path / "nowhere")
    owner = store.owner_for("a cookie")
    lefts = Counter()
    for number in range(16):
        battle = store.battle(owner, battles.say(owner, "", "hello", str(number), "en").id)
        assert {battle.model_a, battle.model_b} == {"ash", "birch"}
        lefts[battle.model_a] += 1
    assert len(lefts) == 2  # the sides are drawn, too: once in 30,000 one alone comes by chance
    with pytest.raises(UsageError, match="needs two models, but there is 1"):
        serve(birch=tmp_path / "nowhere", cedar=tmp_path / "nowhere")[0].say(owner, "", "hello", "x", "en")
    with pytest.raises(UsageError, match="at most 20,000"):
        battles.say(owner, "", "x" * 20_001, "y", "en")
    assert isinstance(battles._bots._failed["cedar"], RunFolderError)


def test_pairs_and_rankings_are_of_the_models_of_a_language(serve, folders, monkeypatch) -> None:
    shipped = dict.fromkeys(("ash", "birch", "elm-ja"), folders["ash"])
    monkeypatch.setattr("app.shipped.shipped_models", lambda: shipped)
    battles, store = serve(**{"elm-ja": folders["birch"]})
    owner = store.owner_for("a cookie")
    spoken = {"ja": {"cedar", "elm-ja"}, "en": {"ash", "birch", "cedar"}}
    for language, names in spoken.items():
        for number in range(8):
            asked = battles.say(owner, "", "hello", f"{language}{number}", language)
            battle = store.battle(owner, asked.id)
            assert {battle.model_a, battle.model_b} <= names
            if not number:
                battles.answer(owner, asked.id)
                battles.vote(owner, asked.id, "a")
            battles.abandon(owner, asked.id)
    rankings = {language: battles.ranking(language) for language in spoken}
    for language, ranking in rankings.items():
        assert {player.name for player in ranking.tally.players} <= spoken[language]
        assert ranking.tally.num_votes == 1
        assert battles.ranking(language) is ranking  # kept for each language until there are other votes
