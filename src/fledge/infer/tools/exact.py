"""Bounded arithmetic on values that are exact (Fraction) as long as they can be, else float."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from fledge.infer.tools.call import ToolError

Value = Fraction | float

MAX_DIGITS = 1_000
MAX_BITS = int(MAX_DIGITS * math.log2(10)) + 1
"""Of a numerator or denominator, results and all that is computed on the way."""

SHOWN_DECIMALS = 30
SIGNIFICANT = 12


def bounded(value: Value) -> Value:
    """``value``, or ToolError where it is too large to go on with."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ToolError("the result is too large for a number that is not exact")
        return value
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise ToolError(f"a number on the way has more than {MAX_DIGITS} digits")
    return value


def binary(operator: str, left: Value, right: Value) -> Value:
    """``+ - * / // % **`` with Python's meaning."""
    if operator in ("/", "//", "%") and right == 0:
        raise ToolError("division by zero")
    if operator == "**":
        return power(left, right)
    if isinstance(left, float) or isinstance(right, float):
        left, right = _float(left), _float(right)
    operations: dict[str, Callable[[], Value]] = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
        "//": lambda: _whole(left // right),
        "%": lambda: left % right,
    }
    return bounded(operations[operator]())


def power(base: Value, exponent: Value) -> Value:
    """Exact for a whole exponent and for roots that come out even; refused before it is computed if too large."""
    if base == 0 and exponent < 0:
        raise ToolError("division by zero")
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if base in (0, 1):
            return Fraction(base if exponent else 1)
        if exponent.denominator == 1:
            bits = max(base.numerator.bit_length(), base.denominator.bit_length()) - 1
            if base == -1 or max(bits, 1) * abs(exponent) <= MAX_BITS:
                return bounded(Fraction(base ** (int(exponent) % 2 if base == -1 else int(exponent))))
            if base.denominator == 1 and exponent > 0:
                raise ToolError(f"the power has more than {MAX_DIGITS} digits")
        elif exponent.denominator <= MAX_BITS and base > 0:
            root = _exact_root(base, exponent.denominator)
            if root is not None:
                return power(root, Fraction(exponent.numerator))
    if base < 0 and _float(exponent) != int(_float(exponent)):
        raise ToolError("a negative number has no such power among the real numbers")
    try:
        return bounded(math.pow(_float(base), _float(exponent)))
    except (OverflowError, ValueError) as error:
        raise ToolError("the power is too large") from error


def _exact_root(value: Fraction, degree: int) -> Fraction | None:
    parts = [_whole_root(part, degree) for part in (value.numerator, value.denominator)]
    top, bottom = parts
    return None if top is None or bottom is None else Fraction(top, bottom)


def _whole_root(value: int, degree: int) -> int | None:
    low, high = 1, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    return low if low**degree == value else None


def _float(value: Value) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ToolError("a number is too large to be computed with inexactly") from error


def _whole(value: Value | int) -> Value:
    return Fraction(value) if isinstance(value, int) else value


def _int(value: Value, of: str) -> int:
    if isinstance(value, float) or value.denominator != 1:
        raise ToolError(f"{of} needs whole numbers")
    return value.numerator


def _round(value: Value, digits: Value = Fraction(0)) -> Value:
    places = _int(digits, "round(x, digits)")
    if abs(places) > MAX_DIGITS:
        raise ToolError(f"round(x, digits) takes up to {MAX_DIGITS} digits")
    return Fraction(round(value, places)) if isinstance(value, Fraction) else round(value, places)


def _factorial(value: Value) -> Value:
    number = _int(value, "factorial(n)")
    if not 0 <= number <= MAX_DIGITS:
        raise ToolError(f"factorial(n) needs a number from 0 to {MAX_DIGITS}")
    return Fraction(math.factorial(number))


def _inexact(name: str, function: Callable[..., float]) -> Callable[..., Value]:
    def call(*values: Value) -> Value:
        try:
            return float(function(*map(_float, values)))
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise ToolError(f"{name} has no value there, or one that is too large") from error

    return call


FUNCTIONS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "sqrt": (lambda x: _root_of(x), 1, 1),
    "round": (_round, 1, 2),
    "abs": (abs, 1, 1),
    "min": (min, 1, 100),
    "max": (max, 1, 100),
    "floor": (lambda x: Fraction(math.floor(x)), 1, 1),
    "ceil": (lambda x: Fraction(math.ceil(x)), 1, 1),
    "factorial": (_factorial, 1, 1),
    "gcd": (lambda *xs: Fraction(math.gcd(*(_int(x, "gcd") for x in xs))), 1, 100),
    "lcm": (lambda *xs: Fraction(math.lcm(*(_int(x, "lcm") for x in xs))), 1, 100),
    "exp": (_inexact("exp", math.exp), 1, 1),
    "ln": (_inexact("ln", math.log), 1, 1),
    "log": (_inexact("log", math.log), 1, 2),
    "log2": (_inexact("log2", math.log2), 1, 1),
    "log10": (_inexact("log10", math.log10), 1, 1),
    "sin": (_inexact("sin", math.sin), 1, 1),
    "cos": (_inexact("cos", math.cos), 1, 1),
    "tan": (_inexact("tan", math.tan), 1, 1),
}
"""Name: (function, fewest arguments, most)."""

CONSTANTS: dict[str, Value] = {"pi": math.pi, "e": math.e}


def _root_of(value: Value) -> Value:
    if value < 0:
        raise ToolError("a negative number has no square root among the real numbers")
    return power(value, Fraction(1, 2))


def shown(value: Value) -> str:
    """``84``; ``0.25``; ``1/3 ≈ 0.333333333333``; ``≈ 1.41421356237`` for what is not exact."""
    if isinstance(value, float):
        return f"≈ {value:.{SIGNIFICANT}g}"
    if value.denominator == 1:
        return str(value.numerator)
    decimals = _decimals(value.denominator)
    if decimals is not None:
        digits = str(abs(value.numerator) * 10**decimals // value.denominator).rjust(decimals + 1, "0")
        return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"
    try:
        near = f" ≈ {float(value):.{SIGNIFICANT}g}"
    except OverflowError:
        near = ""
    return f"{value}{near}"


def _decimals(denominator: int) -> int | None:
    """Digits after the point that write a fraction in full, None where there is no end or it is too far."""
    for decimals in range(1, SHOWN_DECIMALS + 1):
        if 10**decimals % denominator == 0:
            return decimals
    return None
