"""SQL text to what its statements do; what cannot be read is an objection."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple, cast

from sqlglot.dialects.dialect import Dialect
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from governor.policies.sql.forms import (
    EXPLAINED_TAKES_EFFECT,
    EXPLAINS,
    description,
    form_of,
    options,
    pragma,
)
from governor.policies.sql.statements import Statement, summarise
from governor.policies.sql.vocabulary import SYNONYMS, VERBS, Deed, Objection
from governor.policies.sql.vocabulary import words as word_set

# It logs the text of what it cannot parse; here decisions are recorded, not logged.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000"
    "\ufeff\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_EXECUTABLE = re.compile(r"/\*(?:!|M!|\+)")
_NESTED_COMMENT = re.compile(r"/\*(?:(?!\*/).)*/\*", re.DOTALL)
_ESCAPED_NAME = re.compile(r'\bu&"', re.IGNORECASE)
_DASHES_WITHOUT_SPACE = re.compile(r"--(?=\S)")

_UNPARSABLE = Objection("unparsable", "the text cannot be read as SQL of this dialect")

_DEEPEST = 24
"""Levels of nesting: far below where Python's stack, not the text, would decide."""

_OPENING, _CLOSING = frozenset({"(", "[", "{", "CASE"}), frozenset({")", "]", "}", "END"})
_PREFIXES = word_set("NOT - + ~ ! @ EXISTS ANY ALL SOME INTERVAL DISTINCT LATERAL PRIOR VARIADIC BINARY")

_SYNTAX_FUNCTIONS = word_set(
    """
    ARRAY CAST CEIL CHAR CONVERT DATE_PART DECODE EXTRACT FLOOR GROUP_CONCAT JSON_ARRAYAGG JSON_OBJECT
    JSON_OBJECTAGG JSON_TABLE LISTAGG MATCH NORMALIZE OVERLAY POSITION SAFE_CAST STRING_AGG SUBSTRING TRIM
    TRY_CAST TRY_CONVERT VALUES XMLELEMENT XMLTABLE
    """
)
"""Calls whose arguments have a grammar of their own; every other call keeps its written name."""


class _Written(NamedTuple):
    """One statement as it was written: some tokens of a text."""

    text: str
    tokens: tuple[Token, ...]
    dialect: str

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(token.text.upper() for token in self.tokens)

    @property
    def verb(self) -> str:
        first = self.tokens[0].text.upper()
        return SYNONYMS.get(first, first)

    @property
    def stop(self) -> int:
        return self.tokens[-1].end + 1


@lru_cache(maxsize=1024)
def read(text: str, dialect: str) -> tuple[Statement | Objection, ...]:
    """The statements of `text` in their order, or one objection; never raises.

    A function of its arguments alone: nothing of the parser's messages is
    passed on, as some of them depend on the hash seed.
    """
    if objection := _before_parsing(text, dialect):
        return (objection,)
    try:
        found = tuple(_read_one(written) for written in _split(text, dialect))
    except Exception:  # noqa: BLE001 - parsers fail in many ways, and what cannot be parsed is not run
        return (_UNPARSABLE,)
    return found or (Objection("empty", "there is no statement to run"),)


def _before_parsing(text: str, dialect: str) -> Objection | None:
    """Object to what makes an engine and a parser see different statements."""
    if _HIDDEN.search(text):
        return Objection("characters", "control characters and look-alike spaces are not allowed")
    if _EXECUTABLE.search(text):
        return Objection("executable-comment", "comments that an engine executes are not allowed")
    if _NESTED_COMMENT.search(text):
        return Objection("characters", "a comment within a comment is not allowed")
    if _ESCAPED_NAME.search(text):
        return Objection("characters", "names with unicode escapes are not allowed")
    if dialect == "mysql" and _DASHES_WITHOUT_SPACE.search(text):
        return Objection("characters", "`--` must be followed by a space to be a comment")
    return None


def _split(text: str, dialect: str) -> Iterator[_Written]:
    tokens: list[Token] = []
    for token in _engine(dialect).tokenize(text):
        if token.token_type == TokenType.NUMBER and _follows_placeholder(token, tokens):
            continue
        if token.token_type != TokenType.SEMICOLON:
            tokens.append(token)
        elif tokens:
            yield _without_comments(_Written(text, tuple(tokens), dialect))
            tokens = []
    if tokens:
        yield _without_comments(_Written(text, tuple(tokens), dialect))


def _without_comments(written: _Written) -> _Written:
    """The same tokens alone: sqlglot knows ORDER BY, but not with a comment in between.

    Of statements that it does not look into, such as EXPLAIN, the rest is one
    token; that is split later.
    """
    engine = _engine(written.dialect)
    unseen = written.tokens[0].token_type in engine.tokenizer_class.COMMANDS
    if unseen or not any(token.comments for token in written.tokens):
        return written
    parts: list[str] = []
    end = 0
    for token in written.tokens:
        parts.append(("" if token.start == end else " ") + written.text[token.start : token.end + 1])
        end = token.end + 1
    text = "".join(parts)
    return _Written(text, tuple(engine.tokenize(text)), written.dialect)


