"""Deleveraging by rounds and by leverage targets: :mod:`simulation.literature.deleveraging`."""

from __future__ import annotations

import math
import re
import time
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.validation.cases import Case
from experiments.validation.reference import balance_sheets, numpy_rounds
from simulation.literature.deleveraging import (
    System,
    clear_sales,
    deleverage,
    make_system,
    order_sales,
    target_leverage,
)
from simulation.scenario.faults import ConfigError, Fault


def targets(case: Case) -> dict[str, Any]:
    """Greenwood, Landier and Thesmar (2015): vulnerability and systemicness after one round of leverage targeting."""
    x = case.inputs
    assets, leverage = np.array(x["A"], float), np.array(x["B"], float)
    got = target_leverage(
        assets, np.array(x["M"], float), leverage, np.array(x["price_impact_per_unit"], float), np.array(x["f1"], float)
    )
    return {
        "equity": assets / (1.0 + leverage),
        "first_round_returns": got.returns,
        "asset_sales_by_bank": got.sales,
        "net_flow_by_asset": got.flows,
        "second_round_asset_returns": got.asset_returns,
        "spillover_losses": got.spillover,
        "AV_direct": got.direct_vulnerability,
        "AV": got.aggregate_vulnerability,
        "systemicness": got.systemicness,
        "indirect_vulnerability": got.indirect_vulnerability,
    }


def spiral(case: Case) -> dict[str, Any]:
    """One representative bank that returns to its leverage again and again: f_k = f_1 (psi A B)^(k-1)."""
    x = case.inputs
    one = np.ones(1)
    returns = [float(x["f1"])]
    for _ in range(len(case.expected.get("round_returns", [0] * 6)) - 1):
        step = target_leverage(
            x["A"] * one, np.ones((1, 1)), x["B"] * one, x["price_impact_per_unit"] * one, returns[-1] * one
        )
        returns.append(float(step.asset_returns[0]))
    gain = returns[1] / returns[0]
    return {
        "round_returns": returns,
        "explosive": gain >= 1.0,
        "multiplier": 1.0 / (1.0 - gain) if gain < 1.0 else None,
    }


def threshold(case: Case) -> dict[str, Any]:
    """Cont and Schaanning (2017): sales back to a target when leverage passes its limit; prices do not fall below a floor."""
    x = case.inputs
    start, illiquid, equity = (np.array(x[k], float) for k in ("S0", "illiquid_after_shock", "equity_after_shock"))
    securities = np.array(x["securities"], float)
    zero = np.zeros(len(equity))
    system = make_system(
        zero, securities / start, illiquid, securities.sum(1) + illiquid - equity, zero, prices=start, floor=np.array(x["floor_B"], float),
        depth=np.array(x["depth_D"], float), trigger=1.0 / x["lambda_max"], target=1.0 / x["lambda_target"], borne=x["alpha"], repay=True,
    )  # fmt: skip
    return {"rounds": [_round(system, securities.shape) for _ in range(len(case.expected["rounds"]))]}


def _values(system: System, shape: tuple[int, ...]) -> np.ndarray:
    dense = np.zeros(shape)
    rows = np.repeat(np.arange(shape[0]), np.diff(system.first))
    dense[rows, system.holdings["asset"]] = system.holdings["units"] * system.assets["price"][system.holdings["asset"]]
    return dense


def _round(system: System, shape: tuple[int, ...]) -> dict[str, Any]:
    """Carry one round out and return what the case files show of it."""
    rows = system.institutions
    before, price = _values(system, shape), system.assets["price"].copy()
    equity = np.maximum(0.0, before.sum(1) + rows["other"] + rows["cash"] - rows["loan"])
    leverage = [float(a / e) if e > 1e-12 else None for a, e in zip(before.sum(1) + rows["other"], equity, strict=True)]
    order_sales(*system)
    share = np.divide(rows["offered"], before.sum(1), out=np.zeros(len(rows)), where=before.sum(1) > 0)
    clear_sales(*system)
    after = _values(system, shape)
    fall = 1.0 - system.assets["left"]
    # What is lost on units kept and, as far as sellers bear it, on units sold.
    borne = float(system.conduct["borne"][0])
    loss = ((1.0 - (1.0 - borne) * share)[:, None] * before * fall).sum(1)
    return {
        "leverage": leverage,
        "Gamma": share,
        "volume": system.assets["wanted"] * price,
        "impact": fall,
        "loss": loss,
        "equity": np.maximum(0.0, equity - loss),
        "securities": after,
        "price": system.assets["price"].copy(),
    }


def stress_test(case: Case) -> dict[str, Any]:
    """Farmer et al. (2020), simplified: buffers, targets and simultaneous clearing at mid-prices, by step."""
    x = case.inputs
    classes = [k for k in ("corporate", "government") if k in x]
    holdings = np.array([x[k] for k in classes], float).T
    runs = []
    for run in case.expected["runs"]:
        system = make_system(
            np.array(x["cash"], float), holdings, np.array(x["other_assets"], float), np.array(x["loan"], float), np.array(x["other_liabilities"], float),
            impact=-math.log(1.0 - run["price_impact"]) / 0.05, minimum=x["min"], trigger=run["leverage_buffer"], target=x["target"], borne=0.5,
        )  # fmt: skip
        system.assets["price"][classes.index("government")] *= 1.0 - run["initial_shock"]
        rounds = deleverage(system, int(x["steps"]))
        failed = float(rounds.failures.sum()) / len(holdings)
        runs.append(
            {
                "defaults_per_step": rounds.failures,
                "fraction_sold_per_step": rounds.sold,
                "final_price": dict(zip(classes, system.assets["price"].tolist(), strict=True)),
                # Counted as systemic from 5 % of the banks on (Gai and Kapadia 2010).
                "systemic_risk": failed if failed >= 0.05 else 0.0,
            }
        )
    return {"runs": runs}


