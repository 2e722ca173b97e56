"""How parameters are declared: a section, a parameter with unit, meaning, source and bounds, a range."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A group of parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def par(default: Any, unit: str, meaning: str, source: str = "assumption", **bounds: Any) -> Any:
    """Declare a parameter: its default, unit, meaning, source and pydantic bounds (ge, gt, le, lt)."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit, "source": source}, **bounds)


def said(field: FieldInfo | None, what: str) -> str:
    """Return the ``unit`` or the ``source`` of a parameter as it was declared, "" of a section or of nothing."""
    extra = field.json_schema_extra if field else None
    return str(extra.get(what, "")) if isinstance(extra, dict) else ""


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the lower end of a range must not exceed the upper end")
    return pair


#: A uniform range [low, high]; agents draw from it.
Range = Annotated[tuple[float, float], AfterValidator(_ordered)]


Share = Annotated[float, Field(ge=0, le=1)]
