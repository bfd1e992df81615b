"""Ollama's ``Modelfile``: where the weights lie, how a conversation is written, what ends a reply."""

from __future__ import annotations

from fledge.infer.load import Kind
from fledge.tokens.jinja import turn_marks
from fledge.tokens.templates import ForeignTemplate
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError


def modelfile(tokenizer: Tokenizer, kind: Kind, weights: str) -> str:
    """The text of the file. Ollama puts bos before a prompt by itself, as the weights' own file says.

    Ollama reads special tokens in what a user writes, and its templates cannot refuse them: the file says so. It
    cannot take the blanks around contents away either, as some families do.
    """
    template = tokenizer.template
    foreign = template if isinstance(template, ForeignTemplate) else None
    lines = [f"FROM ./{weights}"]
    if kind == "base":
        lines.append('TEMPLATE """{{ .Prompt }}"""')
    else:
        lines.insert(
            0, "# Ollama reads the marks of turns in a user's text as well: take them out before it gets there."
        )
        if foreign and foreign.system == "none":
            lines.append("# The model has no place for a system text: it is left out.")
        lines.append(f'TEMPLATE """{_template(tokenizer, foreign)}"""')
        if foreign and foreign.default_system:
            if '"""' in foreign.default_system:
                raise FledgeError("the model's system text holds three quotes, which no Modelfile can", fix="use hf")
            lines.append(f'SYSTEM """{foreign.default_system}"""')
    roles = tokenizer.vocabulary.roles
    for role in ("end", "eos") if kind == "chat" else ("eos",):
        if role in roles:
            lines.append(f'PARAMETER stop "{roles[role]}"')
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _template(tokenizer: Tokenizer, template: ForeignTemplate | None) -> str:
    """Go's text/template, with no blank in it that is not written: its trimming marks would eat line ends of turns."""
    if template is None:
        return "{{ range .Messages }}<|{{ .Role }}|>{{ .Content }}<|end|>{{ end }}<|assistant|>"
    if template.family != "inst":
        opening, between, after = turn_marks(template)
        turn = f"{opening}{{{{ .Role }}}}{between}{{{{ .Content }}}}{template.end}{after}"
        return f"{{{{ range .Messages }}}}{turn}{{{{ end }}}}{opening}assistant{between}"
    bos = tokenizer.vocabulary.roles["bos"] if template.bos_each else ""
    again = f"{{{{ if $later }}}}{bos}{{{{ end }}}}{{{{ $later = true }}}}" if bos else ""
    system = "{{ if $system }}<<SYS>>\n{{ $system }}\n<</SYS>>\n\n{{ end }}" if template.system == "inside" else ""
    return (
        '{{ $system := "" }}{{ $later := false }}{{ range .Messages }}'
        '{{ if eq .Role "system" }}{{ $system = .Content }}'
        f'{{{{ else if eq .Role "user" }}}}{again}[INST] {system}{{{{ $system = "" }}}}{{{{ .Content }}}} [/INST]'
        f"{{{{ else }}}}{template.before}{{{{ .Content }}}}{template.after}{template.end}{{{{ end }}}}{{{{ end }}}}"
    )