def _follows_placeholder(token: Token, before: list[Token]) -> bool:
    """The number of a parameter, as in `?2`, which sqlglot does not parse."""
    return bool(before) and before[-1].text == "?" and before[-1].end + 1 == token.start


def _read_one(written: _Written) -> Statement | Objection:
    words, dialect = written.words, written.dialect
    if _too_deep(written):
        return Objection("size", f"the statement is nested deeper than {_DEEPEST} levels")
    if written.verb in EXPLAINS and dialect != "tsql":  # there it would be a stored procedure
        return _read_explained(written)
    if written.verb == "PRAGMA" and dialect in {"sqlite", "duckdb"}:
        return pragma(words)
    if statement := form_of(words, dialect):
        return statement
    if written.verb == "REPLACE":
        as_insert = "INSERT" + written.text[written.tokens[0].end + 1 : written.stop]
        return _parse(_only(as_insert, dialect), Deed("REPLACE", "delete"))
    if dialect == "sqlite" and words[:2] == ("UPDATE", "OR"):
        deeds = [Deed("REPLACE", "delete")] if words[2:3] == ("REPLACE",) else []
        return _parse(written._replace(tokens=(written.tokens[0], *written.tokens[3:])), *deeds)
    if dialect == "sqlite" and words[0] == "CREATE" and words[-2:] == ("WITHOUT", "ROWID"):
        return _parse(written._replace(tokens=written.tokens[:-2]))
    return _parse(written)


def _read_explained(written: _Written) -> Statement | Objection:
    """What is explained counts as done: some engines run it, and some options run it everywhere."""
    rest = written.text[written.tokens[0].end + 1 : written.stop]
    inner = _only(rest, written.dialect)
    if statement := description(written.verb, inner.words, written.dialect):
        return statement
    inner = inner._replace(tokens=inner.tokens[options(inner.words, written.dialect) :])
    if inner.verb in EXPLAINED_TAKES_EFFECT:
        return Objection("explain", f"`{written.verb} {inner.verb}` takes effect")
    return _read_one(inner)


def _only(text: str, dialect: str) -> _Written:
    [written] = _split(text, dialect)
    return written


def _parse(written: _Written, *also: Deed) -> Statement | Objection:
    """The statement by its syntax tree, doing `also` what the tree does not show.

    Where the tree fails, the first word still tells what was wanted.
    """
    parser = _parser_class(written.dialect)(dialect=_engine(written.dialect))
    try:
        [tree] = parser.parse(list(written.tokens), written.text)
        found = summarise(tree, written.dialect, also) if tree else _UNPARSABLE
    except Exception:  # noqa: BLE001 - as above
        found = _UNPARSABLE
    if isinstance(found, Objection) and written.verb in VERBS:
        return Statement((Deed(written.verb, VERBS[written.verb]), *also), unread=found)
    return found


def _too_deep(written: _Written) -> bool:
    """Whether parsing could end with the stack, or take for ever.

    sqlglot tries what follows the name of a type, and `[`, in two ways: its time
    doubles with every such level, so these count more.
    """
    types = _parser_class(written.dialect).TYPE_TOKENS
    levels: list[int] = []
    deepest = run = subscripts = 0
    previous: Token | None = None
    for token in written.tokens:
        word, before = token.text.upper(), previous.text.upper() if previous else ""
        if word in _OPENING:
            doubles = word == "[" or (previous is not None and previous.token_type in types)
            levels.append(_DEEPEST // 4 if doubles else 1)
        elif word in _CLOSING and levels:
            levels.pop()
        run = run + 1 if word in _PREFIXES and before in _PREFIXES else 0
        subscripts += word == "[" and before == "]"
        deepest = max(deepest, sum(levels), run, subscripts)
        previous = token
    return deepest > _DEEPEST


@cache
def _engine(dialect: str) -> Dialect:
    return Dialect.get_or_raise(dialect)


@cache
def _parser_class(dialect: str) -> type[Parser]:
    """The dialect's parser, made to keep the names of functions as they were written."""
    base = _engine(dialect).parser_class
    plain = {"CAST", "GROUP_CONCAT", "STRING_AGG"} if dialect == "sqlite" else _SYNTAX_FUNCTIONS
    parsers = {name: parse for name, parse in base.FUNCTION_PARSERS.items() if name in plain}
    return cast("type[Parser]", type("PlainParser", (base,), {"FUNCTIONS": {}, "FUNCTION_PARSERS": parsers}))
