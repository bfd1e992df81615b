"""Arithmetic for a model: an own reader of expressions, exact where exact is possible. Nothing is handed to Python.

Bounded by construction: the length and depth of an expression, and the digits of every number on the way.
"""

from __future__ import annotations

import re
from fractions import Fraction

from fledge.infer.tools.call import ToolError
from fledge.infer.tools.exact import CONSTANTS, FUNCTIONS, MAX_DIGITS, Value, binary, bounded, shown
from fledge.infer.tools.tool import tool

MAX_LENGTH = 1_000  # characters
MAX_DEPTH = 50

_ALIKE = str.maketrans({"×": "*", "·": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-", "π": "pi"})
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_PLAIN = re.compile(_NUMBER, re.ASCII)
_GROUPED = re.compile(rf"\d{{1,3}}(?:,\d{{3}})+(?![\d,])(?:\.\d*)?|{_NUMBER}", re.ASCII)
_WORD = re.compile(r"[A-Za-z]\w*|\*\*|//|[-+*/%^(),]", re.ASCII)


@tool(isolated=False)
def calculator(expression: str) -> str:
    """Compute an arithmetic expression exactly, such as (3 + 4) * 2 ^ 10 / 7. Knows + - * / // % ^, parentheses,
    sqrt, round, abs, min, max, floor, ceil, factorial, gcd, lcm, exp, ln, log, log2, log10, sin, cos, tan, pi and e.
    """
    return shown(evaluate(expression))


def evaluate(expression: str) -> Value:
    """The value of ``expression``; ToolError says what is wrong with it. Follows Python's precedence; ``^`` is a power.

    Angles are radians, ``log(x)`` is natural, ``log(x, base)`` is not.
    """
    if len(expression) > MAX_LENGTH:
        raise ToolError(f"the expression is too long: {len(expression)} characters, at most {MAX_LENGTH}")
    reader = _Reader(_tokens(expression))
    value = reader.sum(0)
    reader.end()
    return value


def _tokens(expression: str) -> list[str]:
    """Numbers, names and signs. A comma groups thousands unless it stands between the arguments of a function."""
    text = expression.translate(_ALIKE)
    tokens: list[str] = []
    of_function: list[bool] = []  # for each open parenthesis
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        number = (_PLAIN if of_function and of_function[-1] else _GROUPED).match(text, at)
        match = number or _WORD.match(text, at)
        if match is None:
            raise ToolError(f"cannot read the expression at {text[at : at + 20]!r}")
        token, at = match[0], match.end()
        if token == "(":
            of_function.append(bool(tokens) and tokens[-1] in FUNCTIONS)
        elif token == ")" and of_function:
            of_function.pop()
        tokens.append(token.replace(",", "") if number else token)
    return tokens


def _number(token: str) -> Value:
    mantissa, _, exponent = token.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or len(exponent) > 6 or abs(int(exponent or 0)) > MAX_DIGITS:
        raise ToolError(f"the number {token[:20]}… has more than {MAX_DIGITS} digits")
    return bounded(Fraction(token))


class _Reader:
    """Recursive descent, one method for each level of precedence; ``depth`` counts what stands inside what."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at = tokens, 0

    def sum(self, depth: int) -> Value:
        value = self._product(depth)
        while sign := self._take("+", "-"):
            value = binary(sign, value, self._product(depth))
        return value

    def _product(self, depth: int) -> Value:
        value = self._signed(depth)
        while sign := self._take("*", "/", "//", "%"):
            if sign == "%" and self._next() in ("", ")", "+", "*", "/", ","):
                raise ToolError("% is the remainder of a division; for 15 percent write 15/100")
            value = binary(sign, value, self._signed(depth))
        return value

    def _signed(self, depth: int) -> Value:
        if sign := self._take("+", "-"):
            value = self._signed(_deeper(depth))
            return -value if sign == "-" else value
        return self._power(depth)

    def _power(self, depth: int) -> Value:
        value = self._atom(depth)
        if self._take("**", "^"):
            return binary("**", value, self._signed(_deeper(depth)))
        return value

    def _atom(self, depth: int) -> Value:
        token = self._next()
        self.at += 1
        if token == "(":
            value = self.sum(_deeper(depth))
            self._close()
            return value
        if token in FUNCTIONS:
            return self._function(token, depth)
        if token in CONSTANTS:
            return CONSTANTS[token]
        if token[:1].isdigit() or token[:1] == ".":
            return _number(token)
        if token[:1].isalpha():
            raise ToolError(f"{token[:20]!r} is not known; known are {', '.join([*FUNCTIONS, *CONSTANTS])}")
        raise ToolError(f"a number is missing before {token!r}" if token else "the expression ends too early")

    def _function(self, name: str, depth: int) -> Value:
        if not self._take("("):
            raise ToolError(f"{name} needs parentheses: {name}(...)")
        arguments = [] if self._next() == ")" else [self.sum(_deeper(depth))]
        while self._take(","):
            arguments.append(self.sum(_deeper(depth)))
        self._close()
        function, fewest, most = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            count = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise ToolError(f"{name} takes {count} argument{'' if count == '1' else 's'}, not {len(arguments)}")
        return bounded(function(*arguments))

    def end(self) -> None:
        """ToolError where something is left."""
        if token := self._next():
            fixes = {",": "a comma may only group thousands, as in 1,234,567", ")": "there is no ( for this )"}
            raise ToolError(fixes.get(token, f"an operator is missing before {token[:20]!r}"))

    def _close(self) -> None:
        if not self._take(")"):
            if self._next():
                self.end()
            raise ToolError("a ) is missing at the end")

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self, *signs: str) -> str:
        token = self._next()
        if token not in signs:
            return ""
        self.at += 1
        return token


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise ToolError(f"the expression is nested more than {MAX_DEPTH} deep")
    return depth + 1
