"""Many clients at once at a real server, some of them rude: nothing but the deserved 4xx, no leak, every stream whole.

    python benchmarks/soak.py [--seconds 300] [--clients 64] [--run RUN] [--seed 0] [--json FILE]

Starts ``fledge serve`` on the loopback, of a tiny model of random weights if no run is given. Each client asks again
and again: a stream or a whole answer, of texts or of chats; one of four leaves in the middle, one of eight sends
something malformed. A request that another one made before with the same seed must get the same text. Memory is the
resident set of the server, at a quarter of the time and at the end. Prints one JSON; ends with 1 where something
undeserved happened.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

NAME = "soak"
GREATEST_GROWTH = 1.10  # of the resident set from a quarter of the time to the end
DIFFERING = 0.01  # share of repeated answers that rounding in other batches may change
MALFORMED: tuple[tuple[str, bytes, int], ...] = (
    ("/v1/completions", b"{", 400),
    ("/v1/completions", b'{"model": "soak", "prompt": []}', 400),
    ("/v1/completions", b'{"model": "soak", "prompt": "\\ud800"}', 400),
    ("/v1/completions", b'{"model": "soak", "prompt": "a", "n": 1000}', 400),
    ("/v1/completions", b'{"model": "soak", "prompt": "' + b"word " * 20_000 + b'"}', 400),
    ("/v1/completions", b'{"model": "other", "prompt": "a"}', 404),
    ("/v1/chat/completions", b'{"model": "soak", "messages": [{"role": "robot", "content": "a"}]}', 400),
    ("/v1/chat/completions", b'{"model": "soak", "messages": [], "stream": true}', 400),
    ("/v1/chat/completions", b"[" * 100_000, 400),
    ("/v1/completions", b" " * 9_000_000, 413),
    ("/v1/nowhere", b"{}", 404),
)


@dataclass
class Tally:
    """What happened; ``faults`` are what should not have."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def fault(self, what: str) -> None:
        self.counts["faults"] += 1
        if len(self.faults) < 20:
            self.faults.append(what[:300])

    def text(self, body: dict[str, Any], text: str) -> None:
        """Two answers to one request must be the same."""
        key = json.dumps({name: value for name, value in body.items() if name != "stream"})
        if key in self.texts:
            self.counts["repeated"] += 1
            self.counts["differing"] += self.texts[key] != text
        self.texts[key] = text


class Client:
    """One of many. ``chance`` decides all that it does."""

    def __init__(self, url: str, tally: Tally, chance: random.Random) -> None:
        self.tally, self.chance = tally, chance
        self.http = httpx.AsyncClient(base_url=url, timeout=120, limits=httpx.Limits(max_connections=4))

    async def work(self, until: float) -> None:
        async with self.http:
            while time.monotonic() < until:
                draw = self.chance.random()
                ask = self.malformed if draw < 0.125 else self.left if draw < 0.375 else self.whole
                try:
                    await ask()
                except httpx.HTTPError as error:
                    self.tally.fault(f"{ask.__name__}: {type(error).__name__}: {error}")

    def drawn(self, **fields: Any) -> tuple[str, dict[str, Any]]:
        chance = self.chance
        body: dict[str, Any] = {"model": NAME, "max_tokens": chance.choice((1, 16, 64)), "seed": chance.randrange(4)}
        text = chance.choice(("the cat", "a dog sat on the mat " * 8, "é→"))
        if chance.random() < 0.5:
            return "/v1/completions", {**body, "prompt": text, "n": chance.choice((1, 1, 3)), **fields}
        return "/v1/chat/completions", {**body, "messages": [{"role": "user", "content": text}], **fields}

    async def whole(self) -> None:
        """A request to its end, as a stream or not."""
        path, body = self.drawn(stream=self.chance.random() < 0.7)
        n, finished, texts, done = body.get("n", 1), set[int](), Counter[int](), False
        parts: dict[int, str] = dict.fromkeys(range(n), "")
        if body["stream"]:
            async with self.http.stream("POST", path, json=body) as response:
                if not self._deserved(response.status_code, 200, path):
                    return
                async for line in response.aiter_lines():
                    if line == "data: [DONE]":
                        done = True
                    elif line:
                        for choice in json.loads(line.removeprefix("data: "))["choices"]:
                            parts[choice["index"]] += choice.get("text") or choice.get("delta", {}).get("content") or ""
                            texts[choice["index"]] += 1
                            if choice["finish_reason"] in ("stop", "length"):
                                finished.add(choice["index"])
            self.tally.counts["streams"] += 1
            if not done or finished != set(range(n)):
                self.tally.fault(f"{path}: a stream ended after {dict(texts)} chunks, done: {done}")
        else:
            response = await self.http.post(path, json=body)
            if not self._deserved(response.status_code, 200, path):
                return
            for choice in response.json()["choices"]:
                parts[choice["index"]] = choice["text"] if "text" in choice else choice["message"]["content"]
            self.tally.counts["whole"] += 1
        self.tally.text({**body, "path": path}, json.dumps(parts))

    async def left(self) -> None:
        """Leave in the middle, after some chunks or before any."""
        path, body = self.drawn(stream=True, max_tokens=400)
        n_read = self.chance.choice((0, 1, 5, 20))
        async with self.http.stream("POST", path, json=body) as response:
            if self._deserved(response.status_code, 200, path) and n_read:
                async for _ in response.aiter_lines():
                    n_read -= 1
                    if n_read <= 0:
                        break
        self.tally.counts["left"] += 1

    async def malformed(self) -> None:
        path, data, status = self.chance.choice(MALFORMED)
        response = await self.http.post(path, content=data, headers={"content-type": "application/json"})
        if self._deserved(response.status_code, status, f"{path} {data[:40]!r}") and "error" not in response.json():
            self.tally.fault(f"{path}: {response.text}")
        self.tally.counts["malformed"] += 1

    def _deserved(self, status: int, expected: int, what: str) -> bool:
        self.tally.counts[f"status {status}"] += 1
        if status != expected:
            self.tally.fault(f"{what}: {status}, not {expected}")
        return status == expected


