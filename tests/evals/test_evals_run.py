from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fledge.evals import stage as stage_module
from fledge.evals.ask import Unanswerable, ask, continuation_ids
from fledge.evals.baseline import fit_baseline
from fledge.evals.config import EvalConfig
from fledge.evals.run import evaluate_tasks
from fledge.evals.stage import run_eval
from fledge.evals.statistics import share_and_stderr
from fledge.infer.engine import Engine
from fledge.model.decoder import Decoder
from fledge.run.events import EventLog, read_events
from fledge.run.files import read_json
from fledge.text.shards import write_documents
from fledge.tokens.shards import write_shards
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Answer, Conversation, Document, Example, FledgeError, Message, Request, Score, Split


def random_copy(engine: Engine) -> Decoder:
    model = copy.deepcopy(engine.model)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    return model


CHAT = Conversation((Message("user", "the cat?"),))


@dataclass
class Quiz:
    """Scores by the example's own plan, whatever the model says."""

    plan: list[float | None]
    name: str = "quiz"
    chance: float = 0.25
    valid: bool = True
    seen: bool = False

    def examples(self, split: Split) -> Iterator[Example]:
        for i, value in enumerate(self.plan):
            yield Example(f"{split}-{i}", CHAT, "gold", meta={"plan": value, "kind": f"k{i % 2}"})

    def requests(self, example: Example) -> Sequence[Request]:
        return [Request("generate", example.prompt, max_tokens=3), Request("loglikelihood", "the", " cat")]

    def score(self, example: Example, answers: Sequence[Answer]) -> Score:
        assert len(answers) == 2
        assert answers[1].logprob < 0 < answers[0].n_tokens
        value = example.meta["plan"]
        return Score(value, "unverified" if value is None else "right" if value else "wrong")

    def validate(self) -> None:
        if not self.valid:
            raise FledgeError("the gold answer scores 0", where=self.name)


def test_means_groups_exclusions_and_outcomes(engine: Engine, tokenizer: Tokenizer) -> None:
    rows: list[dict] = []
    task = Quiz([1.0, 0.0, None, 1.0, 1.0, 1.0])
    result = evaluate_tasks(engine, tokenizer, [task], on_example=lambda name, row: rows.append(row))[0]
    assert (result.mean, result.n, result.excluded, result.chance) == (0.8, 5, 1, 0.25)
    assert result.stderr == share_and_stderr(4, 5)[1]
    assert {name: (group.mean, group.n) for name, group in result.groups.items()} == {
        "k0": (1.0, 2),
        "k1": (pytest.approx(2 / 3), 3),
    }
    assert result.outcomes == {"right": 4, "unverified": 1, "wrong": 1}
    assert result.reasons == {"unverified": 1}
    assert [row["id"] for row in rows] == [f"heldout-{i}" for i in range(6)]
    assert rows[0]["prompt"] == [{"role": "user", "content": "the cat?"}]
    assert rows[2]["score"] is None
    assert evaluate_tasks(engine, tokenizer, [task], n=2)[0].mean == 0.5
    json.dumps(result.to_dict())


def test_a_result_says_whether_tuning_saw_the_questions(engine: Engine, tokenizer: Tokenizer) -> None:
    results = evaluate_tasks(engine, tokenizer, [Quiz([1.0]), Quiz([1.0], name="asked", seen=True)])
    assert [result.to_dict()["seen"] for result in results] == [False, True]


def test_a_task_without_any_score(engine: Engine, tokenizer: Tokenizer) -> None:
    result = evaluate_tasks(engine, tokenizer, [Quiz([None, None])])[0]
    assert (result.mean, result.stderr, result.n, result.excluded) == (None, None, 0, 2)


def test_gold_is_validated_before_anything_is_asked(engine: Engine, tokenizer: Tokenizer) -> None:
    asked: list[str] = []
    tasks = [Quiz([1.0]), Quiz([1.0], name="broken", valid=False)]
    with pytest.raises(FledgeError, match="broken: the gold answer scores 0"):
        evaluate_tasks(engine, tokenizer, tasks, on_example=lambda name, row: asked.append(name))
    assert not asked


def test_loglikelihood_is_the_sum_over_the_continuation(engine: Engine, tokenizer: Tokenizer) -> None:
    request = Request("loglikelihood", "the cat ", "sat on")
    before, after = tokenizer.encode("the cat"), tokenizer.encode(" sat on")
    scores = engine.logprobs([[tokenizer.bos, *before, *after]])[0]
    answer = ask(engine, tokenizer, [request])[0]
    assert isinstance(answer, Answer)
    assert answer.logprob == pytest.approx(float(scores[len(before) :].sum()), abs=1e-4)
    assert answer.n_tokens == len(after)


