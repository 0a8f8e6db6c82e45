"""Mutations that cosmic-ray lacks: a statement that is not executed, a keyword argument that is not passed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import parso
from cosmic_ray.operators.operator import Example, Operator

Position = tuple[tuple[int, int], tuple[int, int]]

_DROPPED = {"expr_stmt", "atom_expr", "raise_stmt", "return_stmt", "del_stmt"}


class DropStatement(Operator):
    """Replaces a simple statement of a function with ``pass``."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """Yield the statement's position if the node is one."""
        if node.type == "simple_stmt" and _is_in_function(node):
            statement = node.children[0]
            if _only_declares(statement):
                return
            if statement.type in _DROPPED or statement.get_code(include_prefix=False) in {"continue", "break"}:
                yield statement.start_pos, statement.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the node with ``pass`` as its statement."""
        assert index == 0
        node.children[0] = parso.parse(f"{node.get_first_leaf().prefix}pass")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return one example."""
        return (Example("def f():\n    g()\n", "def f():\n    pass\n"),)


class DropKeyword(Operator):
    """Removes a keyword argument of a call."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """Yield the position of each keyword argument in a list of arguments."""
        for argument in _keywords(node):
            yield argument.start_pos, argument.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the node without its keyword argument of this number."""
        argument = _keywords(node)[index]
        if node.type == "argument":
            return None
        at = node.children.index(argument)
        del node.children[at : at + 2]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return one example."""
        return (Example("f(a, b=1)", "f(a, )"),)


def _keywords(node: Any) -> list[Any]:
    """Return the keyword arguments that a node holds; a lone one is a node by itself."""
    if node.type == "arglist":
        return [child for child in node.children if _is_keyword(child)]
    return [node] if _is_keyword(node) and node.parent.type == "trailer" else []


def _is_keyword(node: Any) -> bool:
    return bool(node.type == "argument" and node.children[1].type == "operator" and node.children[1].value == "=")


def _is_in_function(node: Any) -> bool:
    scope = parso.tree.search_ancestor(node, "funcdef", "classdef")
    return scope is not None and scope.type == "funcdef"


def _only_declares(node: Any) -> bool:
    """Return whether a statement is a name's annotation without a value."""
    return node.type == "expr_stmt" and node.children[1].type == "annassign" and len(node.children[1].children) == 2


class Provider:
    """Both operators, by name, as cosmic-ray wants them."""

    _OPERATORS: ClassVar = {"DropStatement": DropStatement, "DropKeyword": DropKeyword}

    def __iter__(self) -> Iterator[str]:
        return iter(self._OPERATORS)

    def __getitem__(self, name: str) -> type[Operator]:
        return self._OPERATORS[name]
