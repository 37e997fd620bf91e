"""Statements that are known by their first words, without a syntax tree."""

from __future__ import annotations

import re

from governor.policies.sql.names import Names
from governor.policies.sql.statements import Statement
from governor.policies.sql.vocabulary import (
    DIALECTS,
    PRAGMA_READS,
    PRAGMA_READS_OF,
    SYNONYMS,
    UNSEEN,
    VERBS,
    Deed,
    Objection,
)
from governor.policies.sql.vocabulary import words as word_set

EXPLAINS = frozenset({"EXPLAIN", "DESCRIBE"})
EXPLAINED_TAKES_EFFECT = EXPLAINS | {"PRAGMA", "ATTACH", "DETACH", "VACUUM"}
"""SQLite runs some of these while it prepares the explanation."""

_PRAGMA = re.compile(r"PRAGMA (?:\w+ \. )?(?P<name>\w+)(?P<value> = \S+| \( \S+ \))?")

_MODES = (
    "(?: (?:TRANSACTION|TRAN|WORK|DEFERRED|IMMEDIATE|EXCLUSIVE|CONCURRENT|READ|ONLY|WRITE|ISOLATION|LEVEL"
    "|SERIALIZABLE|REPEATABLE|COMMITTED|UNCOMMITTED|SNAPSHOT|WITH|CONSISTENT|AND|NO|CHAIN|NOT|DEFERRABLE|,))*"
)
_TRANSACTIONS = re.compile(
    rf"(?:BEGIN|START|COMMIT|END){_MODES}|(?:ROLLBACK|ABORT){_MODES}(?: TO(?: SAVEPOINT)? \w+)?"
    r"|SAVEPOINT \w+|RELEASE(?: SAVEPOINT)? \w+"
)
_DML = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"})

_READ_WHOLLY = word_set(
    """
    VACUUM ANALYZE REINDEX OPTIMIZE CLUSTER CHECKPOINT REFRESH LISTEN UNLISTEN NOTIFY RESET DISCARD
    DEALLOCATE CLOSE MOVE FETCH USE GRANT REVOKE REASSIGN SECURITY FLUSH LOCK UNLOCK COMMENT RENAME
    """
)
"""Verbs that can do one thing only, whatever follows them."""

_MAY_QUERY = {("SHOW", "duckdb"), *(("SET", dialect) for dialect in DIALECTS if dialect != "postgres")}
"""Where SHOW and SET can hold a query."""

_ADDS_COLUMN = re.compile(r"ALTER TABLE (?:\w+ \. )?\w+ ADD (?:COLUMN )?\w+")
_DROPS_COLUMN = re.compile(r"ALTER TABLE (?:\w+ \. )?\w+ DROP (?:COLUMN )?\w+")
"""What SQLite allows and sqlglot does not parse: no type, no word COLUMN."""


def form_of(words: tuple[str, ...], dialect: str) -> Statement | None:
    """The statement where its first words tell all; None where a tree is needed."""
    text = " ".join(words)
    first = text.split(" ")[0]  # of tokens such as LOCK TABLES
    verb = SYNONYMS.get(first, first)
    if _TRANSACTIONS.fullmatch(text):
        return Statement((Deed(verb, "transaction"),))
    if verb in UNSEEN:
        unread = Objection("opaque", f"what `{verb}` does cannot be judged")
        return Statement(_deeds(verb, text, dialect), unread, names=_names(words))
    if dialect == "tsql":  # statements follow one another without a semicolon
        return None
    if verb == "ANALYZE" and not _DML.isdisjoint(words):  # MariaDB runs the statement and explains it
        return None
    if verb in {"SHOW", "SET"} and (verb, dialect) not in _MAY_QUERY:
        return Statement(_deeds(verb, text, dialect))
    if _DROPS_COLUMN.fullmatch(text):
        return Statement((Deed("DROP", "drop"), Deed("ALTER", "alter")), names=_names(words))
    if verb in _READ_WHOLLY or _ADDS_COLUMN.fullmatch(text):
        return Statement(_deeds(verb, text, dialect), names=_names(words))
    return None


def _deeds(verb: str, text: str, dialect: str) -> tuple[Deed, ...]:
    deeds = [Deed(verb, "file" if verb == "VACUUM" and re.search(r"\bINTO\b", text) else VERBS[verb])]
    if (verb == "COPY" and "PROGRAM" in text) or (verb == "LOAD" and dialect in {"postgres", "duckdb"}):
        deeds.append(Deed("EXECUTE", "exec"))
    return tuple(deeds)


def _names(words: tuple[str, ...]) -> Names:
    """Every word after the verb may be the name of a table, and all of it may be taken."""
    found = sorted(set(re.findall(r"\w+", " ".join(words[1:]).lower())))
    return Names(tables=tuple(found), words=frozenset(found), whole_rows=words[0] == "COPY")


def pragma(words: tuple[str, ...]) -> Statement:
    """`PRAGMA name`, which reads, or `PRAGMA name = value`, which may set."""
    found = _PRAGMA.fullmatch(" ".join(words))
    name, value = (found["name"].lower(), found["value"] or "") if found else ("", "")
    reads = name in (PRAGMA_READS_OF if value else PRAGMA_READS)
    deed = Deed("PRAGMA", "read" if reads else "session")
    return Statement((deed,), names=_names(("PRAGMA", value)))


def description(verb: str, words: tuple[str, ...], dialect: str) -> Statement | None:
    """`DESCRIBE orders`, where `words` follow the verb."""
    if verb == "EXPLAIN" and dialect != "mysql":
        return None
    if not re.fullmatch(r"(?:(?:TABLE|VIEW|SCHEMA) )?\w+(?: \. \w+)*", " ".join(words)):
        return None
    return Statement((Deed("DESCRIBE", "read"),), names=_names(("", *words)))


def options(words: tuple[str, ...], dialect: str) -> int:
    """How many words after `EXPLAIN` are its options."""
    at = 0
    if dialect == "sqlite":
        return 2 if words[:2] == ("QUERY", "PLAN") else 0
    if words[:1] == ("(",) and words[1:2] and words[1] not in {*_DML, "(", "VALUES", "TABLE", "FROM"}:
        at = words.index(")") + 1
        return at if "(" not in words[1:at] else 0
    while words[at] in {"ANALYZE", "ANALYSE", "VERBOSE", "EXTENDED", "FORMAT", "=", "JSON", "TREE", "TEXT",
                        "TRADITIONAL", "USING", "TABULAR"}:  # fmt: skip
        at += 1
    return at
