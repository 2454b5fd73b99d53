"""Rules of `--keep` in text: `changed(0.02) & scores(above=0.2, below=0.6) | every(600)`. Pure; nothing is evaluated but these rules."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from picsellia_async.errors import ConfigurationError
from picsellia_async.pipeline import Rule, around, changed, classes, cooldown, every, quota, sample, scores

_RULES: Final[dict[str, Callable[..., Rule]]] = {
    rule.__name__: rule for rule in (around, changed, classes, cooldown, every, quota, sample, scores)
}


def parse_rule(text: str) -> Rule:
    """Return the rule that a text says.

    Args:
        text: Calls of the rules of `picsellia_async.pipeline` with numbers, texts and lists, joined by `&` and `|`; in `classes`, names
            may stand without quotes.

    Raises:
        ConfigurationError: It is something else, or a rule refuses what it was given.
    """
    try:
        return _rule(ast.parse(text.strip(), mode="eval").body)
    except ConfigurationError as error:  # a ValueError too: the rule is known, and its values are not right
        raise ConfigurationError(f"--keep {text!r}: {error}") from error
    except (SyntaxError, ValueError, TypeError) as error:
        raise ConfigurationError(f"--keep {text!r}: {error}; there are {', '.join(sorted(_RULES))}") from error


def _rule(node: ast.expr) -> Rule:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        left, right = _rule(node.left), _rule(node.right)
        return left & right if isinstance(node.op, ast.BitAnd) else left | right
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in _RULES:
        raise ValueError(f"{ast.unparse(node)!r} is no rule")
    arguments = [_value(one) for one in node.args]
    if node.func.id == "classes":
        return classes([name for one in arguments for name in (one if isinstance(one, list) else [one])])
    named = {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg is not None}
    return _RULES[node.func.id](*arguments, **named)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        return _rule(node)
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.List):
        return [_value(one) for one in node.elts]
    return ast.literal_eval(node)
