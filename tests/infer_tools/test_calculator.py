from __future__ import annotations

import re
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer.tools.calculator import MAX_LENGTH, calculator, evaluate
from fledge.infer.tools.call import ToolError
from fledge.infer.tools.exact import MAX_DIGITS

NUMBERS = st.integers(0, 999) | st.decimals(0, 99, places=2)


def joined(parts: tuple[str, str, str]) -> str:
    return f"{parts[0]} {parts[1]} {parts[2]}"


EXPRESSIONS = st.recursive(
    NUMBERS.map(str),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(joined),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, st.just("**"), st.integers(-3, 4).map(str)).map(lambda p: f"({p[0]}) ** {p[2]}"),
    ),
    max_leaves=12,
)


def by_python(expression: str) -> Fraction:
    """Python's own reading, with every number a fraction but for exponents."""
    # of two fractions // gives an int, whose negative powers would be floats
    wrapped = expression.replace("(", "F(")
    marked = re.sub(r"(?<!\*\* )(?<!\*\* -)(?<![\d.])(\d+(\.\d+)?)", r"F('\1')", wrapped)
    return Fraction(eval(marked, {"F": Fraction}))


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_equals_python_on_fractions(expression: str) -> None:
    try:
        expected = by_python(expression)
    except ZeroDivisionError:
        with pytest.raises(ToolError, match="division by zero"):
            evaluate(expression)
        return
    try:
        assert evaluate(expression) == expected
    except ToolError as error:
        assert "digits" in str(error)
        assert len(str(expected)) > 50


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789.,+-*/%^() emaxsqrtπ×", max_size=40) | st.text(max_size=20))
def test_any_text_gives_a_value_or_a_line(expression: str) -> None:
    try:
        calculator(expression)
    except ToolError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("12*7", "84"),
        ("0.1 + 0.2", "0.3"),
        ("1/3", "1/3 ≈ 0.333333333333"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("-2 ** 2", "-4"),
        ("2 ^ 3 ^ 2", "512"),
        ("2 ** -1", "0.5"),
        ("-1/4", "-0.25"),
        ("6 × 7 ÷ 2 − 1", "20"),
        ("1,234,567 + 1", "1234568"),
        ("1,234.5 * 2", "2469"),
        ("max(1,234)", "234"),
        ("max(1, (1,234))", "1234"),
        ("sqrt(16/9)", "4/3 ≈ 1.33333333333"),
        ("sqrt(2)", "≈ 1.41421356237"),
        ("8 ^ (1/3)", "2"),
        ("2pi", None),
        ("2 * pi", "≈ 6.28318530718"),
        ("round(2.675, 2)", "2.68"),
        ("abs(-3) + min(4, 2) - ceil(1.2)", "3"),
        ("factorial(20)", "2432902008176640000"),
        ("1.0001 ^ 5000", "≈ 1.64868005593"),
        ("(-1) ^ (10^900)", "1"),
        ("1e3", "1000"),
        ("--5", "5"),
    ],
)
def test_values(expression: str, shown: str | None) -> None:
    if shown is None:
        with pytest.raises(ToolError):
            calculator(expression)
    else:
        assert calculator(expression) == shown


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "ends too early"),
        ("1 +", "ends too early"),
        ("1 2", "operator is missing before '2'"),
        ("2(3)", "operator is missing before '('"),
        ("(1", "a ) is missing"),
        ("1)", "no ( for this )"),
        ("()", "number is missing before ')'"),
        ("1,23", "group thousands"),
        ("15%", "write 15/100"),
        ("1/0", "division by zero"),
        ("0 ^ -1", "division by zero"),
        ("sqrt(-1)", "square root"),
        ("(-8) ^ (1/3)", "no such power"),
        ("ln(0)", "ln has no value"),
        ("foo(2)", "known are sqrt"),
        ("sqrt 4", "needs parentheses"),
        ("sqrt(1, 2)", "takes 1 argument, not 2"),
        ("gcd(1.5, 2)", "whole numbers"),
        ("9 ** 9 ** 9", "digits"),
        ("factorial(999)", "digits"),
        ("1e99999", "digits"),
        ("exp(1000)", "too large"),
        ("2 ^ 3000 * 2 ^ 3000", "digits"),
        ("(" * 60 + "1" + ")" * 60, "nested"),
        ("-" * 60 + "1", "nested"),
        ("1+" * MAX_LENGTH, "too long"),
        ("__import__('os')", "cannot read"),
        ("1 if 1 else 2", "operator is missing"),
    ],
)
def test_faults_are_told(expression: str, told: str) -> None:
    with pytest.raises(ToolError) as caught:
        evaluate(expression)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    [
        "*".join(["9" * 40] * 24),
        "+".join(["1/9999991"] * 100),
        "^".join(["2"] * 25),
        "lcm(" + ",".join(str(n) for n in range(1, 100)) + ")",
        "factorial(factorial(6))",
        "(1 + 1/3) ^ 800 ^ 2",
        "1" * 1000,
    ],
)
def test_the_largest_take_no_time(expression: str) -> None:
    started = time.process_time()
    try:
        value = evaluate(expression[:MAX_LENGTH])
        assert len(str(value)) < 3 * MAX_DIGITS
    except ToolError:
        pass
    assert time.process_time() - started < 0.5
