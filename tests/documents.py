"""The project's Markdown pages: the commands, code, links and headings in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
_NOT_OURS = {".venv", "runs", "shared", "node_modules", ".git"}
PAGES = sorted(
    (page for page in ROOT.rglob("*.md") if not _NOT_OURS & set(page.relative_to(ROOT).parts)),
    key=lambda page: page.as_posix(),
)
_SCRIPT = r"(?:python3? |py -3 )?(?P<script>[\w/\\]+\.py)"


class Command(NamedTuple):
    """A line of a page's code block."""

    page: str  # path in the repository
    line: int
    text: str

    @property
    def words(self) -> list[str]:
        """Its words, without the quotes; of our own scripts the first is the script's path."""
        return shlex.split(re.sub(rf"^{_SCRIPT}", lambda match: match["script"], self.text), posix=True)

    @property
    def script(self) -> str | None:
        """The path of our script that it runs, if it does."""
        match = re.match(_SCRIPT, self.text)
        return match["script"].replace("\\", "/") if match else None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def tokens(page: Path) -> list[Token]:
    """All tokens of a page, those within paragraphs and tables, too."""
    blocks = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    return [token for block in blocks for token in (block, *(block.children or []))]


def commands(page: Path) -> list[Command]:
    """The lines of the indented blocks and of fenced ones without a language."""
    name = page.relative_to(ROOT).as_posix()
    found = []
    for token in tokens(page):
        if token.type == "code_block" or (token.type == "fence" and token.info in ("", "sh", "console")):
            first = token.map[0] + (1 if token.type == "code_block" else 2)
            lines = enumerate(token.content.splitlines())
            found += [Command(name, first + i, line.strip()) for i, line in lines if line]  # a list indents them more
    return found


def programs(page: Path) -> list[str]:
    """The Python code of a page."""
    return [token.content for token in tokens(page) if token.type == "fence" and token.info == "python"]


def code_spans(page: Path) -> list[str]:
    """The code within sentences and tables."""
    return [token.content for token in tokens(page) if token.type == "code_inline"]


def links(page: Path) -> list[str]:
    """Where links and pictures lead."""
    return [str(target) for token in tokens(page) for target in (token.attrGet("href"), token.attrGet("src")) if target]


def anchors(page: Path) -> set[str]:
    """The names by which GitHub finds the headings."""
    parsed = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    headings = [
        "".join(part.content for part in inline.children)
        for heading, inline in zip(parsed, parsed[1:], strict=False)
        if heading.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