class Scaled(NamedTuple):
    """Outcome of a stress test from arrays: institutions, assets, failures and share sold by step, median milliseconds, and
    those of the same test in plain NumPy with the largest difference of the shares."""

    institutions: int
    assets: int
    failures: np.ndarray
    sold: np.ndarray
    milliseconds: float
    numpy_milliseconds: float
    difference: float


def read_arrays(file: str) -> dict[str, np.ndarray]:
    """Return the balance sheets of a ``.npz`` file, or drawn ones of the size "NxM". Raises ConfigError."""
    size = re.fullmatch(r"([1-9]\d{0,6})x([1-9]\d{0,4})", file)
    if size and not Path(file).exists():
        return balance_sheets(int(size[1]), int(size[2]))
    try:
        with np.load(file, allow_pickle=False) as data:
            arrays = {name: np.asarray(data[name], float) for name in data.files}
    except FileNotFoundError:
        raise _refuse(file, "does not exist; name a .npz file, or a size as 1000x10") from None
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise _refuse(file, f"is not a .npz file of numbers ({error})") from None
    for name in ("other", "others"):
        if "other_assets" not in arrays and name in arrays:
            arrays["other_assets"] = arrays.pop(name)
    missing = [name for name in ("cash", "holdings", "other_assets", "equity", "liabilities") if name not in arrays]
    if missing:
        raise _refuse(file, f"lacks the array {', '.join(missing)}; it has {', '.join(arrays) or 'none'}")
    n = arrays["cash"].shape
    if (
        len(n) != 1
        or arrays["holdings"].ndim != 2
        or any(arrays[k].shape[:1] != n for k in arrays)
        or any(arrays[k].ndim != 1 for k in arrays if k != "holdings")
    ):
        shapes = ", ".join(f"{k} {v.shape}" for k, v in arrays.items())
        raise _refuse(file, f"needs vectors of N entries and holdings of N x M; it has {shapes}")
    if not all(np.isfinite(v).all() for v in arrays.values()):
        raise _refuse(file, "holds numbers that are not finite")
    assets = arrays["cash"] + arrays["holdings"].sum(1) + arrays["other_assets"]
    if np.abs(assets - arrays["liabilities"] - arrays["equity"]).max() > 1e-6 * np.abs(assets).max():
        raise _refuse(file, "does not balance: cash + holdings + other_assets must be liabilities + equity in each row")
    return arrays


def _refuse(file: str, message: str) -> ConfigError:
    return ConfigError([Fault(file, "", message)])


def scaled(
    file: str, *, steps: int = 10, shock: float = 0.2, impact: float = 0.01, minimum: float = 0.03, trigger: float = 0.04,
    target: float = 0.05, repeats: int = 15,
) -> Scaled:  # fmt: skip
    """Run the stress test on the arrays of a ``.npz`` file: cash N, holdings N x M, other_assets N, equity N, liabilities N (USD).

    Asset 0 loses ``shock``; selling 5 % of an issue costs ``impact``. Half of the liabilities are a loan that can be
    repaid, unless the file holds ``loan``. Raises :class:`ConfigError` on a file or arrays that do not fit.
    """
    arrays = read_arrays(file)
    loan = arrays.get("loan", 0.5 * arrays["liabilities"])
    rules: dict[str, Any] = {
        "impact": -math.log(1.0 - impact) / 0.05,
        "minimum": minimum,
        "trigger": trigger,
        "target": target,
    }
    sheets = (arrays["cash"], arrays["holdings"], arrays["other_assets"], loan, arrays["liabilities"] - loan)
    times: list[list[float]] = [[], []]
    for _ in range(repeats):
        try:
            system = make_system(*sheets, borne=0.5, **rules)
        except ValueError as error:
            raise _refuse(file, str(error)) from None
        system.assets["price"][0] *= 1.0 - shock
        begun = time.perf_counter()
        rounds = deleverage(system, steps)
        middle = time.perf_counter()
        failures, sold = numpy_rounds(*sheets, shock=shock, steps=steps, **rules)
        times[0].append(1e3 * (middle - begun))
        times[1].append(1e3 * (time.perf_counter() - middle))
    apart = math.inf if (failures != rounds.failures).any() else float(np.abs(sold - rounds.sold).max())
    institutions, assets = arrays["holdings"].shape
    return Scaled(
        institutions,
        assets,
        rounds.failures,
        rounds.sold,
        float(np.median(times[0])),
        float(np.median(times[1])),
        apart,
    )


FORMS = (
    (lambda x: {"A", "M", "B", "price_impact_per_unit", "f1"} <= set(x), targets),
    (lambda x: {"A", "B", "price_impact_per_unit", "f1"} <= set(x), spiral),
    (lambda x: {"securities", "illiquid_after_shock", "equity_after_shock", "depth_D"} <= set(x), threshold),
    (lambda x: {"cash", "other_assets", "loan", "other_liabilities", "min", "target", "steps"} <= set(x), stress_test),
)
