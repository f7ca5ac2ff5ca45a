"""What pyproject.toml asks for, the locks pin, each with hashes, and the installed package agrees."""

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.architecture.sources import PACKAGES, ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")


def pins(text: str) -> dict[str, tuple[Requirement, int]]:
    """Read a lock: name -> requirement and number of hashes."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found: dict[str, tuple[Requirement, int]] = {}
    for line in joined.splitlines():
        if not line or line.lstrip().startswith("#"):
            continue
        requirement = Requirement(line.split(" --hash=")[0])
        found[canonicalize_name(requirement.name)] = (
            requirement,
            len(re.findall(r" --hash=sha256:[0-9a-f]{64}\b", line)),
        )
    return found


def lock(name: str) -> dict[str, tuple[Requirement, int]]:
    return pins((ROOT / name).read_text(encoding="utf-8"))


def unmet(wanted: list[str], locked: dict[str, tuple[Requirement, int]]) -> Iterator[str]:
    """The requirements that no pin satisfies."""
    for text in wanted:
        requirement = Requirement(text)
        pin = locked.get(canonicalize_name(requirement.name))
        if pin is None or not all(requirement.specifier.contains(s.version) for s in pin[0].specifier):
            yield text


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        (
            "requirements-build.lock",
            PROJECT["dependency-groups"]["build"] + PROJECT["build-system"]["requires"],
        ),
        ("requirements-dev.lock", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
    ],
)
def test_a_lock_pins_what_the_project_asks_for(name: str, wanted: list[str]) -> None:
    assert list(unmet(wanted, lock(name))) == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_exact_hashed_and_bound_to_no_index(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"https?://|file:|^\s*-(?!-hash)", text, re.MULTILINE) == []
    for requirement, hashes in lock(name).values():
        assert [specifier.operator for specifier in requirement.specifier] == ["=="]
        assert hashes > 0


def test_the_dev_lock_holds_the_others_pin_for_pin() -> None:
    def versions(name: str) -> dict[str, tuple[SpecifierSet, int]]:
        # Without markers: what users need on some platform, a tool may need on all.
        return {name: (requirement.specifier, hashes) for name, (requirement, hashes) in lock(name).items()}

    dev = versions("requirements-dev.lock")
    for name in LOCKS[:2]:
        assert versions(name).items() <= dev.items()


def test_unmet_requirements_are_found() -> None:
    locked = pins("Alpha==1.2 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via beta\n")
    assert (Requirement("Alpha==1.2"), 1) == locked["alpha"]
    assert list(unmet(["alpha>=1", "alpha>=2", "beta"], locked)) == ["alpha>=2", "beta"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_typed_and_part_of_the_wheel(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    assert package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_the_installed_package_is_this_one() -> None:
    installed = metadata.distribution("inspector-tui")
    assert PROJECT["project"]["version"] == installed.version
    scripts = {entry.name: entry.value for entry in installed.entry_points if entry.group == "console_scripts"}
    assert PROJECT["project"]["scripts"] == scripts
    assert SpecifierSet(">=3.11") == SpecifierSet(PROJECT["project"]["requires-python"])


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = Path(ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