def test_prompts_too_long_lose_their_beginning(engine: Engine, tokenizer: Tokenizer) -> None:
    request = Request("loglikelihood", "the cat sat on the mat and " * 20, "door")
    ids, n = continuation_ids(tokenizer, request, 20)
    whole = [tokenizer.bos, *tokenizer.encode(request.prompt.rstrip()), *tokenizer.encode(" door")]
    assert len(ids) == 21
    assert ids == [whole[0], *whole[-20:]]
    assert n == len(tokenizer.encode(" door"))
    texts = ask(engine, tokenizer, [Request("generate", "the cat " * 90, max_tokens=30)])
    assert isinstance(texts[0], Answer)
    chat = Conversation((Message("user", "zqj " * 60),))
    answers = ask(
        engine,
        tokenizer,
        [Request("generate", chat), Request("loglikelihood", "", "zqj " * 60), Request("loglikelihood", "the", "")],
    )
    assert [type(answer) for answer in answers] == [Unanswerable] * 3
    assert "the model reads 48" in answers[0].reason  # type: ignore[union-attr]


def test_sampled_answers_depend_on_the_request_and_the_seed(engine: Engine, tokenizer: Tokenizer) -> None:
    requests = [Request("generate", word, max_tokens=12, temperature=1.0) for word in ("the", "cat", "dog")]
    forwards = ask(engine, tokenizer, requests)
    for answer, same in zip(ask(engine, tokenizer, requests[::-1])[::-1], forwards, strict=True):
        assert (answer.text, answer.n_tokens) == (same.text, same.n_tokens)
        assert answer.logprob == pytest.approx(same.logprob, abs=1e-3)
    assert [a.text for a in ask(engine, tokenizer, requests, seed=1)] != [a.text for a in forwards]


