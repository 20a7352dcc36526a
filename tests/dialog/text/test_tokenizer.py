"""The laws of the tokenizer: text comes back as it was, control tokens never come out of text."""

import io
import pickle
import random
import subprocess
import sys

import pytest
import sentencepiece
from hypothesis import example, given
from hypothesis import strategies as st

from dialog.errors import CorpusError, UsageError
from dialog.text.normalise import normalise
from dialog.text.tokenizer import StreamDecoder, Tokenizer, train_tokenizer

SYLLABLES = ["ba", "de", "ki", "lo", "mu", "ne", "po", "ra", "su", "ti"]


def made_texts(count: int = 400) -> list[str]:
    """Made-up words, the same at each call."""
    generator = random.Random(5)
    words = ["".join(generator.choices(SYLLABLES, k=generator.randint(1, 4))) for _ in range(300)]
    return [" ".join(generator.choices(words, k=generator.randint(1, 9))) + "?" for _ in range(count)]


MODEL = train_tokenizer([*made_texts(), "äpfel und 日本語"], 400)
TOKENIZER = Tokenizer.from_bytes(MODEL)
any_text = st.text(st.characters(exclude_categories=()), max_size=40)
any_tokens = st.lists(st.integers(0, TOKENIZER.num_tokens - 1), max_size=40)
byte_tokens = st.lists(st.integers(4, 4 + 255), max_size=12)


def as_utf8(text: str) -> str:
    """What is left of any text in UTF-8; U+10FFFF is no text."""
    whole = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return normalise(whole.replace("\U0010ffff", "\ufffd"))


@given(any_text)
@example("</s>")
@example("<s><pad> <unk> <0x41>")
@example("\u2581")
@example("a\u2581b \u2581")
@example("x\ud800y")
@example("a\0b")
@example("\U0010ffff")
@example("\u2047 ⁇ <b>bold</b>")
@example(" \t\u3000 ")
@example("😀é日本")
def test_text_comes_back_normalised(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == as_utf8(text)


@given(any_text)
@example("</s><s><pad><unk>")
@example("\U0010ffff\u2581\0")
def test_text_never_becomes_a_control_token(text: str) -> None:
    control = {TOKENIZER.pad_id, TOKENIZER.unk_id, TOKENIZER.bos_id, TOKENIZER.eos_id}
    tokens = TOKENIZER.encode(text)
    assert control.isdisjoint(tokens)
    assert bool(tokens) == bool(normalise(text))


@given(st.one_of(any_tokens, byte_tokens))
def test_stream_is_decode(tokens: list[int]) -> None:
    stream = StreamDecoder(TOKENIZER)
    pieces = [stream.push(token) for token in tokens]
    assert "".join(pieces) + stream.finish() == TOKENIZER.decode(tokens)


@given(any_text)
def test_stream_never_ends_inside_a_character(text: str) -> None:
    stream = StreamDecoder(TOKENIZER)
    so_far = ""
    for token in TOKENIZER.encode(text):
        so_far += stream.push(token)
        assert as_utf8(text).startswith(so_far)
    assert stream.finish() == ""


@given(any_tokens)
def test_decode_agrees_with_sentencepiece(tokens: list[int]) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_proto=MODEL)
    whole = [token for token in tokens if token >= 4 + 256]  # it reads bytes and unk in its own way
    assert TOKENIZER.decode(whole) == processor.decode(whole)


def test_malformed_bytes_read_as_the_replacement_character() -> None:
    first = TOKENIZER.encode("😀")[-4]
    assert TOKENIZER.decode([first]) == "\ufffd"
    word = TOKENIZER.encode("ba")
    assert TOKENIZER.decode([first, *word]) == "\ufffd ba"


def test_control_tokens_are_left_out_of_text() -> None:
    word = TOKENIZER.encode("kilo")
    around = [TOKENIZER.bos_id, TOKENIZER.pad_id, *word, TOKENIZER.eos_id, TOKENIZER.pad_id]
    assert TOKENIZER.decode(around) == "kilo"


def test_encode_all_is_encode_of_each() -> None:
    texts = [*made_texts(20), "", "</s>", "😀"]
    assert TOKENIZER.encode_all(texts) == [TOKENIZER.encode(text) for text in texts]


