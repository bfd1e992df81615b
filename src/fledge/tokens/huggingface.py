"""``tokenizer.json`` and ``tokenizer_config.json`` as Hugging Face's ``tokenizers`` and ``transformers`` read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fledge.run.files import write_json, write_text
from fledge.tokens.vocabulary import FLEDGE_ROLES, SPECIALS, Vocabulary, byte_alphabet, merge_pairs
from fledge.types import FledgeError


def tokenizer_json(vocabulary: Vocabulary, *, with_special: bool = True) -> dict[str, Any]:
    """The content of ``tokenizer.json`` for a byte-level BPE: no normaliser, our split regex, all merges."""
    if not vocabulary.ranks:
        raise FledgeError("only byte-level tokenizers can be written", fix="copy the file it was loaded from")
    alphabet = byte_alphabet()

    def written(token: bytes) -> str:
        return token.decode("latin-1").translate(alphabet)

    ordered = sorted(vocabulary.ranks, key=vocabulary.ranks.__getitem__)
    added = [
        {"id": index, "content": literal, "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False, "special": True}
        for literal, index in sorted(vocabulary.special.items(), key=lambda item: item[1])
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added if with_special else [],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": vocabulary.pattern}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
            ],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            # tiktoken takes a piece that is a token whole; in our own vocabularies every token is reached by
            # merges as well, and readers that know no such switch give the same ids.
            "ignore_merges": vocabulary.roles != FLEDGE_ROLES,
            "vocab": {written(token): vocabulary.ranks[token] for token in ordered},
            "merges": [[written(left), written(right)] for left, right in merge_pairs(vocabulary.ranks)],
        },
    }


def to_tokenizers(vocabulary: Vocabulary, *, with_special: bool = True) -> Any:
    """The same tokenizer as an object of Hugging Face's ``tokenizers``."""
    import tokenizers

    return tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json(vocabulary, with_special=with_special)))


