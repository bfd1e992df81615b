"""The application: every endpoint, behind one guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.responses import Response

import fledge
from fledge.infer.engine import Engine
from fledge.infer.load import Kind
from fledge.serve import about, chat, completions, errors, texts
from fledge.serve.config import ServeConfig
from fledge.serve.driver import Driver
from fledge.serve.errors import ApiError, ErrorBody
from fledge.serve.guard import Guard
from fledge.serve.metrics import Metrics
from fledge.serve.served import Served
from fledge.serve.tools import Toolbox
from fledge.tokens.tokenizer import Tokenizer


class StrictRequest(Request):
    async def json(self) -> Any:
        """Of JSON alone: no NaN, no half of a surrogate pair, nothing nested beyond reason."""
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError as error:
            raise ApiError(400, f"the body is not valid JSON: {error}", code="invalid_json") from None


class StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strictly


def build_app(
    engine: Engine, tokenizer: Tokenizer, kind: Kind, config: ServeConfig, toolbox: Toolbox | None = None
) -> Guard:
    """The ASGI application that serves ``engine``, whose thread lives from its startup to its shutdown.

    The tools of ``toolbox`` are offered to the model in every chat and run here, unless the client declares one of
    the same name.
    """
    metrics = Metrics()
    driver = Driver(engine, config.limits, metrics)

    served = Served(config, driver, tokenizer, kind, metrics, toolbox)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        driver.start()
        yield
        await driver.stop()
        served.tool_threads.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="Fledge",
        version=fledge.__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = StrictRoute
    app.state.served = served
    errors.install(app)
    answers: dict[int | str, dict[str, Any]] = {"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}}
    for path, endpoint in (
        ("/v1/completions", completions.create_completion),
        ("/v1/chat/completions", chat.create_chat_completion),
        ("/v1/embeddings", texts.create_embeddings),
        ("/tokenize", texts.tokenize),
        ("/detokenize", texts.detokenize),
    ):
        app.post(path, responses=answers, response_model=None)(endpoint)
    for path, reader in (
        ("/v1/models", about.models),
        ("/v1/models/{name:path}", about.model),
        ("/tokenizer_info", texts.tokenizer_info),
        ("/health", about.health),
        ("/v1/health", about.health),
    ):
        app.get(path, responses=answers, response_model=None)(reader)
    app.get("/metrics", responses={**answers, **about.PAGE}, response_class=Response)(about.metrics)
    return Guard(app, config, driver)