def test_ids_and_hash_are_those_of_the_model(tmp_path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(MODEL)
    for other in (Tokenizer.load(tmp_path / "tokenizer.model"), pickle.loads(pickle.dumps(TOKENIZER))):
        assert (other.pad_id, other.unk_id, other.bos_id, other.eos_id) == (0, 1, 2, 3)
        assert other.hash == TOKENIZER.hash
        assert other.encode("bade?") == TOKENIZER.encode("bade?")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_training_is_repeatable_and_keeps_to_the_vocabulary(kind) -> None:
    first = train_tokenizer(made_texts(), 320, kind)
    assert train_tokenizer(made_texts(), 320, kind) == first
    assert Tokenizer.from_bytes(first).num_tokens <= 320


def test_the_sample_follows_the_seed_and_its_size() -> None:
    texts = [f"{text} {number}" for number, text in enumerate(made_texts())]
    models = {train_tokenizer(texts, 300, seed=seed, sample_size=40) for seed in (1, 2)}
    assert len(models) == 2
    assert train_tokenizer(texts, 300, seed=1, sample_size=400) == train_tokenizer(
        texts, 300, seed=2, sample_size=400
    )


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_small_corpus_gets_a_smaller_vocabulary(kind) -> None:
    tokenizer = Tokenizer.from_bytes(train_tokenizer(["hello there", "good day"] * 4, 9_000, kind))
    assert 261 <= tokenizer.num_tokens < 400
    assert tokenizer.decode(tokenizer.encode("hello 😀")) == "hello 😀"


def test_a_vocabulary_too_small_for_the_characters_says_what_is_needed() -> None:
    texts = [
        "".join(chr(0x4E00 + number) for number in range(start, start + 50)) for start in range(0, 400, 50)
    ]
    with pytest.raises(UsageError, match=r"is 300, .* need \d+: choose"):
        train_tokenizer(texts, 300)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"texts": [], "vocabulary_size": 300}, CorpusError),
        ({"texts": ["", " "], "vocabulary_size": 300}, CorpusError),
        ({"texts": ["a"], "vocabulary_size": 100}, UsageError),
        ({"texts": ["a"], "vocabulary_size": 300, "kind": "words"}, UsageError),
        ({"texts": ["a"], "vocabulary_size": 300, "sample_size": 0}, UsageError),
    ],
)
def test_training_refuses_what_cannot_be(arguments, error) -> None:
    with pytest.raises(error):
        train_tokenizer(**arguments)


@pytest.mark.parametrize("data", [b"", b"no model", MODEL[:50]])
def test_a_damaged_model_is_refused(tmp_path, data: bytes) -> None:
    (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(CorpusError, match=r"tokenizer\.model"):
        Tokenizer.load(tmp_path / "tokenizer.model")


def test_a_missing_model_is_refused(tmp_path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        Tokenizer.load(tmp_path / "tokenizer.model")


def test_training_prints_nothing() -> None:
    code = (
        "from dialog.text.tokenizer import train_tokenizer\n"
        "train_tokenizer(['hello there', 'good day'] * 9, 300)\n"
        "try: train_tokenizer(['hello'], 261)\n"
        "except Exception: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_other_ids_are_read_from_the_model() -> None:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(made_texts()), model_writer=model, vocab_size=300, byte_fallback=True,
        normalization_rule_name="identity", pad_id=3, unk_id=0, bos_id=1, eos_id=2, minloglevel=3,
    )  # fmt: skip
    other = Tokenizer.from_bytes(model.getvalue())
    assert (other.pad_id, other.unk_id, other.bos_id, other.eos_id) == (3, 0, 1, 2)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_texts_that_are_to_stay_whole_are_one_piece_each_and_come_back(kind) -> None:
    texts = [f"see <link> now, <name>! {text}" for text in made_texts(100)]
    tokenizer = Tokenizer.from_bytes(train_tokenizer(texts, 400, kind, whole=("<link>", "<name>")))
    for text in ("<link>", "(<link>),<name>s <nam", "x<name>y <link><link>"):
        pieces = [tokenizer.pieces[token] for token in tokenizer.encode(text)]
        assert pieces.count("<link>") == text.count("<link>")
        assert pieces.count("<name>") == text.count("<name>")
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.is_by_words
