"""Documents and conversations that share words with an evaluation text are set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from fledge.tokens.decontaminate import RunIndex
from fledge.types import Conversation, Document, Reject

CONTAMINATED = "contaminated"
_AT_ONCE = 512
_KEPT_CHARACTERS = 2000


def clean_documents(
    documents: Iterable[Document], index: RunIndex, only_passage: bool, rejects: list[Reject]
) -> Iterator[Document]:
    """Pass on what shares nothing with the evaluation texts; the rest goes to ``rejects``, by the file as reason.

    With ``only_passage`` the text before, between and after the shared passages goes on as documents of its own.
    """
    documents = iter(documents)
    while batch := list(islice(documents, _AT_ONCE)):
        hits = {hit.document: hit for hit in index.hits([document.text for document in batch])}
        for number, document in enumerate(batch):
            if number not in hits:
                yield document
                continue
            rule = f"{CONTAMINATED} passage" if only_passage else CONTAMINATED
            n_bytes, text = len(document.text.encode("utf-8")), document.text[:_KEPT_CHARACTERS]
            rejects.append(Reject(document.id, document.source, rule, hits[number].file, text, n_bytes))
            for part, left in enumerate(index.without_passages(document.text) if only_passage else []):
                yield Document(f"{document.id}#{part}", left, document.source, document.meta)


def clean_conversations(items: Iterable[Conversation | Reject], index: RunIndex) -> Iterator[Conversation | Reject]:
    """Give a Reject, by the evaluation file as reason, for each conversation in which a turn shares words with one.

    What is said, thought and called is looked at, each by itself.
    """
    items = iter(items)
    while batch := list(islice(items, _AT_ONCE)):
        texts, owner = [], []
        for number, item in enumerate(batch):
            for message in item.messages if isinstance(item, Conversation) else ():
                parts = [message.content, message.thinking, *message.tool_calls]
                texts += parts
                owner += [number] * len(parts)
        files: dict[int, str] = {}
        for hit in index.hits(texts):
            files.setdefault(owner[hit.document], hit.file)
        for number, item in enumerate(batch):
            if number in files:
                assert isinstance(item, Conversation)
                text = "\n".join(message.content for message in item.messages)
                n_bytes = len(text.encode("utf-8", "replace"))
                reject = (item.id, "conversations", CONTAMINATED, files[number], text[:_KEPT_CHARACTERS], n_bytes)
                yield Reject(*reject)
            else:
                yield item
