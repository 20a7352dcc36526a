"""`/v1` by the `openai` package, against a server that really runs: its client is what people call it with."""

import json

import openai
import pytest

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import CHAT_SAMPLING, Sampling
from dialog.run_folder import load_run
from dialog.text.normalise import normalise
from tests.app.api.served import events

SAID = ["hello number 7", "how are you?", "元気ですか 😀"]
MESSAGES = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(SAID)]
CONVERSATION = Conversation("", tuple(Turn("AB"[n % 2], text) for n, text in enumerate(SAID)))


@pytest.fixture(scope="module")
def client(served):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=120) as opened:
        yield opened


def ask(client, **changes):
    return client.chat.completions.create(**{"model": "hred", "messages": MESSAGES, "seed": 5, **changes})


def alone(api_folders, sampling=CHAT_SAMPLING, num_replies=1, name="hred", seed=5):
    return Replier.from_run(load_run(api_folders[name])).reply(CONVERSATION, sampling, num_replies, seed)


def joined(stream):
    """What a stream's chunks say together: texts, ends and noted tokens by index, and the usage."""
    texts, ends, tokens, usage = {}, {}, {}, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            assert choice.index not in ends, "it went on after its end"
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            if choice.logprobs:
                tokens.setdefault(choice.index, []).extend(choice.logprobs.content)
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
    return texts, ends, tokens, usage


@pytest.mark.parametrize("name", ["hred", "vhred"])
def test_replies_are_the_repliers_own_plain_and_streamed(client, api_folders, name):
    expected = alone(api_folders, num_replies=3, name=name)
    plain = ask(client, model=name, n=3)
    assert [choice.message.content for choice in plain.choices] == [reply.text for reply in expected]
    assert [choice.index for choice in plain.choices] == [0, 1, 2]
    ends = {"end": "stop", "length": "length"}
    assert [choice.finish_reason for choice in plain.choices] == [ends[reply.ended] for reply in expected]
    assert all(choice.message.role == "assistant" and choice.logprobs is None for choice in plain.choices)
    texts, finished, _, usage = joined(ask(client, model=name, n=3, stream=True))
    assert texts == {choice.index: choice.message.content for choice in plain.choices}
    assert finished == {choice.index: choice.finish_reason for choice in plain.choices}
    assert usage is None


def test_usage_counts_the_tokens_of_question_and_replies(client, api_folders):
    tokenizer = load_run(api_folders["hred"]).tokenizer
    expected = sum(len(reply.tokens) for reply in alone(api_folders, num_replies=2))
    plain = ask(client, n=2).usage
    assert plain.prompt_tokens == sum(len(tokenizer.encode(text)) for text in SAID)
    assert (plain.completion_tokens, plain.total_tokens) == (expected, expected + plain.prompt_tokens)
    streamed = joined(ask(client, n=2, stream=True, stream_options={"include_usage": True}))[3]
    assert streamed == plain


def test_what_is_said_of_a_reply_gets_it_again(client):
    first = client.chat.completions.create(model="hred", messages=MESSAGES)
    other = client.chat.completions.create(model="hred", messages=MESSAGES)
    assert first.hred["seed"] != other.hred["seed"] and first.id != other.id
    again = ask(client, seed=first.hred["seed"])
    assert again.choices[0].message.content == first.choices[0].message.content
    assert (again.hred, again.system_fingerprint) == (first.hred, first.system_fingerprint)


def test_settings_reach_the_decoder(client, api_folders):
    def text(**changes):
        return ask(client, **changes).choices[0].message.content

    greedy = alone(api_folders, Sampling("greedy"))[0].text
    assert text(temperature=0) == text(top_p=0) == greedy != text(temperature=2, top_p=1)
    drawn = Sampling(temperature=1.5, top_p=0.7, max_tokens=9)
    for name in ("max_tokens", "max_completion_tokens"):
        answer = ask(client, temperature=1.5, top_p=0.7, **{name: 9})
        assert answer.choices[0].message.content == alone(api_folders, drawn)[0].text
    own = {"top_k": 3, "min_p": 0.01, "repetition_penalty": 1.3, "min_tokens": 12}
    wanted = Sampling(temperature=0.8, top_p=0.9, **own)
    assert ask(client, extra_body=own).choices[0].message.content == alone(api_folders, wanted)[0].text


