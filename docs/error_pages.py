"""Write docs/errors.md and docs/errors/*.json from the error table: ``python -m docs.error_pages``."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from protocol.errors import TABLE, ErrorInfo

__all__ = ("main", "pages")

_HEAD = """# Errors

Every error that a host sends is `{rid, group, code, message, metadata}`: `group` and `code` are one of the rows below,
`message` is one sentence for people and may change, `metadata` may be absent, or hold fewer keys than are listed.
A client that meets a row it does not know shows its message. Each row is also a file, `errors/<group>.<code>.json`.

"Blame" says who can do something about it: the `caller`, the program of the `actor`, the `host`, or `nobody`.

This page is written from the table in `protocol/errors.py` by `python -m docs.error_pages`.

| error | meaning | blame |
|---|---|---|
"""


def pages() -> dict[str, str]:
    """Make every page: its text by its path under docs/."""
    files = {f"errors/{name}.json": _as_json(row) for name, row in TABLE.items()}
    return files | {"errors.md": _as_markdown()}


def main(docs: Path = Path(__file__).parent) -> None:
    """Write every page under `docs`, and remove those of rows that are no more."""
    files = pages()
    (docs / "errors").mkdir(exist_ok=True)
    for path in (docs / "errors").iterdir():
        if f"errors/{path.name}" not in files:
            path.unlink()
    for name, text in files.items():
        (docs / name).write_text(text, encoding="utf-8")


def _as_json(row: ErrorInfo) -> str:
    return json.dumps(msgspec.to_builtins(row), indent=2, ensure_ascii=False) + "\n"


def _as_markdown() -> str:
    index = "".join(
        f"| [`{row.name}`](#{row.name.replace('.', '')}) | {row.meaning} | {row.blame} |\n" for row in TABLE.values()
    )
    return _HEAD + index + "".join(map(_section, TABLE.values()))


def _section(row: ErrorInfo) -> str:
    metadata = "".join(f"- `{key}`: {text}\n" for key, text in row.metadata.items())
    told = f"\nMetadata:\n\n{metadata}" if metadata else ""
    return f"\n## {row.name}\n\n{row.meaning}\n\nBlame: {row.blame}. {row.remedy}\n{told}"


if __name__ == "__main__":
    main()