def write_tiny_run(folder: Path) -> Path:
    """A run whose assistant is a small model of random weights."""
    import torch
    from safetensors.torch import save_file

    from fledge.model.config import ModelConfig
    from fledge.model.config_json import write_config
    from fledge.model.decoder import Decoder
    from fledge.run.files import write_json
    from fledge.run.manifest import Manifest, hash_outputs, write_manifest
    from fledge.tokens.tokenizer import Tokenizer

    run, now = folder / NAME, time.time()
    tokenizer = Tokenizer.train(["the cat sat on the mat and the dog ran to the door " * 20], 300)
    tokenizer.save(run / "tokenizer")
    (run / "recipe.toml").write_text("")
    torch.manual_seed(0)
    sizes = {"n_layers": 2, "d_model": 32, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "d_ff": 48}
    model = Decoder(ModelConfig(vocab_size=tokenizer.vocab_size, **sizes))
    weights = run / "sft" / "model"
    weights.mkdir(parents=True)
    tensors = {name: torch.randn_like(tensor) * 0.4 for name, tensor in model.state_dict().items()}
    save_file(tensors, weights / "model.safetensors")
    write_json(weights / "config.json", write_config(model.config, context_length=1_024))
    write_manifest(run / "sft", Manifest("sft", "", {}, hash_outputs(run / "sft"), {}, now, now, 0.0))
    return run


def resident(pid: int) -> float | None:
    """MiB; None where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return round(int(found[1]) / 1024, 1) if found else None


def started(run: Path) -> tuple[subprocess.Popen[str], str]:
    words = [sys.executable, "-m", "fledge.cli.main", "serve", str(run), "--name", NAME, "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.match(r"(http://\S+)/v1 answers", line):
            return process, found[1]
    raise SystemExit("the server did not start")


def grown(memory: Mapping[str, float | None]) -> bool:
    """Whether it is not flat: the first quarter is for warming up."""
    quarter, end = memory["quarter"], memory["end"]
    return bool(quarter and end and end > GREATEST_GROWTH * quarter)


async def soak(url: str, pid: int, clients: int, seconds: float, seed: int) -> dict[str, Any]:
    tally, began = Tally(), time.monotonic()
    workers = [Client(url, tally, random.Random(f"{seed} {i}")) for i in range(clients)]
    tasks = [asyncio.create_task(worker.work(began + seconds)) for worker in workers]
    memory: dict[str, float | None] = {"start": resident(pid)}
    for name, share in (("quarter", 0.25), ("half", 0.5), ("end", 1.0)):
        await asyncio.sleep(max(0.0, began + share * seconds - time.monotonic()))
        memory[name] = resident(pid)
    await asyncio.gather(*tasks)
    lasted = time.monotonic() - began
    async with httpx.AsyncClient(base_url=url) as http:
        for _ in range(100):
            page = (await http.get("/metrics")).text
            busy = [line for line in page.splitlines() if re.match(r"fledge_(running|waiting) (?!0\.0)", line)]
            if not busy:
                break
            await asyncio.sleep(0.1)
        else:
            tally.fault(f"still at work after all had ended: {busy}")
    if tally.counts["differing"] > DIFFERING * max(tally.counts["repeated"], 100):
        tally.fault(f"{tally.counts['differing']} of {tally.counts['repeated']} repeated answers differ")
    if grown(memory):
        tally.fault(f"memory grew from {memory['quarter']} to {memory['end']} MiB")
    tokens = re.search(r"^fledge_generated_tokens_total (\S+)", page, re.MULTILINE)
    return {
        "clients": clients,
        "whole_seconds": round(lasted, 1),
        "counts": dict(sorted(tally.counts.items())),
        "tokens": int(float(tokens[1])) if tokens else 0,
        "memory_MiB": memory,
        "faults": tally.faults,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--run", type=Path, help="what to serve, if not a tiny model of random weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        process, url = started(arguments.run or write_tiny_run(Path(temporary)))
        try:
            result = asyncio.run(soak(url, process.pid, arguments.clients, arguments.seconds, arguments.seed))
            process.send_signal(signal.SIGTERM)
            result["exit_status"] = process.wait(60)
        finally:
            process.kill()
    if result["exit_status"]:
        result["faults"].append(f"the server ended with {result['exit_status']}")
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    sys.exit(bool(result["faults"]))


if __name__ == "__main__":
    main()
