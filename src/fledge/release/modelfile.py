"""Ollama's ``Modelfile``: where the weights lie, how a conversation is written, what ends a reply."""

from __future__ import annotations

from fledge.infer.load import Kind
from fledge.tokens.templates import ForeignTemplate
from fledge.tokens.tokenizer import Tokenizer

_TURNS = {
    "fledge": ("<|{role}|>", "<|end|>", "<|assistant|>"),
    "chatml": ("<|im_start|>{role}\n", "<|im_end|>\n", "<|im_start|>assistant\n"),
    "llama3": (
        "<|start_header_id|>{role}<|end_header_id|>\n\n",
        "<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
}


def modelfile(tokenizer: Tokenizer, kind: Kind, weights: str) -> str:
    """The text of the file. Ollama puts bos before a prompt by itself, as the weights' own file says.

    Ollama reads special tokens in what a user writes, and its templates cannot refuse them: the file says so.
    """
    lines = [f"FROM ./{weights}"]
    template = tokenizer.template
    family = template.family if isinstance(template, ForeignTemplate) else "fledge"
    if kind == "base":
        lines.append('TEMPLATE """{{ .Prompt }}"""')
    elif family == "inst":
        body = '{{- if eq .Role "user" }}[INST] {{ .Content }} [/INST]{{ else }} {{ .Content }}</s>{{ end }}'
        lines.append(f'TEMPLATE """{{{{- range .Messages }}}}{body}{{{{- end }}}}"""')
    else:
        opening, end, reply = _TURNS[family]
        header = opening.replace("{role}", "{{ .Role }}")
        lines.append(f'TEMPLATE """{{{{- range .Messages }}}}{header}{{{{ .Content }}}}{end}{{{{- end }}}}{reply}"""')
        lines.insert(
            0, "# Ollama reads the marks of turns in a user's text as well: take them out before it gets there."
        )
    roles = tokenizer.vocabulary.roles
    for role in ("end", "eos") if kind == "chat" else ("eos",):
        if role in roles:
            lines.append(f'PARAMETER stop "{roles[role]}"')
    return "\n".join(dict.fromkeys(lines)) + "\n"
