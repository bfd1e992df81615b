"""What the bodies of requests have in common."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from fledge.serve.errors import ApiError

Text = Annotated[str, StringConstraints(max_length=4_000_000)]
Unserved = dict[str, tuple[Any, ...]]
TokenId = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Body(BaseModel):
    """A JSON object of known fields. ``unserved`` are those of OpenAI's API that can only be left at what they say."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    unserved: ClassVar[Unserved] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_unserved(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        for name in cls.unserved.keys() & given.keys():
            if given[name] is not None and given[name] not in cls.unserved[name]:
                raise ApiError(400, f"{name} is not served here", param=name, code="unsupported_parameter")
        return {name: value for name, value in given.items() if name not in cls.unserved}


class StreamOptions(Body):
    unserved: ClassVar[Unserved] = {"include_obfuscation": (False,)}
    include_usage: bool | None = None
    continuous_usage_stats: Literal[False] | None = None


class SamplingFields(Body):
    """How to sample; the names are OpenAI's, and vLLM's where OpenAI has none."""

    model: str
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1, le=2**31 - 1)
    min_p: float | None = Field(None, ge=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    repetition_penalty: float | None = Field(None, ge=0.1, le=10)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    n: int | None = Field(None, ge=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs_mode: Literal["raw", "sampled"] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def streams(self) -> bool:
        return bool(self.stream)

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)
