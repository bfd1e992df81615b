"""URLs, politely: robots.txt obeyed, one request at a time, pauses between them, only what was named."""

from __future__ import annotations

import email.utils
import hashlib
import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from fledge.run.files import atomic_file, read_json, sha256, write_json
from fledge.text.sources.addresses import Refused, Resolver, resolve
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.request import Response, TooLarge, TooSlow, open_url, parse_url

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
ROBOTS_BYTES = 512 * 1024  # what RFC 9309 asks a crawler to read at least
RETRIED = (429, 500, 502, 503, 504)


class FetchFailed(Exception):
    """A URL that was not fetched: ``rule`` for the funnel, and the reason."""

    def __init__(self, rule: str, reason: str) -> None:
        # a server's words may hold what a terminal obeys
        reason = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in reason)
        self.rule, self.reason = rule, reason
        super().__init__(reason)


class _Retry(Exception):
    """An answer, or none, that another try may better; ``after`` seconds at the earliest."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        self.reason, self.after = reason, after
        super().__init__(reason)


@dataclass(frozen=True)
class Fetched:
    """A downloaded URL: the file, where redirects led, and what the server said of it."""

    path: Path
    url: str
    content_type: str
    charset: str
    n_bytes: int
    sha256: str


class Web:
    """Fetches URLs one after another into ``cache``; one that is there already is not asked for again.

    ``resolver`` and ``allow`` (addresses to accept although they are not public) exist for tests, as do ``sleep``
    and ``clock`` (seconds). Proxies from the environment are not used: the address that was checked is connected to.
    """

    def __init__(
        self,
        settings: SourceSettings,
        cache: Path,
        *,
        resolver: Resolver = resolve,
        allow: Callable[[str], bool] = lambda address: False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._cache = settings, cache / "url"
        self._resolver, self._allow, self._sleep, self._clock = resolver, allow, sleep, clock
        self._robots: dict[str, RobotFileParser] = {}
        self._free_at: dict[str, float] = {}

    def fetch(self, url: str) -> Fetched:
        """Download ``url`` with tries, redirects and robots.txt; raises FetchFailed."""
        key = hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:32]
        body, note = self._cache / f"{key}.body", self._cache / f"{key}.json"
        if note.exists() and body.exists():
            kept = read_json(note)
            return _fetched(body, kept["final_url"], kept["content_type"], kept["charset"])
        final_url, content_type, charset = self._with_tries(url, lambda: self._follow(url, body))
        kept = {"url": url, "final_url": final_url, "content_type": content_type, "charset": charset}
        write_json(note, {**kept, "n_bytes": body.stat().st_size})
        return _fetched(body, final_url, content_type, charset)

    def _with_tries(self, url: str, attempt: Callable[[], tuple[str, str, str]]) -> tuple[str, str, str]:
        most = self._settings.url_max_delay_seconds
        for number in range(1, self._settings.url_tries + 1):
            try:
                return attempt()
            except _Retry as error:
                if number == self._settings.url_tries:
                    raise FetchFailed("unreachable", f"{url}: {error.reason} ({number} tries)") from error
                self._sleep(min(most, max(error.after, 2.0 ** (number - 1))))
            except Refused as error:
                raise FetchFailed("refused-address", f"{url}: {error}") from error
            except (ValueError, OverflowError) as error:  # of addresses and numbers that a server made up
                raise FetchFailed("invalid-answer", f"{url}: the server's answer is not valid ({error})") from error
        raise AssertionError("the loop returns or raises")

    def _follow(self, url: str, body: Path) -> tuple[str, str, str]:
        """Final URL, content type and charset; every hop is checked like the first."""
        for _ in range(MAX_REDIRECTS + 1):
            if not self._robots_of(url).can_fetch(self._settings.user_agent, url):
                raise FetchFailed("robots", f"{url}: robots.txt does not allow it")
            with self._ask(url, self._settings.url_max_bytes) as response:
                if response.status not in REDIRECTS:
                    return self._keep(url, response, body)
                location = response.headers.get("location", "")
            if not location:
                raise FetchFailed("http-status", f"{url}: redirected to nowhere")
            url = urljoin(url, location)
        raise FetchFailed("redirects", f"{url}: more than {MAX_REDIRECTS} redirects")

    def _keep(self, url: str, response: Response, body: Path) -> tuple[str, str, str]:
        if response.status in RETRIED:
            raise _Retry(f"the server answered {response.status}", _retry_after(response.headers))
        if response.status != 200:
            raise FetchFailed("http-status", f"{url}: the server answered {response.status}")
        with atomic_file(body) as temporary, open(temporary, "wb") as file:
            for data in response.body():
                file.write(data)
        message = Message()
        message["Content-Type"] = response.headers.get("content-type", "")
        declared = message.get_content_type() if response.headers.get("content-type") else ""
        return url, declared, message.get_content_charset() or ""

    @contextmanager
    def _ask(self, url: str, max_bytes: int) -> Iterator[Response]:
        """One polite request: the host's pause is waited for, and begins anew when the answer is in."""
        origin = _origin(url)
        robots = self._robots.get(origin)
        asked = robots.crawl_delay(self._settings.user_agent) if robots else None
        delay = max(self._settings.url_delay_seconds, min(int(asked or 0), self._settings.url_max_delay_seconds))
        host = parse_url(url).hostname or ""
        wait = self._free_at.get(host, 0.0) - self._clock()
        if wait > 0:
            self._sleep(wait)
        try:
            with open_url(url, self._settings, self._resolver, self._allow, max_bytes=max_bytes) as response:
                yield response
        except TooLarge as error:
            raise FetchFailed("too-large", f"{url}: over {max_bytes} bytes (setting url_max_bytes)") from error
        except TooSlow as error:
            seconds = self._settings.url_total_timeout_seconds
            reason = f"{url}: took over {seconds:g} s (setting url_total_timeout_seconds)"
            raise FetchFailed("too-slow", reason) from error
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            raise _Retry(f"{type(error).__name__}: {error}") from error
        except OSError as error:
            if error.filename is not None:  # the disk's trouble, not the network's
                raise
            raise _Retry(f"{type(error).__name__}: {error}") from error
        finally:
            self._free_at[host] = self._clock() + delay

    def _robots_of(self, url: str) -> RobotFileParser:
        """What robots.txt of the URL's origin says (RFC 9309: none there allows all, one out of reach nothing)."""
        origin = _origin(url)
        if origin not in self._robots:
            rules = RobotFileParser()
            rules.parse(filter(_is_readable_rule, self._robots_lines(f"{origin}/robots.txt")))
            self._robots[origin] = rules
        return self._robots[origin]

    def _robots_lines(self, url: str) -> list[str]:
        for _ in range(MAX_REDIRECTS + 1):
            data = b""
            with self._ask(url, ROBOTS_BYTES * 64) as response:
                if response.status in REDIRECTS and response.headers.get("location"):
                    url = urljoin(url, response.headers["location"])
                    continue
                if response.status in RETRIED or response.status >= 500:
                    reason = f"robots.txt could not be read: the server answered {response.status}"
                    raise _Retry(reason, _retry_after(response.headers))
                if response.status != 200:
                    return []
                for piece in response.body():
                    data += piece
                    if len(data) > ROBOTS_BYTES:
                        break
            return data[:ROBOTS_BYTES].decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
        return []


def _fetched(body: Path, final_url: str, content_type: str, charset: str) -> Fetched:
    return Fetched(body, final_url, content_type, charset, body.stat().st_size, sha256(body))


def _origin(url: str) -> str:
    parse_url(url)
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _is_readable_rule(line: str) -> bool:
    """False for pauses in digits like "²", on which the standard library's parser fails."""
    name = line.partition(":")[0].strip().lower()
    return name not in ("crawl-delay", "request-rate") or line.isascii()


def _retry_after(headers: dict[str, str]) -> float:
    """Seconds that the server asks to wait: a number, or a date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0
