"""Errors as OpenAI's API tells them: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from fledge.types import FledgeError

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
NO_RETRY = {"x-should-retry": "false"}
"""OpenAI's clients ask again after a timeout unless they are told not to."""


class ErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    error: ErrorDetail


class ApiError(HTTPException):
    """An answer that is an error. ``param`` is the field at fault, ``code`` a word for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.message, self.param, self.code = message, param, code

    def content(self) -> dict[str, Any]:
        kind = TYPES.get(self.status_code, "invalid_request_error" if self.status_code < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        return JSONResponse(self.content(), self.status_code, self.headers)


def refused(error: FledgeError, param: str | None = None) -> ApiError:
    """A request that the engine or the renderer does not take."""
    return ApiError(400, str(error), param=param)


def install(app: FastAPI) -> None:
    """Answer every error in this shape."""

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, StarletteHTTPException)
        if not isinstance(error, ApiError):
            what = {404: f"there is no {request.url.path} here", 405: f"{request.method} is not taken here"}
            told = what.get(error.status_code, str(error.detail))
            error = ApiError(error.status_code, told, headers=dict(error.headers or {}))
        return error.response()

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return validation(error).response()

    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        return ApiError(500, f"the server failed: {type(error).__name__}").response()

    app.add_exception_handler(StarletteHTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unforeseen)


def validation(error: RequestValidationError) -> ApiError:
    """The first fault of a body, with the path to it as the client wrote it."""
    fault = error.errors()[0]
    path, at = [], error.body
    for step in fault["loc"][1:]:  # the steps that are no key of the body name a kind of value
        last = fault["loc"][-1] == step and fault["type"] in ("missing", "extra_forbidden")
        if isinstance(at, dict) and (step in at or last):
            at = at.get(step)
        elif isinstance(at, list) and isinstance(step, int) and step < len(at):
            at = at[step]
        else:
            continue
        path.append(str(step))
    param = ".".join(path) or None
    if fault["type"] == "extra_forbidden":
        return ApiError(400, f"{param} is not known here", param=param, code="unknown_parameter")
    if fault["type"] == "missing":
        return ApiError(400, f"{param or 'the body'} is missing", param=param, code="missing_required_parameter")
    told = fault["msg"].removeprefix("Value error, ")
    return ApiError(400, f"{param}: {told}" if param else told, param=param, code="invalid_value")
