"""Bad recipes and flags, odd corpora, conversations that are none."""

from __future__ import annotations

import json
from collections.abc import Callable

from bad_input_kit import Box, Row, is_done, recipe


def conversations(*rows: object) -> Callable[[Box], list[object]]:
    def words(box: Box) -> list[object]:
        box.copy("sft", "eval")
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        file = box.put("c.jsonl", "".join(line + "\n" for line in lines))
        return box.run("--until", "sft", "--sft.conversations", file)

    return words


def corpus(text: str, *words: object) -> Callable[[Box], list[object]]:
    return lambda box: box.run("--text.sources", box.put("small.txt", text), *words)


def rejected_rows(box: Box) -> dict[str, str]:
    lines = (box.out / "sft" / "conversations" / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["id"]: row["reason"] for row in map(json.loads, lines)}


def six_shapes_are_counted(box: Box) -> None:
    reasons = rejected_rows(box)
    assert list(reasons) == [f"c.jsonl:{n}" for n in range(1, 7)]
    assert "its keys: prompt, completion" in reasons["c.jsonl:1"] and "not valid JSON" in reasons["c.jsonl:3"]


ROWS = [
    # recipes and flags
    Row("an empty recipe", recipe(""), ("r.toml, name: the recipe has no name", 'write name = "mine"')),
    Row("a recipe without tables", recipe('name = "x"'), ("the recipe x has no stage", "add a table such as [text]")),
    Row("a directory as a recipe", lambda b: ["run", b.folder], ("is a directory that holds no run",)),
    Row(
        "a wrong key",
        recipe('name = "x"\n\n[pretrain]\ndepht = 4\n'),
        ("r.toml, line 4, pretrain.depht: unknown key depht in [pretrain]; did you mean depth?",),
    ),
    Row("a wrong table", recipe('name = "x"\n[pretrian]\n'), ("line 2, pretrian: ", "did you mean pretrain?")),
    Row(
        "a wrong type",
        recipe('name = "x"\n[pretrain]\ndepth = "four"\n'),
        ('r.toml, line 3, pretrain.depth: expected a whole number, got "four"',),
    ),
    Row("no TOML", recipe('name = "x"\n[text\n'), ("r.toml, line 2: is not valid TOML",)),
    Row("TOML without end", recipe("a = " + "[" * 5000), ("r.toml: is not valid TOML",)),
    Row("a NUL in a path", recipe('name = "x"\n[text]\nsources = ["a\\u0000"]'), ("line 3, text.sources: holds",)),
    Row("a source that no mixture knows", lambda b: b.run("--tokens.mixture.wolrd", 1), ('no source "wolrd"', "text")),
    Row(
        "sizes that fit no model",
        lambda b: b.run("--pretrain.model.head-dim", 7),
        ("--pretrain.model.head-dim: head_dim must be even",),
    ),
    Row("--until with a typo", lambda b: b.run("--until", "pretain"), ("--until: ", "did you mean pretrain?")),
    Row("a number that is none", lambda b: b.run("--pretrain.depth", "x"), ("--pretrain.depth: expected a whole",)),
    Row("a flag that is none", lambda b: b.run("--pretrain.dept", 1), ("did you mean --pretrain.depth?",)),
    Row("a filter that is none", lambda b: b.run("--text.filters", "lenght"), ("did you mean length?",)),
    Row("a module that is none", lambda b: b.run("--text.filters", "no_such:f"), ("no_such", "beside the recipe")),
    Row("a task's module that is none", lambda b: b.run("--eval.tasks", "no_such:f"), ("no_such", "beside the recipe")),
    Row(
        "a file of a later stage", lambda b: b.run("--eval.perplexity", "no.txt"), ("eval.perplexity, no.txt: is not",)
    ),
    Row(
        "a stage without those before it",
        lambda b: ["pretrain", "--out", b.out],
        ("there is no run yet, and pretrain reads from", "begin with fledge text --sources PATH"),
    ),
    # small and odd corpora
    Row(
        "a vocabulary larger than the text can give",
        corpus("A cat and a dog.\n\nA dog and a cat. A bird.", "--tokenizer.vocab-size", 9999, "--until", "tokenizer"),
        code=0,
        prints=("9999 were wanted",),
    ),
    Row(
        "a corpus of three words",
        corpus("one small cat"),
        code=0,
        prints=("text is too small to hold documents out", "eval: done"),
        then=is_done("eval"),
    ),
    Row("one character again and again", corpus("a" * 3000), code=0, prints=("eval: done",), then=is_done("eval")),
    Row(
        "a context longer than all documents",
        lambda b: b.run("--pretrain.context-length", 512, "--pretrain.batch-tokens", 1024, "--until", "pretrain"),
        code=0,
        prints=("pretrain: done",),
    ),
    # conversations
    Row(
        "no turn of an assistant",
        conversations({"messages": [{"role": "user", "content": "hi"}]}),
        ("c.jsonl: no conversation can be learned, 1 refused", "rejects.jsonl"),
        undone=("sft",),
    ),
    Row("an empty file of conversations", conversations(), ("c.jsonl: is empty",), undone=("sft",)),
    Row(
        "conversations of other shapes",
        conversations(
            {"prompt": "a", "completion": "b"},
            {"messages": "hello"},
            "not json",
            [1],
            {"messages": [{"role": "bot", "content": "x"}]},
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": " "}]},
            {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ann."}]},
            {"instruction": "Say yes.", "output": "Yes."},
        ),
        code=0,
        prints=("6 conversations refused",),
        then=six_shapes_are_counted,
    ),
    Row(
        "a folder as conversations",
        lambda b: (
            b.copy("sft", "eval"),
            b.run("--until", "sft", "--sft.conversations", b.put("chats/chat.jsonl", "{}").parent),
        )[1],
        ("is a directory; check the path",),
        undone=("sft",),
    ),
]