def chat_template() -> str:
    """Jinja that writes what ``render.py`` writes; content that spells a special token is refused.

    A tool as OpenAI's API lists it becomes the line that models are shown (:func:`fledge.infer.tools.tool.describe`),
    its call the JSON of name and arguments. It is one line, so that no blank or line end of its own can slip in.
    """
    literals = "[" + ", ".join(f"'{literal}'" for literal in SPECIALS) + "]"
    return (
        "{%- macro text(value) -%}"
        "{%- if value is not string -%}{%- set value = value | tojson -%}{%- endif -%}"
        f"{{%- for literal in {literals} -%}}{{%- if literal in value -%}}"
        "{{- raise_exception('a message contains the special token ' ~ literal) -}}"
        "{%- endif -%}{%- endfor -%}"
        "{{- value -}}"
        "{%- endmacro -%}"
        "{%- macro kind(schema) -%}"
        "{%- if schema is not mapping -%}any"
        "{%- elif 'enum' in schema and schema['enum'] is sequence and schema['enum'] is not string -%}"
        "{%- for value in schema['enum'] -%}{{- value | tojson ~ ('' if loop.last else '/') -}}{%- endfor -%}"
        "{%- elif schema['type'] == 'array' and 'items' in schema -%}{{- 'list of ' ~ kind(schema['items']) -}}"
        "{%- elif schema['type'] == 'object' and schema['properties'] -%}{{- '{' ~ arguments(schema) ~ '}' -}}"
        "{%- elif 'type' not in schema -%}any"
        "{%- elif schema['type'] is sequence and schema['type'] is not string -%}{{- schema['type'] | join('/') -}}"
        "{%- else -%}{{- schema['type'] -}}{%- endif -%}"
        "{%- endmacro -%}"
        "{%- macro arguments(schema) -%}"
        "{%- for name, inner in (schema['properties'] or {}).items() -%}"
        "{%- set given = inner is mapping and 'default' in inner -%}"
        "{{- name ~ ('' if given or name in (schema['required'] or []) else '?') ~ ': ' ~ kind(inner) -}}"
        "{%- if given -%}{{- ' = ' ~ inner['default'] | tojson -}}{%- endif -%}"
        "{{- '' if loop.last else ', ' -}}"
        "{%- endfor -%}"
        "{%- endmacro -%}"
        "{%- macro shown(tool) -%}"
        "{%- set function = tool['function'] if tool is mapping and 'function' in tool else tool -%}"
        "{%- if function is mapping and 'name' in function -%}"
        "{%- set told = (function['description'] or '') | replace('\\n', ' ') | replace('\\t', ' ') | trim -%}"
        "{%- set first = namespace(text='', ended=false) -%}"
        "{%- for part in told.split('. ') -%}{%- if not first.ended -%}"
        "{%- set start = part[:1] -%}"
        "{%- if first.text and start | upper == start and start | lower != start -%}"
        "{%- set first.text = first.text ~ '.' -%}{%- set first.ended = true -%}"
        "{%- else -%}{%- set first.text = first.text ~ ('. ' if first.text else '') ~ part -%}{%- endif -%}"
        "{%- endif -%}{%- endfor -%}"
        "{{- text(function['name'] ~ '(' ~ arguments(function['parameters'] or {}) ~ ')'"
        " ~ (': ' ~ first.text if first.text else '')) -}}"
        "{%- else -%}{{- text(tool) -}}{%- endif -%}"
        "{%- endmacro -%}"
        "{%- macro called(call) -%}"
        "{%- if call is mapping and 'function' in call -%}"
        "{%- set said = call['function']['arguments'] or {} -%}"
        "{{- text('{\"name\": ' ~ call['function']['name'] | tojson ~ ', \"arguments\": '"
        " ~ (said if said is string else said | tojson) ~ '}') -}}"
        "{%- else -%}{{- text(call) -}}{%- endif -%}"
        "{%- endmacro -%}"
        "{%- set calls = namespace(ids=[]) -%}"
        "{%- set headers = {'system': '<|system|>', 'user': '<|user|>', 'assistant': '<|assistant|>', "
        "'tool': '<|tool_result|>'} -%}"
        "{{- '<|bos|>' -}}"
        "{%- if tools -%}{{- '<|system|>' -}}"
        "{%- for tool in tools -%}{{- '<|tool_call|>' ~ shown(tool) ~ '<|/tool_call|>' -}}{%- endfor -%}"
        "{{- '<|end|>' -}}{%- endif -%}"
        "{%- for message in messages -%}"
        "{%- if message.role not in headers -%}"
        "{{- raise_exception('unknown role ' ~ message.role) -}}{%- endif -%}"
        "{%- if message.role == 'tool' and calls.ids and message.tool_call_id -%}"
        "{%- if message.tool_call_id != calls.ids[0] -%}"
        "{{- raise_exception('results must come in the order of the calls') -}}{%- endif -%}"
        "{%- set calls.ids = calls.ids[1:] -%}{%- endif -%}"
        "{{- headers[message.role] -}}"
        "{%- if message.role == 'assistant' and message.thinking -%}"
        "{{- '<|think|>' ~ text(message.thinking) ~ '<|/think|>' -}}{%- endif -%}"
        "{{- text(message.content or '') -}}"
        "{%- if message.role == 'assistant' and message.tool_calls -%}"
        "{%- set calls.ids = message.tool_calls | selectattr('id', 'defined') | map(attribute='id') | list -%}"
        "{%- for call in message.tool_calls -%}"
        "{{- '<|tool_call|>' ~ called(call) ~ '<|/tool_call|>' -}}{%- endfor -%}{%- endif -%}"
        "{{- '<|end|>' -}}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
    )


def tokenizer_config(vocabulary: Vocabulary, model_max_length: int | None = None) -> dict[str, Any]:
    """The content of ``tokenizer_config.json``.

    ``eos_token`` is the end of a turn where there are turns: chat programs stop at it and at nothing else. Base
    text ends with ``<|eos|>``; a ``generation_config.json`` should list both.
    """
    roles = vocabulary.roles
    config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
    for name, role in (("bos_token", "bos"), ("eos_token", "end" if "end" in roles else "eos"), ("pad_token", "pad")):
        if role in roles:
            config[name] = roles[role]
    config |= {"clean_up_tokenization_spaces": False, "add_bos_token": False, "add_eos_token": False}
    if model_max_length is not None:
        config["model_max_length"] = model_max_length
    if roles == FLEDGE_ROLES:
        config["chat_template"] = chat_template()
    return config


def write_tokenizer(vocabulary: Vocabulary, directory: Path, model_max_length: int | None = None) -> None:
    """Write both files into ``directory``."""
    text = json.dumps(tokenizer_json(vocabulary), ensure_ascii=False, indent=1) + "\n"
    write_text(directory / "tokenizer.json", text)
    write_json(directory / "tokenizer_config.json", tokenizer_config(vocabulary, model_max_length))
