"""Where code reads a named tuple by position: found in the syntax, by annotations.

Rule 1: known are variables that are annotated with a named tuple, made by calling one, given by a
        function whose return is annotated with one, or drawn from an annotated sequence of them.
        What only a type checker could tell isn't seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

_SEQUENCES = {"AsyncIterator", "Collection", "Iterable", "Iterator", "Sequence", "list", "tuple"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class NamedTuples:
    """The named tuples of a code base, and the functions that return them."""

    def __init__(self, trees: Iterable[ast.Module]) -> None:
        """Collect them."""
        nodes = [node for tree in trees for node in ast.walk(tree)]
        self._classes = {
            node.name
            for node in nodes
            if isinstance(node, ast.ClassDef)
            and any(_last_name(base) == "NamedTuple" for base in node.bases)
        }
        functions = [node for node in nodes if isinstance(node, _Function)]
        names = [function.name for function in functions]
        self._makers = self._classes | {
            function.name
            for function in functions
            if names.count(function.name) == 1 and self._is_named(function.returns)
        }

    def read_by_position(self, tree: ast.Module) -> list[tuple[int, str]]:
        """Return the line and source of each reading by position."""
        functions = [node for node in ast.walk(tree) if isinstance(node, _Function)]
        return sorted({place for function in functions for place in self._in(function)})

    def _in(self, function: _Function) -> Iterator[tuple[int, str]]:
        nodes = list(ast.walk(function))
        tuples, sequences = self._known(nodes)
        for node in nodes:
            if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
                drawn = isinstance(node.iter, ast.Name) and node.iter.id in sequences
                tuples |= {node.target.id} if drawn and isinstance(node.target, ast.Name) else set()
        for node in nodes:
            match node:
                case ast.Subscript(value=ast.Name(id=name), slice=index) if name in tuples:
                    if isinstance(index, ast.Slice) or _is_number(index):
                        yield node.lineno, ast.unparse(node)
                case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name(id=name)):
                    if name in tuples and any(isinstance(part, ast.Starred) for part in parts):
                        yield node.lineno, ast.unparse(node)

    def _known(self, nodes: Sequence[ast.AST]) -> tuple[set[str], set[str]]:
        tuples: set[str] = set()
        sequences: set[str] = set()
        for node in nodes:
            match node:
                case (
                    ast.arg(arg=name, annotation=annotation)
                    | ast.AnnAssign(target=ast.Name(id=name), annotation=annotation)
                ):
                    tuples |= {name} if self._is_named(annotation) else set()
                    sequences |= {name} if self._is_sequence(annotation) else set()
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    call = value.value if isinstance(value, ast.Await) else value
                    if isinstance(call, ast.Call) and _last_name(call.func) in self._makers:
                        tuples.add(name)
        return tuples, sequences

    def _is_named(self, annotation: ast.expr | None) -> bool:
        match annotation:
            case ast.BinOp(left=left, right=right):  # … | None
                return self._is_named(left) or self._is_named(right)
            case ast.Name() | ast.Attribute():
                return _last_name(annotation) in self._classes
        return False

    def _is_sequence(self, annotation: ast.expr | None) -> bool:
        match annotation:
            case ast.Subscript(value=of, slice=ast.Tuple(elts=[item, ast.Constant(value=value)])):
                return _last_name(of) == "tuple" and value is ... and self._is_named(item)
            case ast.Subscript(value=of, slice=item):
                return _last_name(of) in _SEQUENCES and self._is_named(item)
        return False


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_number(index: ast.expr) -> bool:
    number = index.operand if isinstance(index, ast.UnaryOp) else index
    return isinstance(number, ast.Constant) and isinstance(number.value, int)
