"""The renderer, its inverse, and the exported chat template."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.tokens.vocabulary import SPECIALS
from fledge.types import Conversation, FledgeError, Message

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TRICKY = st.lists(WORDS | st.sampled_from([*SPECIALS, "\n", "\n\n", " ", "<|", "|>", ""]), max_size=4).map("".join)
PLAIN = st.builds(Message, st.sampled_from(["system", "user", "tool"]), TRICKY)
ASSISTANT = st.builds(Message, st.just("assistant"), TRICKY, TRICKY, st.lists(TRICKY, max_size=3).map(tuple))
CONVERSATIONS = st.builds(
    Conversation, st.lists(PLAIN | ASSISTANT, max_size=6).map(tuple), st.lists(TRICKY, max_size=2).map(tuple)
)


@given(CONVERSATIONS, st.booleans())
def test_parse_is_the_inverse_of_render(tokenizer, conversation, prompt):
    made = tokenizer.render(conversation, prompt)
    assert tokenizer.parse(made.ids) == conversation


@given(CONVERSATIONS, st.integers(0, 6))
def test_a_prefix_renders_to_a_prefix(tokenizer, conversation, length):
    whole = tokenizer.render(conversation)
    begun = replace(conversation, messages=conversation.messages[:length])
    part = tokenizer.render(begun)
    assert whole.ids[: len(part.ids)] == part.ids
    assert whole.weight[: len(part.ids)] == part.weight
    rest = conversation.messages[length : length + 1]
    if rest and rest[0].role == "assistant":
        asked = tokenizer.render(begun, add_generation_prompt=True)
        assert whole.ids[: len(asked.ids)] == asked.ids


@given(CONVERSATIONS)
def test_learned_is_what_the_assistant_says_and_its_end(tokenizer, conversation):
    made = tokenizer.render(conversation)
    assert len(made.ids) == len(made.weight)
    covered = [position for span in made.spans for position in range(span.start, span.end)]
    assert covered == list(range(len(made.ids)))
    for span in made.spans:
        assistant = span.message >= 0 and conversation.messages[span.message].role == "assistant"
        learned = assistant and span.kind in ("content", "thinking", "tool_call", "end")
        assert made.weight[span.start : span.end] == [float(learned)] * (span.end - span.start)
    ends = sum(1 for message in conversation.messages if message.role == "assistant")
    learned_ends = sum(w for i, w in zip(made.ids, made.weight, strict=True) if i == tokenizer.end)
    assert learned_ends == ends
    assert made.ids.count(tokenizer.bos) == 1


def test_layout(tokenizer):
    special, text = tokenizer.special, tokenizer.encode
    conversation = Conversation(
        (
            Message("user", "\nhi"),
            Message("assistant", "yo", "hm", ("f(1)",)),
            Message("tool", "2"),
            Message("assistant", ""),
        ),
        tools=("f",),
    )
    made = tokenizer.render(conversation, add_generation_prompt=True)
    expected = [special["<|bos|>"], special["<|system|>"], special["<|tool_call|>"], *text("f")]
    expected += [special["<|/tool_call|>"], special["<|end|>"], special["<|user|>"], *text("\nhi"), special["<|end|>"]]
    expected += [special["<|assistant|>"], special["<|think|>"], *text("hm"), special["<|/think|>"], *text("yo")]
    expected += [special["<|tool_call|>"], *text("f(1)"), special["<|/tool_call|>"], special["<|end|>"]]
    expected += [special["<|tool_result|>"], *text("2"), special["<|end|>"], special["<|assistant|>"]]
    expected += [special["<|end|>"], special["<|assistant|>"]]
    assert made.ids == expected
    assert [span.kind for span in made.spans if span.message == 1] == [
        "header",
        "thinking",
        "content",
        "tool_call",
        "end",
    ]


def test_only_assistants_think_and_call(tokenizer):
    for message in (Message("user", "x", thinking="y"), Message("tool", "x", tool_calls=("y",))):
        with pytest.raises(FledgeError, match="message 0"):
            tokenizer.render(Conversation((message,)))
    with pytest.raises(FledgeError, match="role 'bot'"):
        tokenizer.render(Conversation((Message("bot", "x"),)))  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 1023), max_size=40))
def test_anything_generated_can_be_parsed(tokenizer, ids):
    """Whatever a model writes after the header becomes a message, and that message renders again."""
    reply = tokenizer.parse_reply(ids)
    assert reply.role == "assistant"
    tokenizer.render(Conversation((reply,)))
    prompt = tokenizer.render(Conversation((Message("user", "hi"),)), add_generation_prompt=True).ids
    parsed = tokenizer.parse(prompt + [index for index in ids if index not in range(1008, 1024)])
    assert parsed.messages[0] == Message("user", "hi")


def test_cut_off_replies(tokenizer):
    special, text = tokenizer.special, tokenizer.encode
    ids = [
        special["<|think|>"],
        *text("so"),
        special["<|/think|>"],
        *text("it is"),
        special["<|tool_call|>"],
        *text("f"),
    ]
    assert tokenizer.parse_reply(ids) == Message("assistant", "it is", "so", ("f",))
    assert tokenizer.parse_reply([*text("a"), tokenizer.end, *text("b")]).content == "a"
    with pytest.raises(FledgeError, match="not the start of a turn"):
        tokenizer.parse(text("hello"))


@pytest.fixture(scope="module")
def exported(tokenizer, tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    directory = tmp_path_factory.mktemp("exported")
    tokenizer.save(directory)
    return transformers.AutoTokenizer.from_pretrained(str(directory))


def _as_dicts(conversation):
    return [
        {"role": m.role, "content": m.content}
        | ({"thinking": m.thinking} if m.thinking else {})
        | ({"tool_calls": list(m.tool_calls)} if m.tool_calls else {})
        for m in conversation.messages
    ]


def _template(exported, conversation, prompt, tools=None):
    made = exported.apply_chat_template(
        _as_dicts(conversation), tools=tools, add_generation_prompt=prompt, tokenize=True, return_dict=False
    )
    return list(made)


@settings(deadline=None)
@given(CONVERSATIONS, st.booleans())
def test_the_exported_template_renders_the_same(tokenizer, exported, conversation, prompt):
    conversation = replace(conversation, tools=())
    texts = [t for m in conversation.messages for t in (m.content, m.thinking, *m.tool_calls)]
    if any(literal in text for text in texts for literal in SPECIALS):
        with pytest.raises(Exception, match="special token"):
            _template(exported, conversation, prompt)
    elif conversation.messages:
        assert _template(exported, conversation, prompt) == tokenizer.render(conversation, prompt).ids


def test_the_exported_template_writes_tools(tokenizer, exported):
    tool = {"type": "function", "function": {"name": "add", "description": "größer", "parameters": {"type": "object"}}}
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    messages = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
    made = exported.apply_chat_template(messages, tools=[tool], tokenize=True, return_dict=False)
    expected = Conversation(
        (Message("user", "1+1?"), Message("assistant", "", "", ('{"name": "add", "arguments": {"a": 1}}',))),
        ("add(): größer",),
    )
    assert list(made) == tokenizer.render(expected).ids
    with pytest.raises(Exception, match="special token"):
        exported.apply_chat_template(
            messages,
            tools=[{"type": "function", "function": {"name": "add", "description": "a <|end|>"}}],
            tokenize=True,
        )


def test_the_exported_template_refuses_unknown_roles(exported):
    with pytest.raises(Exception, match="unknown role"):
        exported.apply_chat_template([{"role": "bot", "content": "x"}], tokenize=True)
