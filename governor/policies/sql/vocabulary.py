"""What statements are called and what they do: verbs, effect classes, rules."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from governor.decisions import Severity
from governor.wording import did_you_mean


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LOW, _MEDIUM, _HIGH, _CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

CLASSES: dict[str, Severity] = {
    "drop": _CRITICAL,
    "truncate": _CRITICAL,
    "delete": _CRITICAL,
    "exec": _CRITICAL,
    "attach": _CRITICAL,
    "file": _CRITICAL,
    "network": _CRITICAL,
    "dcl": _HIGH,
    "alter": _HIGH,
    "update": _HIGH,
    "insert": _HIGH,
    "create": _HIGH,
    "session": _HIGH,
    "lock": _MEDIUM,
    "transaction": _MEDIUM,
    "maintenance": _MEDIUM,
    "sleep": _MEDIUM,
    "read": _LOW,
}
"""Effect classes with what each costs; of equally severe ones the first is reported."""

RULES: dict[str, Severity] = {
    "unbounded-write": _CRITICAL,
    "executable-comment": _CRITICAL,
    "statements": _HIGH,
    "table": _HIGH,
    "column": _HIGH,
    "characters": _MEDIUM,
    "unparsable": _MEDIUM,
    "opaque": _MEDIUM,
    "explain": _MEDIUM,
    "function": _MEDIUM,
    "size": _MEDIUM,
    "argument": _MEDIUM,
    "empty": _LOW,
}
"""Reason codes of findings that no effect class names."""

_VERBS_OF = {
    "read": "SELECT SHOW DESCRIBE",
    "insert": "INSERT",
    "update": "UPDATE MERGE",
    "delete": "DELETE REPLACE",
    "truncate": "TRUNCATE",
    "drop": "DROP PURGE",
    "alter": "ALTER RENAME COMMENT",
    "create": "CREATE UNDROP",
    "dcl": "GRANT REVOKE DENY REASSIGN SECURITY",
    "session": "SET RESET USE PRAGMA DISCARD DEALLOCATE DECLARE FETCH MOVE CLOSE LISTEN UNLISTEN NOTIFY",
    "transaction": "BEGIN COMMIT ROLLBACK SAVEPOINT RELEASE",
    "exec": "CALL EXECUTE DO PREPARE KILL SHUTDOWN HANDLER",
    "file": "COPY LOAD UNLOAD EXPORT IMPORT PUT GET REMOVE INSTALL BACKUP RESTORE",
    "attach": "ATTACH DETACH",
    "lock": "LOCK UNLOCK",
    "maintenance": "VACUUM ANALYZE REINDEX OPTIMIZE CLUSTER CHECKPOINT REFRESH CACHE UNCACHE FLUSH",
    "sleep": "WAITFOR",
}
VERBS: dict[str, str] = {verb: kind for kind, verbs in _VERBS_OF.items() for verb in verbs.split()}
"""Every verb with the class that it belongs to by nature."""

SYNONYMS = {
    "EXEC": "EXECUTE",
    "START": "BEGIN",
    "END": "COMMIT",
    "ABORT": "ROLLBACK",
    "DESC": "DESCRIBE",
    "RM": "REMOVE",
}

SHOWN = 60
"""Letters of a name that a reason repeats; names are the agent's and may be long."""

DIALECTS = ("sqlite", "postgres", "mysql", "duckdb", "tsql", "bigquery", "snowflake")

UNSEEN = words(
    """
    CALL EXECUTE DO PREPARE KILL SHUTDOWN HANDLER COPY LOAD UNLOAD EXPORT IMPORT PUT GET REMOVE INSTALL
    BACKUP RESTORE DECLARE WAITFOR CACHE UNCACHE
    """
)
"""Verbs that run code or move files which a policy does not see: only `allow` permits them."""

PRAGMA_READS_OF = words(
    """
    foreign_key_check foreign_key_list index_info index_list index_xinfo integrity_check quick_check
    table_info table_list table_xinfo
    """
)
PRAGMA_READS = PRAGMA_READS_OF | words(
    """
    analysis_limit application_id auto_vacuum automatic_index busy_timeout cache_size cache_spill
    cell_size_check checkpoint_fullfsync collation_list compile_options count_changes data_version
    database_list database_size default_cache_size defer_foreign_keys encoding foreign_keys freelist_count
    full_column_names fullfsync function_list functions hard_heap_limit ignore_check_constraints
    journal_mode journal_size_limit legacy_alter_table lock_status locking_mode max_page_count mmap_size
    module_list page_count page_size pragma_list query_only read_uncommitted recursive_triggers
    reverse_unordered_selects schema_version secure_delete short_column_names show_databases show_tables
    soft_heap_limit synchronous temp_store threads trusted_schema user_version version wal_autocheckpoint
    writable_schema
    """
)
"""Pragmas that only read where they are given no value."""

_ALSO_DENIED_BY = {"truncate": {"delete", "DELETE"}, "read": {"SELECT"}}


class Deed(NamedTuple):
    """One thing that a statement does: the verb that asks for it, and its class."""

    verb: str
    kind: str

    @property
    def objection(self) -> Objection:
        """Naming the class where the verb alone does not tell it."""
        known = VERBS.get(self.verb) == self.kind
        reason = f"`{self.verb}` is denied" if known else f"`{self.verb}` ({self.kind}) is denied"
        return Objection(self.kind, reason, self.verb)

    @property
    def denied_by(self) -> frozenset[str]:
        """The names that deny this deed: its verb, and all that does the same."""
        return self.allowed_by | _ALSO_DENIED_BY.get(self.kind, set())

    @property
    def allowed_by(self) -> frozenset[str]:
        """The names that allow this deed; fewer than those that deny it."""
        return frozenset({self.verb, self.kind, self.kind.upper()})


class Objection(NamedTuple):
    """Why a text may not run: a rule of `CLASSES` or `RULES`, and words for the agent."""

    rule: str
    reason: str
    verb: str = ""


def loosely(name: str) -> str:
    """A name without case and accents, as the most lenient engine compares names."""
    if name.isascii():
        return name.lower()
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def canonical(name: str) -> str:
    """`drop` and `Drop` are `DROP`, `DCL` is `dcl`; raises `ValueError` for unknown names."""
    upper, lower = name.upper(), name.lower()
    upper = SYNONYMS.get(upper, upper)
    if upper in VERBS:
        return upper
    if lower in CLASSES:
        return lower
    raise ValueError(f"unknown verb `{name}`{did_you_mean(upper, [*VERBS, *SYNONYMS, *CLASSES])}")


def canonical_rule(name: str) -> str:
    """The key of a severity: a rule, an effect class or a verb; raises `ValueError` for others."""
    if name.lower() in RULES or name.lower() in CLASSES:
        return name.lower()
    try:
        return canonical(name)
    except ValueError:
        known = [*RULES, *CLASSES, *VERBS]
        raise ValueError(f"unknown rule `{name}`{did_you_mean(name, known)}") from None
