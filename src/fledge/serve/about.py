"""What the server says of itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import JSONResponse, Response

from fledge.serve.served import Served, served_by

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PAGE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}, "description": "What Prometheus reads."}}


async def models(served: Annotated[Served, Depends(served_by)]) -> dict[str, Any]:
    return {"object": "list", "data": [_model(served)]}


async def model(name: str, served: Annotated[Served, Depends(served_by)]) -> dict[str, Any]:
    served.check_model(name)
    return _model(served)


def _model(served: Served) -> dict[str, Any]:
    return {
        "id": served.config.model,
        "object": "model",
        "created": served.since,
        "owned_by": "fledge",
        "max_model_len": served.context_length,
        "kind": served.kind,
    }


async def health(served: Annotated[Served, Depends(served_by)]) -> Response:
    alive = served.driver.alive
    return JSONResponse({"status": "ok" if alive else "the engine has ended"}, 200 if alive else 503)


async def metrics(served: Annotated[Served, Depends(served_by)]) -> Response:
    return Response(served.metrics.page(), media_type=METRICS_TYPE)
