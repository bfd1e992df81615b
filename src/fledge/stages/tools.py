"""The tools stage: what the assistant may search, and conversations in which it learns to call its tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fledge.run.files import write_text
from fledge.stages.config import ToolsConfig
from fledge.stages.table import StageContext
from fledge.types import Conversation, Message

if TYPE_CHECKING:
    from fledge.infer.tools.search import SearchIndex
    from fledge.infer.tools.tool import Tool
    from fledge.infer.tools.toolbox import Toolbox
    from fledge.world.lookup.dialogues import Dialogue

INDEX, CONVERSATIONS = "index", "conversations/train.jsonl"
LEAST_SHARE = 0.7
"""Of the best score: in the demo's index 1 of 100 right passages lies below, and 6 of 10 of those on other people."""


def run(context: StageContext) -> dict[str, Any]:
    """Write ``index/``, and ``conversations/train.jsonl`` with the results that the real tools gave."""
    from fledge.infer.tools.search import SearchIndex
    from fledge.world.generate import conversation_row
    from fledge.world.world import World

    config: ToolsConfig = context.settings
    world = World(context.settings_of["world"])
    index = SearchIndex.build(world.directory().documents)
    index.save(context.out / INDEX)
    boxes: dict[int, Toolbox] = {}
    rows, n_calls = [], 0
    for number in range(config.n_conversations):
        dialogue = world.dialogue(number)
        if dialogue.directory not in boxes:
            documents = world.directory(dialogue.directory).documents
            boxes[dialogue.directory] = toolbox(SearchIndex.build(documents))
        conversation = played(dialogue, boxes[dialogue.directory])
        n_calls += sum(len(message.tool_calls) for message in conversation.messages)
        rows.append(json.dumps(conversation_row(conversation), ensure_ascii=False) + "\n")
    for box in boxes.values():
        box.close()
    path = context.out / CONVERSATIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(rows))
    return {"n_conversations": len(rows), "n_calls": n_calls, "n_passages": len(index.passages)}


def check(settings_of: Mapping[str, Any]) -> None:
    """Raise FledgeError where the search tool cannot run here."""
    from fledge.infer.tools.search import SearchIndex
    from fledge.types import Document

    SearchIndex.build([Document("1", "a word", "check")])


def toolbox(index: SearchIndex) -> Toolbox:
    """The tools that an assistant learns and is offered: the calculator, and search in ``index``."""
    from fledge.infer.tools.named import named
    from fledge.infer.tools.toolbox import Toolbox

    return Toolbox([named("calculator"), run_search(index)])


def toolbox_of(stage: Path) -> Toolbox:
    """The tools of a finished tools stage."""
    from fledge.infer.tools.search import SearchIndex

    return toolbox(SearchIndex.load(stage / INDEX))


def tools_of(run: Path) -> Toolbox | None:
    """The tools that the assistant of a run was tuned with; None where it was tuned with none, or is no run."""
    from fledge.run.manifest import read_manifest

    if not (run / "tools").is_dir() or not (run / "sft").is_dir():
        return None
    tuned = read_manifest(run / "sft")
    if tuned is None or "tools" not in tuned.inputs or read_manifest(run / "tools") is None:
        return None
    return toolbox_of(run / "tools")


def tool_named(name: str, run: Path) -> Tool:
    """The tool of this name: ``search`` looks things up in the index of the run, others are no matter of a run."""
    from fledge.infer.tools.named import named
    from fledge.infer.tools.search import SearchIndex

    if name == "search":
        return run_search(SearchIndex.load(run / "tools" / INDEX))
    return named(name)


def run_search(index: SearchIndex) -> Tool:
    """The search of a run, as its assistant learned it."""
    from fledge.infer.tools.search import search_tool

    return search_tool(index, least=LEAST_SHARE)


def played(dialogue: Dialogue, box: Toolbox) -> Conversation:
    """``dialogue`` with the descriptions and the results of the tools of ``box``."""
    from fledge.infer.tools.call import ToolCall

    offered = box.only(dialogue.tools)
    messages: list[Message] = []
    shown = ""
    for turn in dialogue.turns:
        said = [Message("user", turn.user)]
        if turn.tool:
            call = ToolCall(turn.tool, turn.arguments).text()
            result = offered.run(call)
            assert not result.failed, f"{call} gave {result.text}"
            shown += result.text
            said += [Message("assistant", "", tool_calls=(call,)), Message("tool", result.text)]
        # a passage is headed by its source and, in parentheses, the id of its document
        holds = not turn.document or f"({turn.document})\n" in shown
        if answer := turn.answer if holds else turn.otherwise:
            messages += [*said, Message("assistant", answer)]
    return Conversation(tuple(messages), offered.descriptions, dialogue.id, {"kind": dialogue.kind})
