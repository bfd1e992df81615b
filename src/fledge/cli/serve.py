"""The command that serves a model: ``serve``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from fledge.cli.paths import Place
from fledge.infer.config import Precision


def serve(
    run: Place,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    api_key: str = "",
    allowed_host: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    name: str = "",
    tool: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    precision: Precision = "float32",
    device: str = "auto",
    context_length: int | None = None,
    max_batch: int = 32,
    max_tokens: int = 0,
    queue: int = 256,
    request_seconds: float = 600.0,
    drain_seconds: float = 30.0,
) -> None:
    """Serve a run's model over HTTP, as OpenAI's API does, to its clients and to yours.

    Examples:

        fledge serve runs/demo

        fledge serve runs/demo --port 9000 --precision bfloat16

        fledge serve runs/demo --tool calculator --tool search

        FLEDGE_API_KEY=... fledge serve runs/demo --host 0.0.0.0

    Parameters
    ----------
    run
        A run, a stage of it, a checkpoint, or an imported model.
    host
        The address to listen on; other machines reach it only where it is not the loopback.
    port
        0 takes any that is free.
    api_key
        What clients must send; needed where other machines reach it. FLEDGE_API_KEY keeps it out of the process list.
    allowed_host
        A name by which clients may call this server, beside its address; may be given again.
    name
        The model's id, if not the name of the run.
    tool
        A tool that the model may call and this server runs: calculator, python, search (in the documents of a run that
        has a tools stage), module:function or path/file.py:function; may be given again.
    precision
        The type of the weights; int8 keeps one scale a row.
    device
        auto, cpu, cuda or mps.
    context_length
        Tokens that the model reads, if not what it was trained with.
    max_batch
        Completions that run at once; each takes memory for a whole context.
    max_tokens
        Longest completion, in tokens; 0 = what the context holds.
    queue
        Completions that may wait for a place; beyond, clients are told to come back later.
    request_seconds
        Longest time for a completion.
    drain_seconds
        Time for what runs when the server is stopped.
    """
    from fledge.serve.config import Limits, ServeConfig
    from fledge.serve.start import key_of, serve_run

    limits = Limits(max_tokens=max_tokens, queue=queue, request_seconds=request_seconds, drain_seconds=drain_seconds)
    config = ServeConfig(name, host, port, key_of(api_key), allowed_host, limits)
    serve_run(
        run,
        config,
        precision=precision,
        device=device,
        max_batch=max_batch,
        context_length=context_length,
        tools=tool,
    )


def register(app: App) -> None:
    app.command(serve, sort_key=3)