def test_more_tokens_than_there_can_be_are_as_many_as_there_can_be(client):
    answer = ask(client, max_tokens=4096, extra_body={"min_tokens": 400})
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 400)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_reply_ends_before_a_stop_sequence(client, api_folders, is_streamed):
    asked = {"temperature": 1.2, "max_tokens": 60, "extra_body": {"min_tokens": 60}}
    whole = ask(client, **asked).choices[0].message.content
    stop = whole[len(whole) // 2 :][:2]
    answer = ask(client, **asked, stop=["never there", stop], stream=is_streamed)
    if is_streamed:
        texts, ends, _, _ = joined(answer)
        text, end = texts[0], ends[0]
    else:
        text, end = answer.choices[0].message.content, answer.choices[0].finish_reason
    assert stop not in text and whole.startswith(text) and end == "stop"
    assert ask(client, **asked, stop=stop).choices[0].message.content == text


def test_logprobs_spell_the_reply_and_add_up(client, api_folders):
    expected = alone(api_folders, num_replies=2)
    plain = ask(client, n=2, logprobs=True, top_logprobs=3)
    for choice, reply in zip(plain.choices, expected, strict=True):
        noted = choice.logprobs.content
        spelled = b"".join(bytes(token.bytes) for token in noted).decode(errors="replace")
        assert normalise(spelled.replace("\0", "\ufffd")) == choice.message.content
        assert len(noted) == len(reply.tokens) - (reply.ended == "end")
        assert sum(token.logprob for token in noted) >= reply.log_probability - 1e-3
        for token in noted:
            nats = [top.logprob for top in token.top_logprobs]
            assert len(nats) == 3 and nats == sorted(nats, reverse=True) and token.logprob <= nats[0] + 1e-4
    streamed = joined(ask(client, n=2, logprobs=True, top_logprobs=3, stream=True))
    assert streamed[0] == {choice.index: choice.message.content for choice in plain.choices}
    for choice in plain.choices:
        assert [t.token for t in streamed[2][choice.index]] == [t.token for t in choice.logprobs.content]
    none_on_top = ask(client, logprobs=True).choices[0].logprobs.content
    assert none_on_top and all(token.top_logprobs == [] for token in none_on_top)


def test_logprobs_show_nothing_behind_a_stop_sequence(client):
    asked = {"logprobs": True, "max_tokens": 40, "extra_body": {"min_tokens": 40}}
    whole = ask(client, **asked).choices[0]
    text = whole.message.content
    stop = next(text[n : n + 2] for n in range(10, len(text)) if text.index(text[n : n + 2]) == n)
    plain = ask(client, **asked, stop=stop).choices[0]
    _, _, tokens, _ = joined(ask(client, **asked, stop=stop, stream=True))
    noted = [token.token for token in plain.logprobs.content]
    assert noted == [token.token for token in tokens[0]]
    assert noted == [token.token for token in whole.logprobs.content[: len(noted)]]
    spelled = b"".join(bytes(token.bytes) for token in plain.logprobs.content[:-1])
    before = normalise(spelled.decode(errors="replace").replace("\0", "\ufffd"))
    assert plain.message.content.startswith(before.rstrip("\ufffd"))
    assert 0 < len(noted) < len(whole.logprobs.content)
    nothing = ask(client, **asked, stop=text[0]).choices[0]
    assert (nothing.message.content, nothing.logprobs.content) == ("", [])


def test_contents_may_come_in_parts_and_replies_may_be_sent_back_as_they_came(client):
    parts = [{"type": "text", "text": text} for text in SAID[2].split()]
    in_parts = [*MESSAGES[:2], {"role": "user", "content": parts}]
    assert ask(client, messages=in_parts).choices == ask(client).choices
    reply = ask(client).choices[0].message
    follow_up = [*MESSAGES, reply, {"role": "user", "content": "and you?"}]
    by_hand = [*MESSAGES, {"role": "assistant", "content": reply.content}, follow_up[-1]]
    assert ask(client, messages=follow_up).choices == ask(client, messages=by_hand).choices


def test_names_tell_speakers_apart(client):
    def context(*names):
        said = [{"role": "user", "content": "hello"}, {"role": "user", "content": "how are you?"}]
        named = [{**one, "name": name} if name else one for one, name in zip(said, names, strict=True)]
        return ask(client, messages=named).hred["context_hash"]

    assert context("Ann", "Ben") != context("Ann", "Ann") == context("", "")


def test_fields_that_mean_nothing_here_change_nothing(client):
    idle = {
        "user": "u",
        "metadata": {"a": "b"},
        "store": False,
        "presence_penalty": 0.0,
        "frequency_penalty": 0,
    }
    idle |= {"tools": [], "tool_choice": "none", "logit_bias": {}, "response_format": {"type": "text"}}
    nulls = {"stop": None, "logprobs": None, "extra_body": {"session_id": None}}
    assert ask(client, **idle, **nulls).choices == ask(client).choices


def test_the_models_are_listed_and_told(client, api_folders):
    listed = client.models.list().data
    assert [model.id for model in listed] == list(api_folders)
    assert client.models.retrieve("vhred") == listed[1]
    assert all(model.object == "model" and model.created > 1_700_000_000 for model in listed)
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


def test_many_at_once_get_what_each_gets_alone(served):
    import asyncio

    async def ask_all():
        async with openai.AsyncOpenAI(
            base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=300
        ) as client:

            async def one(seed):
                answer = await client.chat.completions.create(model="hred", messages=MESSAGES, seed=seed)
                return answer.choices[0].message.content

            by_itself = [await one(seed) for seed in range(12)]
            return by_itself, await asyncio.gather(*map(one, range(12)))

    by_itself, together = asyncio.run(ask_all())
    assert by_itself == together


def test_a_stream_that_fails_ends_in_a_problem(served, api_folders):
    """The server stops while a reply is decoded: the client raises, and does not take the reply for whole."""
    from app.bots import Bots
    from tests.app.api.served import Served

    running = Served(Bots({"seq2seq": api_folders["seq2seq"]}))
    engine = running.bots.engine("seq2seq")
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        stream = client.chat.completions.create(
            model="seq2seq", messages=MESSAGES, max_tokens=400, extra_body={"min_tokens": 400}, stream=True
        )
        next(stream)
        running.wait_until(lambda: engine.num_running == 1)
        engine.close()
        with pytest.raises(openai.APIError, match="stopping"):
            for _ in stream:
                pass
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model="seq2seq", messages=MESSAGES)
        assert caught.value.status_code == 503 and caught.value.response.headers["retry-after"]
    running.close()


def test_the_stream_is_one_of_events_and_ends_as_it_should(served):
    body = {"model": "hred", "messages": MESSAGES, "stream": True}
    response, data = served.request("POST", "/v1/chat/completions", body)
    assert response.headers["content-type"].startswith("text/event-stream")
    *chunks, last, nothing = data.decode().split("\n\n")
    assert (last, nothing) == ("data: [DONE]", "")
    values = [json.loads(chunk.removeprefix("data: ")) for chunk in chunks]
    assert len({value["id"] for value in values}) == 1
    assert values[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [value["choices"][0]["finish_reason"] for value in values].count("stop") <= 1
    own = {"model": "hred", "turns": [{"speaker": "A", "text": "x"}], "sampling": {"stop": ["e"]}}
    kind, value = events(served.request("POST", "/api/stream", own)[1])[-1]
    assert kind == "replies" and "e" not in value["replies"][0]["text"]
