"""How parameters are declared: a section, a parameter with unit, meaning, source and bounds, a range."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A group of parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


#: The source of a parameter that nobody has a source for.
ASSUMPTION = "assumption"


def par(
    default: Any,
    unit: str,
    meaning: str,
    source: str = ASSUMPTION,
    *,
    range: tuple[float, float] | None = None,
    times: tuple[float, float] | None = None,
    because: str = "",
    **bounds: Any,
) -> Any:
    """Declare a parameter: its default, unit, meaning, source and pydantic bounds (ge, gt, le, lt).

    ``range`` (least and largest value) or ``times`` (the same over the value that a scenario has) is the range in which
    a parameter without a source is tried, where the usual one (half to double) makes no sense, and ``because`` says why.
    Raises ValueError where a range has no reason, or a reason no range.
    """
    if (range is not None) + (times is not None) != bool(because):
        raise ValueError(f"{meaning!r}: a range of its own (range or times) needs a reason (because), a reason a range")
    extra: dict[str, Any] = {"unit": unit, "source": source}
    if because:
        extra |= {"range" if range else "times": list(range or times or ()), "because": because}
    return Field(default, description=meaning, json_schema_extra=extra, **bounds)


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
