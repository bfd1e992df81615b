"""Settings of how sources are read."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fledge.run.settings import setting
from fledge.types import FledgeError


@dataclass(frozen=True)
class SourceSettings:
    """Limits and choices for reading what a user names. Sizes are in bytes, times in seconds."""

    text_column: str = setting("text", "column (or key) that holds the text in .jsonl, .json, .csv, .tsv and .parquet")
    max_document_bytes: int = setting(4_194_304, "a longer text file is read in parts cut at paragraphs, bytes")
    max_item_bytes: int = setting(67_108_864, "largest HTML page, PDF or row, bytes; larger ones are set aside")
    max_archive_ratio: float = setting(300.0, "unpacked bytes per packed byte, above which a file counts as a bomb")
    max_archive_bytes: int = setting(274_877_906_944, "most bytes that one compressed file or archive may unpack to")
    include_tables: bool = setting(True, "keep the tables of HTML pages")
    html_timeout_seconds: float = setting(10.0, "least time that an HTML page is given; 20 × the median if longer")
    pdf_timeout_seconds: float = setting(60.0, "least time that a PDF is given; 20 × the median if longer")
    extract_memory_bytes: int = setting(2_147_483_648, "memory of the process that reads HTML and PDF, bytes")
    user_agent: str = setting("fledge", "name told to web servers and looked up in robots.txt")
    url_delay_seconds: float = setting(1.0, "pause between two requests to one host", affects_result=False)
    url_max_delay_seconds: float = setting(30.0, "longest Crawl-delay and Retry-After obeyed", affects_result=False)
    url_read_timeout_seconds: float = setting(30.0, "longest silence of a web server", affects_result=False)
    url_total_timeout_seconds: float = setting(600.0, "longest download from a URL", affects_result=False)
    url_max_bytes: int = setting(1_073_741_824, "largest download from a URL, bytes")
    url_tries: int = setting(4, "requests before a URL counts as unreachable", affects_result=False)

    def __post_init__(self) -> None:
        if not self.text_column:
            raise FledgeError("text_column is empty", where="text_column", fix='name a column, such as "text"')
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in ("url_delay_seconds", "url_max_delay_seconds") else 1
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if value < least and not (least == 1 and isinstance(value, float) and value > 0):
                raise FledgeError(f"{field.name} must be at least {least}, got {value}", where=field.name)
        if not self.user_agent.isascii() or not self.user_agent.isprintable() or not self.user_agent:
            raise FledgeError("user_agent must be printable ASCII", where="user_agent")
