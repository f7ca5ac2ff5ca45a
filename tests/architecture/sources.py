"""Read the source tree as text and syntax, without importing any of it."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ("PACKAGES", "ROOT", "Source", "packages", "scripts", "unexplained")

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocol", "inspector", "tui")

_RULES = {
    "type: ignore": re.compile(r"#\s*type:\s*ignore(?P<rule>\[[a-z0-9, -]+\])?(?P<reason>.*)"),
    "noqa": re.compile(r"#\s*noqa(?P<rule>:\s*[A-Z]+[0-9]+(?:[, ]+[A-Z]+[0-9]+)*)?(?P<reason>.*)", re.IGNORECASE),
    "pragma: no": re.compile(r"#\s*pragma:\s*no (?P<rule>cover|branch)\b(?P<reason>.*)"),
}
# Comments that turn a tool off for a whole file.
_WHOLE_FILE = re.compile(r"#\s*(?:ruff|flake8):\s*noqa|#\s*mypy:\s*ignore|#\s*isort:\s*skip_file")


@dataclass(frozen=True)
class Source:
    """One module: `name` is its dotted name from the root of the tree."""

    name: str
    text: str
    is_package: bool = False

    @classmethod
    def read(cls, path: Path, root: Path = ROOT) -> "Source":
        parts = list(path.relative_to(root).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        if is_package:
            parts.pop()
        return cls(".".join(parts), path.read_text(encoding="utf-8"), is_package)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def imports(self) -> set[str]:
        """Dotted names that the module imports, anywhere in it, also for type checkers alone.

        `from a import b` gives `a` and `a.b`: whether `b` is a module can't be told from here.
        """
        return {name for names in self.import_statements() for name in names}

    def import_statements(self, *, typing_too: bool = True) -> list[list[str]]:
        """Dotted names by statement, relative ones resolved, what they are taken from first.

        `importlib.import_module("a")` counts too when its argument is written out.

        Args:
            typing_too: whether imports under `if TYPE_CHECKING:` count.
        """
        return [names for node in self._statements(typing_too) for names in self._imported(node)]

    def _statements(self, typing_too: bool) -> Iterator[ast.AST]:
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") and not typing_too:
                waiting.extend(node.orelse)
            else:
                waiting.extend(ast.iter_child_nodes(node))

    def _imported(self, node: ast.AST) -> Iterator[list[str]]:
        match node:
            case ast.Import(names=names):
                yield from ([alias.name] for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = ".".join(filter(None, [self._parent(level), module]))
                yield [base, *(f"{base}.{alias.name}" for alias in names if alias.name != "*")]
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]):
                if ast.unparse(function) in {"__import__", "import_module", "importlib.import_module"}:
                    yield [name]

    def _parent(self, level: int) -> str:
        if level == 0:
            return ""
        parts = self.name.split(".")
        return ".".join(parts[: len(parts) - level + self.is_package])

    @cached_property
    def exports(self) -> tuple[str, ...] | None:
        """What `__all__` says; None when it is missing or anything but a tuple of strings written out."""
        for node in self.tree.body:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id="__all__")], value=ast.Tuple(elts=elements))
                    | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.Tuple(elts=elements))
                ):
                    names = [e.value for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str)]
                    return tuple(names) if len(names) == len(elements) else None
        return None

    @cached_property
    def defined(self) -> set[str]:
        """Names that top-level statements bind, also those in the branches of an `if`, `try` or `with`."""
        names: set[str] = set()
        waiting: list[ast.stmt] = list(self.tree.body)
        while waiting:
            node = waiting.pop()
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
                # A type variable is a letter in the signatures of its own module, not a thing to import.
                case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "ParamSpec" | "TypeVarTuple"))):
                    pass
                case ast.Assign(targets=targets):
                    names |= {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
                case ast.AnnAssign(target=ast.Name(id=name)):
                    names.add(name)
                case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                    waiting.extend(
                        child for child in ast.walk(node) if isinstance(child, ast.stmt) and child is not node
                    )
        return names

    @cached_property
    def bound_by_import(self) -> set[str]:
        """Names that a top-level import binds."""
        return {
            (alias.asname or alias.name).split(".")[0]
            for node in self.tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        """Each comment with its line, counted from 1."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def unexplained(comment: str) -> str | None:
    """Say what is wrong with a comment that turns a check off; None if it is in order, or no such comment.

    In order is one that names its rule and says in words why, after the rule.
    """
    if _WHOLE_FILE.search(comment):
        return "turns a tool off for the whole file"
    for kind, pattern in _RULES.items():
        if found := pattern.search(comment):
            if found["rule"] is None:
                return f"{kind} names no rule"
            if len(re.findall(r"\w{2,}", found["reason"])) < 2:
                return f"{kind} gives no reason"
    return None


def packages() -> list[Source]:
    """Every module of the three packages."""
    return [Source.read(path) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def scripts() -> list[Source]:
    """Every other Python file of the project: tests, benchmarks, docs, what the gates run."""
    return [Source.read(path) for folder in ("tests", "docs", ".ci") for path in sorted((ROOT / folder).rglob("*.py"))]
