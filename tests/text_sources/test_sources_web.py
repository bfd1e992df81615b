"""URLs against a server on loopback: polite, bounded, and never where it should not go."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fledge.run.events import EventLog
from fledge.text.config import TextConfig
from fledge.text.pipeline import run_text
from fledge.text.sources.addresses import is_public
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.read import read_unit
from fledge.text.sources.units import list_units
from fledge.text.sources.web import FetchFailed, Web
from fledge.types import FledgeError, Reject

PAGE = b"<html><body><p>A page.</p></body></html>"
HTML, PLAIN = {"Content-Type": "text/html; charset=iso-8859-1"}, {"Content-Type": "text/plain"}


class Site:
    """A server on loopback: ``pages[path]`` is (status, headers, body) or a function of the handler."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, dict[str, str], bytes] | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, str]] = []
        self.agents: set[str] = set()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.headers["Host"], self.path))
                site.agents.add(self.headers["User-Agent"])
                page = site.pages.get(self.path, (404, {}, b""))
                try:
                    if callable(page):
                        page(self)
                        return
                    status, headers, body = page
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(body)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.port = self.server.server_address[1]

    def url(self, path: str, host: str = "site.example") -> str:
        return f"http://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        return [path for _, path in self.asked if path != "/robots.txt"]


class Clock:
    """Time that passes only when one sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


@pytest.fixture
def site():
    found = Site()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def browse(tmp_path):
    def make(site_allowed=True, resolver=None, **settings):
        clock = Clock()
        chosen = SourceSettings(**settings)
        web = Web(
            chosen,
            tmp_path / "cache",
            resolver=resolver or (lambda host, port: ["127.0.0.1"]),
            allow=(lambda address: address == "127.0.0.1") if site_allowed else (lambda address: False),
            sleep=clock.sleep,
            clock=lambda: clock.now,
        )
        web.test_clock = clock
        return web

    return make


def refused(web, url):
    with pytest.raises(FetchFailed) as caught:
        web.fetch(url)
    assert caught.value.reason.startswith("http") or "file:" in caught.value.reason
    return caught.value.rule


def test_a_page_a_text_and_a_packed_file(site, browse, kit, tmp_path):
    site.pages["/page"] = (200, HTML, PAGE)
    site.pages["/notes.md"] = (200, PLAIN, b"# Notes")
    site.pages["/rows.jsonl.gz"] = (200, {"Content-Type": "application/gzip"}, gzip.compress(b'{"text": "row"}\n'))
    site.pages["/squeezed"] = (200, {**PLAIN, "Content-Encoding": "gzip"}, gzip.compress(b"was squeezed"))
    site.pages["/strange"] = (200, {"Content-Type": "image/png"}, b"\x89PNG")
    urls = [site.url(path) for path in ("/page", "/notes.md", "/rows.jsonl.gz", "/squeezed", "/strange")]
    settings = SourceSettings()
    units = list_units(urls, settings, cache=tmp_path, web=browse())
    assert [(u.format, u.codec) for u in units] == [("html", ""), ("txt", ""), ("jsonl", "gz"), ("txt", ""), ("", "")]
    found = [item for unit in units for item in read_unit(unit, settings)]
    assert [getattr(item, "text", "") or getattr(item, "html", b"") for item in found[:4]] == [
        PAGE,
        "# Notes",
        "row",
        "was squeezed",
    ]
    assert found[0].url == urls[0] and found[0].encoding == "iso-8859-1" and found[0].id == urls[0]
    assert found[4].rule == "unknown-format" and site.agents == {"fledge"}


def test_what_was_downloaded_is_not_asked_for_again(site, browse, tmp_path):
    site.pages["/a.txt"] = (200, PLAIN, b"first")
    before = browse().fetch(site.url("/a.txt"))
    site.pages["/a.txt"] = (200, PLAIN, b"second")
    asked = len(site.asked)
    again = browse().fetch(site.url("/a.txt"))
    assert again == before and again.path.read_bytes() == b"first" and len(site.asked) == asked
    assert before.sha256 == hashlib.sha256(b"first").hexdigest()


def test_the_stage_records_what_it_downloaded(site, browse, tmp_path, monkeypatch):
    body = b"Words of a page that is long enough to be kept. " * 9
    site.pages["/a.txt"] = (200, PLAIN, body)
    site.pages["/old"] = (301, {"Location": "/a.txt"}, b"")
    (tmp_path / "local.txt").write_bytes(b"Other words, which lie on the disk. " * 9)
    monkeypatch.setattr("fledge.text.sources.units.Web", lambda settings, cache: browse())
    sources = (site.url("/old"), site.url("/gone"), str(tmp_path / "local.txt"))
    config = TextConfig(sources=sources, filters=(), workers=1)
    with EventLog(tmp_path / "out" / "events.jsonl") as events:
        summary = run_text(config, tmp_path / "out", events)
    digest = hashlib.sha256(body).hexdigest()
    expected = {"sha256": digest, "bytes": len(body), "url": site.url("/a.txt")}
    assert summary["downloads"] == {site.url("/old"): expected}


def test_robots_are_obeyed(site, browse):
    site.pages["/robots.txt"] = (200, PLAIN, b"User-agent: *\nDisallow: /private\n\nUser-agent: other\nDisallow: /\n")
    site.pages["/private/a.txt"] = site.pages["/open.txt"] = (200, PLAIN, b"words")
    site.pages["/hop.txt"] = (302, {"Location": "/private/a.txt"}, b"")
    web = browse()
    assert web.fetch(site.url("/open.txt")).n_bytes == 5
    assert refused(web, site.url("/private/a.txt")) == "robots"
    assert refused(web, site.url("/hop.txt")) == "robots"
    assert site.paths() == ["/open.txt", "/hop.txt"]
    assert [path for _, path in site.asked].count("/robots.txt") == 1


def test_robots_out_of_reach_forbids_and_none_allows(site, browse):
    site.pages["/a.txt"] = (200, PLAIN, b"words")
    assert browse().fetch(site.url("/a.txt")).n_bytes == 5
    site.pages["/robots.txt"] = (503, {}, b"")
    assert refused(browse(), site.url("/b.txt")) == "unreachable"
    assert site.paths() == ["/a.txt"]


def test_requests_to_one_host_keep_their_distance(site, browse):
    for name in "abc":
        site.pages[f"/{name}.txt"] = (200, PLAIN, b"words")
    web = browse(url_delay_seconds=2.0)
    for name in "abc":
        web.fetch(site.url(f"/{name}.txt"))
    assert web.test_clock.slept == [2.0] * 3  # after robots.txt, a and b
    site.pages["/robots.txt"] = (200, PLAIN, b"User-agent: *\nCrawl-delay: 7\n")
    web = browse()
    web.fetch(site.url("/a.txt", "slow.example"))
    web.fetch(site.url("/b.txt", "slow.example"))
    assert web.test_clock.slept == [1.0, 7.0]
    site.pages["/robots.txt"] = (200, PLAIN, b"User-agent: *\nCrawl-delay: 86400\n")
    web = browse(url_max_delay_seconds=30.0)
    web.fetch(site.url("/a.txt", "never.example"))
    web.fetch(site.url("/b.txt", "never.example"))
    assert web.test_clock.slept == [1.0, 30.0]


def test_redirects_are_followed_and_counted(site, browse):
    site.pages["/end.txt"] = (200, PLAIN, b"words")
    for n in range(10):
        site.pages[f"/{n}"] = (301, {"Location": f"/{n - 1}" if n else "/end.txt"}, b"")
    fetched = browse().fetch(site.url("/4"))
    assert fetched.url == site.url("/end.txt")
    assert refused(browse(), site.url("/5")) == "redirects"


@pytest.mark.parametrize(
    "target", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00::1", "224.0.0.1", "0.0.0.0"]
)
def test_private_addresses_are_never_connected_to(site, browse, target):
    web = browse(site_allowed=False, resolver=lambda host, port: [target])
    assert refused(web, site.url("/a.txt")) == "refused-address"
    assert site.asked == []


def test_a_redirect_into_the_private_net_is_refused(site, browse):
    site.pages["/out"] = (302, {"Location": "http://inside.example/secret.txt"}, b"")
    addresses = {"site.example": ["127.0.0.1"], "inside.example": ["93.184.216.34", "10.0.0.7"]}
    web = browse(resolver=lambda host, port: addresses[host])
    assert refused(web, site.url("/out")) == "refused-address"
    site.pages["/file"] = (302, {"Location": "file:///etc/passwd"}, b"")
    assert refused(browse(), site.url("/file")) == "refused-address"


def test_the_checked_address_is_the_one_connected_to(site, browse):
    """A name that resolves to another address at a second look-up gains nothing: there is none for the same request."""
    site.pages["/a.txt"] = (200, PLAIN, b"words")
    looked_up = []

    def resolver(host, port):
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) <= 2 else ["10.0.0.7"]

    assert browse(resolver=resolver).fetch(site.url("/a.txt")).n_bytes == 5
    assert looked_up == ["site.example"] * 2  # robots.txt and the text, once each


def test_public_addresses():
    assert is_public("93.184.216.34") and is_public("2606:2800:220:1::1")
    inside = [
        "127.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a00:1",
        "fe80::1%eth0",
        "192.0.0.192",
        "192.88.99.1",
        "::ffff:192.0.0.192",
        "fec0::1",
    ]
    assert not any(map(is_public, [*inside, "255.255.255.255", "::", "not an address"]))


@pytest.mark.parametrize("url", ["http://user:secret@site.example/", "http:///a", "http://[bad/", "http://a..b/"])
def test_urls_that_are_none(browse, url):
    assert refused(browse(), url) == "refused-address"


def endless(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "text/plain")
    handler.end_headers()
    while True:
        handler.wfile.write(b"more and more " * 1000)


def test_a_body_without_end_and_one_declared_too_large(site, browse, tmp_path):
    site.pages["/endless.txt"] = endless
    site.pages["/large.txt"] = (200, {"Content-Length": "99999999999"}, b"")
    site.pages["/bomb.txt"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(30_000_000)))
    web = browse(url_max_bytes=100_000)
    for path in ("/endless.txt", "/large.txt", "/bomb.txt"):
        assert refused(web, site.url(path)) == "too-large"
    assert list((tmp_path / "cache" / "url").glob("*")) == []


def test_a_dripping_body_and_a_silent_server_are_cut_off(site, browse):
    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(400):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    site.pages["/drip.txt"] = drip
    site.pages["/silent.txt"] = lambda handler: time.sleep(20)
    began = time.monotonic()
    assert refused(browse(url_total_timeout_seconds=0.4), site.url("/drip.txt")) == "too-slow"
    assert refused(browse(url_read_timeout_seconds=0.3, url_tries=2), site.url("/silent.txt")) == "unreachable"
    assert time.monotonic() - began < 10


def test_retries_with_growing_pauses_and_retry_after(site, browse):
    answers = [(503, {}, b""), (429, {"Retry-After": "9"}, b""), (500, {}, b""), (200, PLAIN, b"at last")]

    def flaky(handler):
        status, headers, body = answers.pop(0)
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    site.pages["/a.txt"] = flaky
    web = browse(url_delay_seconds=0)
    assert web.fetch(site.url("/a.txt")).n_bytes == 7
    assert web.test_clock.slept == [1.0, 9.0, 4.0]
    site.pages["/down.txt"] = (503, {"Retry-After": "86400"}, b"")
    web = browse(url_delay_seconds=0, url_tries=3, url_max_delay_seconds=5)
    assert refused(web, site.url("/down.txt")) == "unreachable"
    assert web.test_clock.slept == [5.0, 5.0]
    assert refused(browse(), site.url("/gone.txt")) == "http-status"
    assert site.paths().count("/gone.txt") == 1


def test_a_body_that_stops_short_is_not_kept(site, browse, tmp_path):
    site.pages["/a.txt"] = (200, {"Content-Length": "100"}, b"only this")
    assert refused(browse(url_tries=2), site.url("/a.txt")) == "unreachable"
    assert list((tmp_path / "cache" / "url").glob("*")) == []


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"Location": "http://[::1"}, "invalid-answer"),
        ({"Content-Length": "9" * 5000}, "invalid-answer"),
        ({"Content-Encoding": "\x1b[31mred"}, "unreachable"),
    ],
)
def test_what_a_server_makes_up_is_set_aside_and_printable(site, browse, headers, rule):
    def page(handler):
        handler.send_response(302 if "Location" in headers else 200)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if "Content-Length" not in headers:
            handler.wfile.write(b"words")

    site.pages["/a.txt"] = page
    with pytest.raises(FetchFailed) as caught:
        browse(url_tries=2).fetch(site.url("/a.txt"))
    assert caught.value.rule == rule and caught.value.reason.isprintable()


def test_numbers_that_are_none_are_passed_over(site, browse):
    site.pages["/a.txt"] = (200, {"Content-Length": "\u00b2"}, b"words")
    assert browse().fetch(site.url("/a.txt", "other.example")).n_bytes == 5
    rules = "User-agent: *\nCrawl-delay: \u00b2\nRequest-rate: \u00b2/1\nDisallow: /private\n"
    site.pages["/robots.txt"] = (200, PLAIN, rules.encode())
    for number, value in enumerate(("\u00b2", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT")):
        site.pages[f"/{number}.txt"] = (503, {"Retry-After": value}, b"")
        assert refused(browse(url_tries=2), site.url(f"/{number}.txt")) == "unreachable"
    assert refused(browse(), site.url("/private/a.txt")) == "robots"
    site.pages["/robots.txt"] = (200, PLAIN, b"User-agent: *\nCrawl-delay: " + b"9" * 400 + b"\n")
    web = browse(url_tries=1, url_max_delay_seconds=30.0)
    assert refused(web, site.url("/0.txt", "slow.example")) == "unreachable"
    assert refused(web, site.url("/1.txt", "slow.example")) == "unreachable"
    assert web.test_clock.slept == [1.0, 30.0]


def test_one_of_many_is_set_aside_and_the_only_one_is_an_error(site, browse, tmp_path):
    site.pages["/a.txt"] = (200, PLAIN, b"words")

    def resolver(host, port):
        if host == "nowhere.example":
            raise OSError("Name or service not known")
        return ["127.0.0.1"]

    gone = "http://nowhere.example/b.txt"
    units = list_units([site.url("/a.txt"), gone], SourceSettings(), cache=tmp_path, web=browse(resolver=resolver))
    (reject,) = read_unit(units[1], SourceSettings())
    assert isinstance(reject, Reject) and reject.rule == "unreachable" and "Name or service not known" in reject.reason
    with pytest.raises(FledgeError) as caught:
        list_units([gone], SourceSettings(), cache=tmp_path, web=browse(resolver=resolver))
    assert str(caught.value).startswith(f"{gone}: ") and "Name or service not known" in str(caught.value)
