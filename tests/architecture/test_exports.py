"""Every module says what it exports, all of it and nothing else."""

import ast
import importlib

import pytest

from tests.architecture.sources import Source, packages


def faults(source: Source) -> list[str]:
    """What is wrong with a module's `__all__`."""
    exports = source.exports
    if exports is None:
        return ["__all__ is not a tuple of strings, written out"]
    public = {name for name in source.defined if not name.startswith("_")}
    known = source.defined | source.bound_by_import
    return [
        *(f"{name} is public and not in __all__" for name in sorted(public - set(exports))),
        *(f"{name} is in __all__ and nowhere else" for name in sorted(set(exports) - known)),
        *(f"{name} is in __all__ twice" for name in sorted({n for n in exports if exports.count(n) > 1})),
    ]


def more_than_exports(package: Source) -> list[str]:
    """The statements of an `__init__` that do more than to re-export."""
    return [
        ast.unparse(node).split("\n")[0]
        for node in package.tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    ]


@pytest.mark.parametrize("source", packages(), ids=lambda source: source.name)
def test_all_is_a_complete_tuple(source: Source) -> None:
    assert faults(source) == []


# Importing a `__main__` runs it.
@pytest.mark.parametrize(
    "source", [s for s in packages() if not s.name.endswith(".__main__")], ids=lambda source: source.name
)
def test_every_exported_name_can_be_had(source: Source) -> None:
    module = importlib.import_module(source.name)
    assert [name for name in source.exports or () if not hasattr(module, name)] == []


@pytest.mark.parametrize("source", [s for s in packages() if s.is_package], ids=lambda source: source.name)
def test_init_only_exports(source: Source) -> None:
    assert more_than_exports(source) == []
    assert source.bound_by_import == set(source.exports or ())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("__all__ = ('f',)\ndef f(): ...", []),
        ("from a import b\n__all__ = ('b',)", []),
        ("__all__ = ()\n_T = 1\nP = ParamSpec('P')\nfor _x in (): pass", []),
        ("__all__ = ['f']\ndef f(): ...", ["__all__ is not a tuple of strings, written out"]),
        ("def f(): ...", ["__all__ is not a tuple of strings, written out"]),
        ("__all__ = ()\nclass C: ...", ["C is public and not in __all__"]),
        (
            "__all__ = ()\nif x:\n    A, b = 1, 2",
            ["A is public and not in __all__", "b is public and not in __all__"],
        ),
        ("__all__ = ('g', 'g')", ["g is in __all__ and nowhere else", "g is in __all__ twice"]),
    ],
)
def test_a_fault_is_found(text: str, found: list[str]) -> None:
    assert found == faults(Source("p.a", text))


def test_code_in_an_init_is_found() -> None:
    package = Source("p", '"""Doc."""\nfrom .a import b\n__all__ = ("b",)\nb()\nC = 1', is_package=True)
    assert more_than_exports(package) == ["b()", "C = 1"]
