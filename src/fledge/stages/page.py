"""A report page as data: sections of text, tables, pictures and samples, rendered to Markdown and to HTML alike."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Code:
    """Text kept letter by letter."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under a header; cells are plain text, those from the second on are aligned right when numeric."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """An SVG drawing with the words that say what it shows; Markdown links to its file, see :func:`picture_file`."""

    name: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Tokens:
    """Generated text token by token: ``pieces`` are (text, probability), None where it is the prompt."""

    label: str
    pieces: tuple[tuple[str, float | None], ...]


Block = Text | Code | Table | Picture | Tokens


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


def picture_file(picture: Picture, stem: str) -> str:
    """The file name beside ``<stem>.md`` under which ``picture`` is kept."""
    return f"{stem}-{picture.name}.svg"


def to_markdown(title: str, lead: str, sections: Sequence[Section], stem: str = "report") -> str:
    """The page as GitHub-flavoured Markdown, to be kept as ``<stem>.md``."""
    parts = [f"# {_line(title)}", _line(lead)]
    for section in sections:
        parts.append(f"## {_line(section.title)}")
        parts.extend(_markdown_block(block, stem) for block in section.blocks)
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _cell(text: str) -> str:
    return _line(text).replace("\\", "\\\\").replace("|", "\\|")


def _markdown_block(block: Block, stem: str) -> str:
    match block:
        case Text(text):
            return text
        case Code(text):
            return _fenced(text)
        case Table(header, rows):
            marks = ["---"] + ["---:" if _is_numeric(rows, i) else "---" for i in range(1, len(header))]
            lines = [header, tuple(marks), *rows]
            return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
        case Picture(_, _, caption):
            return f"![{_line(caption)}]({picture_file(block, stem)})"
        case Tokens(label, pieces):
            return f"**{_line(label)}**\n\n" + _fenced("".join(piece for piece, _ in pieces))


def _is_numeric(rows: Sequence[Sequence[str]], column: int) -> bool:
    cells = [row[column] for row in rows if row[column] not in ("", "–")]
    return bool(cells) and all(cell[:1].isdigit() or cell[:1] in "-−+±" for cell in cells)


_STYLE = """
:root{--ink:#1d2733;--soft:#5d6b7a;--line:#dfe5ec;--paper:#fff;--wash:#f5f7fa;--accent:#2563a8}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b5;--line:#2c3641;--paper:#14191f;--wash:#1c232b;--accent:#7fb2e8}
figure img{background:#fff;border-radius:6px}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.9rem;margin:.2em 0}h2{margin-top:2.4em;font-size:1.25rem;border-bottom:1px solid var(--line);
padding-bottom:.25em}
.lead,figcaption{color:var(--soft)}
table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto;font-variant-numeric:tabular-nums}
th,td{padding:.35em .8em;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:600}
td.n,th.n{text-align:right}
pre{background:var(--wash);padding:.9em 1em;border-radius:6px;overflow-x:auto;white-space:pre-wrap;font-size:.88rem}
figure{margin:1.2em 0}figure img{width:100%;height:auto}
.sample{background:var(--wash);padding:.9em 1em;border-radius:6px;margin:1em 0;white-space:pre-wrap;
overflow-wrap:anywhere}
.sample b{display:block;color:var(--soft);font-weight:600;font-size:.85rem}
.sample span{border-bottom:3px solid}
.given{color:var(--soft);border:0!important}
"""


def to_html(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The page as one self-contained HTML file: no scripts, no requests."""
    body = [f"<h1>{html.escape(title)}</h1>", f'<p class="lead">{html.escape(lead)}</p>']
    for section in sections:
        body.append(f"<h2>{html.escape(section.title)}</h2>")
        body.extend(_html_block(block) for block in section.blocks)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _html_block(block: Block) -> str:
    match block:
        case Text(text):
            return f"<p>{html.escape(text)}</p>"
        case Code(text):
            return f"<pre>{html.escape(text)}</pre>"
        case Table(header, rows):
            classes = ["", *(' class="n"' if _is_numeric(rows, i) else "" for i in range(1, len(header)))]
            head = "".join(f"<th{c}>{html.escape(cell)}</th>" for c, cell in zip(classes, header, strict=True))
            lines = (
                "".join(f"<td{c}>{html.escape(cell)}</td>" for c, cell in zip(classes, row, strict=True))
                for row in rows
            )
            return f"<table><tr>{head}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
        case Picture(_, svg, caption):
            # As an image, not inline: two drawings may use the same ids inside, and an image can run no script.
            data = base64.b64encode(svg.encode()).decode()
            return (
                f'<figure><img alt="{html.escape(caption)}" src="data:image/svg+xml;base64,{data}">'
                f"<figcaption>{html.escape(caption)}</figcaption></figure>"
            )
        case Tokens(label, pieces):
            spans = "".join(_token(text, probability) for text, probability in pieces)
            return f'<div class="sample"><b>{html.escape(label)}</b>{spans}</div>'


def _token(text: str, probability: float | None) -> str:
    if probability is None:
        return f'<span class="given">{html.escape(text)}</span>'
    hue = round(120 * min(max(probability, 0.0), 1.0))
    title = f"{100 * probability:.1f} %"
    return f'<span title="{title}" style="border-color:hsl({hue} 60% 50% / .8)">{html.escape(text)}</span>'