@pytest.fixture
def corpus(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    documents = [Document(str(i), f"the cat number {i} sat on the mat. " * (1 + i % 3), "s") for i in range(40)]
    write_documents(documents[:30], tmp_path / "train")
    write_documents(documents[30:], tmp_path / "heldout")
    write_shards(documents[:30], tokenizer, tmp_path / "shards", shard_tokens=300)
    return tmp_path


def test_the_baseline_counts_a_spread_of_whole_documents(corpus: Path, tokenizer: Tokenizer) -> None:
    everything = fit_baseline([corpus / "shards"], tokenizer, 3, 0)
    third = fit_baseline([corpus / "shards"], tokenizer, 3, 400)
    assert 0 < third.n_ngrams < everything.n_ngrams
    unseen = np.array([tokenizer.bos, tokenizer.pad])
    assert everything.logprobs(unseen)[1] == -np.inf


def test_the_stage(corpus: Path, engine: Engine, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    text = corpus / "extra.txt"
    text.write_text("the dog ran\n<|endoftext|>\nto the door")
    choice = corpus / "choice.jsonl"
    choice.write_text(json.dumps({"query": "the cat", "choices": ["sat", "zqj"], "gold": 0}) + "\n")
    config = EvalConfig(n=3, perplexity=(str(text),), multiple_choice=(str(choice),), ngram_order=3)
    out = corpus / "eval"

    def measure(config: EvalConfig, tasks: Sequence[Quiz]) -> dict:
        with EventLog(out / "events.jsonl") as events:
            heldout = {"s": corpus / "heldout"}
            return run_eval(config, engine, tokenizer, tasks, heldout, [corpus / "shards"], out, events)

    summary = measure(config, [Quiz([1.0, 0.0, 1.0, 1.0])])
    results = read_json(out / "results.json")
    assert summary["tasks"]["quiz"] == {
        "mean": pytest.approx(2 / 3),
        "stderr": share_and_stderr(2, 3)[1],
        "n": 3,
        "excluded": 0,
        "chance": 0.25,
    }
    assert [each["name"] for each in results["tasks"]] == ["quiz", "choice"]
    assert [each["name"] for each in results["bits_per_byte"]] == ["heldout/s", "extra.txt"]
    for each in results["bits_per_byte"]:
        assert each["stderr"] > 0
        assert 0 < each["ngram"]["bits_per_byte"] < each["bits_per_byte"]
    assert read_json(out / "prompts.json") == ["the cat?"]
    transcript = [json.loads(line) for line in (out / "transcripts" / "quiz.jsonl").read_text().splitlines()]
    assert [row["score"] for row in transcript] == [1.0, 0.0, 1.0]
    before = (out / "results.json").read_bytes()
    assert len(list(read_events(out / "events.jsonl", "result"))) == 4

    measured: list[str] = []
    real = stage_module.evaluate_tasks

    def counted(engine: Engine, tokenizer: Tokenizer, tasks: Sequence[Quiz], *rest: object, **named: object) -> list:
        measured.extend(task.name for task in tasks)
        return real(engine, tokenizer, tasks, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(stage_module, "evaluate_tasks", counted)
    measure(config, [Quiz([1.0, 0.0, 1.0, 1.0])])
    assert measured == []
    assert (out / "results.json").read_bytes() == before
    measure(config, [Quiz([1.0, 0.0, 1.0, 1.0]), Quiz([1.0], name="late")])
    assert measured == ["late"]
    (out / "parts" / "task_quiz.json").unlink()
    measure(config, [Quiz([1.0, 0.0, 1.0, 1.0])])
    assert measured == ["late", "quiz"]
    assert (out / "results.json").read_bytes() == before
    measure(replace(config, n=2), [Quiz([1.0, 0.0, 1.0, 1.0])])
    assert measured == ["late", "quiz", "quiz"]
    engine.model = random_copy(engine)
    measure(config, [Quiz([1.0, 0.0, 1.0, 1.0])])
    assert measured[3:] == ["quiz", "choice"]
    monkeypatch.setattr(stage_module, "RESULTS_VERSION", stage_module.RESULTS_VERSION + 1)
    measure(config, [Quiz([1.0, 0.0, 1.0, 1.0])])
    assert measured[5:] == ["quiz", "choice"]


def test_files_of_one_name_stay_apart(corpus: Path, engine: Engine, tokenizer: Tokenizer) -> None:
    choices, texts = [], []
    for folder, n in (("d1", 2), ("d2", 3)):
        (corpus / folder).mkdir()
        choices.append(corpus / folder / "arc.jsonl")
        rows = [json.dumps({"query": f"the cat {i}", "choices": ["sat", "zqj"], "gold": 0}) for i in range(n)]
        choices[-1].write_text("\n".join(rows))
        texts.append(corpus / folder / "wiki.txt")
        texts[-1].write_text("the dog " * n)
    config = EvalConfig(
        multiple_choice=tuple(map(str, choices)), perplexity=tuple(map(str, texts)), ngram_order=0, tasks=()
    )
    out = corpus / "eval"
    with EventLog(out / "events.jsonl") as events:
        summary = run_eval(config, engine, tokenizer, [], {}, [], out, events)
    assert {name: task["n"] for name, task in summary["tasks"].items()} == {"d1/arc.jsonl": 2, "d2/arc.jsonl": 3}
    assert list(summary["bits_per_byte"]) == ["d1/wiki.txt", "d2/wiki.txt"]
    lines = {path.name: len(path.read_text().splitlines()) for path in (out / "transcripts").iterdir()}
    assert lines == {"d1_arc.jsonl.jsonl": 2, "d2_arc.jsonl.jsonl": 3}


def test_a_file_name_that_is_no_text_does_not_stop_its_transcript(
    corpus: Path, engine: Engine, tokenizer: Tokenizer
) -> None:
    class Odd(Quiz):
        def examples(self, split: Split) -> Iterator[Example]:
            return (replace(each, id=f"\udce9 {each.id}", gold="é") for each in super().examples(split))

    out = corpus / "eval"
    with EventLog(out / "events.jsonl") as events:
        config = EvalConfig(tasks=("quiz",))
        run_eval(config, engine, tokenizer, [Odd([1.0], name="quiz")], {}, [], out, events)
    row = json.loads((out / "transcripts" / "quiz.jsonl").read_text("utf-8"))
    assert (row["id"], row["gold"]) == ("\udce9 heldout-0", "é")


def test_a_base_model_has_no_world_tasks(corpus: Path, engine: Engine, tokenizer: Tokenizer) -> None:
    with EventLog(corpus / "eval" / "events.jsonl") as events:
        summary = run_eval(EvalConfig(ngram_order=0), engine, tokenizer, [], {}, [], corpus / "eval", events)
    assert summary == {"bits_per_byte": {}, "ngram_bits_per_byte": {}, "tasks": {}}
    assert read_json(corpus / "eval" / "prompts.json") == []


def test_settings_are_checked() -> None:
    for bad in ({"n": -1}, {"max_batch": 0}, {"ngram_order": 9}):
        with pytest.raises(FledgeError, match=next(iter(bad))):
            EvalConfig(**bad)
