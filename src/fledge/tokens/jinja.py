"""A family's template as jinja, for programs that are not Fledge: the same text, special tokens in contents refused."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fledge.tokens.templates import ForeignTemplate


def written(template: ForeignTemplate, special: Iterable[str], bos: str = "") -> str:
    """One line of jinja, so that no blank or line end of its own can slip in.

    ``special`` are the literals that no content may hold, ``bos`` the one that the template may begin with.
    """
    literals = ", ".join(map(_quoted, special))
    refused = "'system text is only taken at the beginning, and other roles are user and assistant'"
    if template.system == "none":
        refused = "'this template has no system text; roles are user and assistant'"
    content = "text(message.content)"
    parts = [
        "{%- macro text(value) -%}",
        f"{{%- for literal in [{literals}] -%}}{{%- if literal in value -%}}",
        "{{- raise_exception('a message contains the special token ' ~ literal) -}}",
        "{%- endif -%}{%- endfor -%}",
        "{{- value | trim -}}" if template.strip else "{{- value -}}",
        "{%- endmacro -%}",
        "{%- if tools -%}{{- raise_exception('this template knows no tools') -}}{%- endif -%}",
        "{%- for message in messages -%}",
        "{%- if message.role not in ['system', 'user', 'assistant'] or (message.role == 'system' and "
        + ("true" if template.system == "none" else "not loop.first")
        + f") -%}}{{{{- raise_exception({refused}) -}}}}{{%- endif -%}}",
        "{%- endfor -%}",
    ]
    if template.bos and not template.bos_each:
        parts.append(_said(bos))
    if template.family == "inst":
        each = _said(bos) if template.bos_each else ""
        parts += [
            "{%- set kept = namespace(system='') -%}",
            "{%- for message in messages -%}",
            "{%- if message.role == 'system' -%}",
            f"{{%- set kept.system = '<<SYS>>\\n' ~ {content} ~ '\\n<</SYS>>\\n\\n' -%}}",
            "{%- elif message.role == 'user' -%}",
            f"{each}{{{{- '[INST] ' ~ kept.system ~ {content} ~ ' [/INST]' -}}}}{{%- set kept.system = '' -%}}",
            "{%- else -%}",
            f"{{{{- {_quoted(template.before)} ~ {content} ~ {_quoted(template.after + template.end)} -}}}}",
            "{%- endif -%}",
            "{%- endfor -%}",
        ]
        return "".join(parts)
    opening, between, after = turn_marks(template)
    if template.default_system:
        said = template.default_system.strip() if template.strip else template.default_system
        parts.append("{%- if not messages or messages[0].role != 'system' -%}")
        parts.append(_said(f"{opening}system{between}{said}{template.end}{after}") + "{%- endif -%}")
    parts += [
        "{%- for message in messages -%}",
        f"{{{{- {_quoted(opening)} ~ message.role ~ {_quoted(between)} ~ {content}"
        f" ~ {_quoted(template.end + after)} -}}}}",
        "{%- endfor -%}",
        f"{{%- if add_generation_prompt -%}}{_said(f'{opening}assistant{between}')}{{%- endif -%}}",
    ]
    return "".join(parts)


def turn_marks(template: ForeignTemplate) -> tuple[str, str, str]:
    """What stands before a role, between it and the content, and after the end of a turn; for ChatML and Llama 3."""
    if template.family == "chatml":
        return "<|im_start|>", "\n", "\n"
    return "<|start_header_id|>", "<|end_header_id|>\n\n", ""


def _quoted(text: str) -> str:
    # jinja reads the escapes of Python's strings, of which JSON's are a part but for halves of surrogate pairs
    return json.dumps(text, ensure_ascii=False)


def _said(text: str) -> str:
    return f"{{{{- {_quoted(text)} -}}}}"
