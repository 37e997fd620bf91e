"""Which nodes of a syntax tree are understood, and what each of them does."""

from __future__ import annotations

import re

from sqlglot import exp

from governor.policies.sql.vocabulary import Deed, words

DEEDS: dict[type[exp.Expr], Deed] = {
    exp.Select: Deed("SELECT", "read"),
    exp.Union: Deed("SELECT", "read"),
    exp.Intersect: Deed("SELECT", "read"),
    exp.Except: Deed("SELECT", "read"),
    exp.Returning: Deed("SELECT", "read"),
    exp.Summarize: Deed("SELECT", "read"),
    exp.Show: Deed("SHOW", "read"),
    exp.Insert: Deed("INSERT", "insert"),
    exp.Update: Deed("UPDATE", "update"),
    exp.Delete: Deed("DELETE", "delete"),
    exp.TruncateTable: Deed("TRUNCATE", "truncate"),
    exp.Drop: Deed("DROP", "drop"),
    exp.Alter: Deed("ALTER", "alter"),
    exp.Create: Deed("CREATE", "create"),
    exp.Into: Deed("INTO", "create"),
    exp.Undrop: Deed("UNDROP", "create"),
    exp.Lock: Deed("LOCK", "lock"),
    exp.Set: Deed("SET", "session"),
    exp.Use: Deed("USE", "session"),
    exp.Attach: Deed("ATTACH", "attach"),
    exp.Detach: Deed("DETACH", "attach"),
    exp.Grant: Deed("GRANT", "dcl"),
    exp.Revoke: Deed("REVOKE", "dcl"),
}
"""What a node does wherever in a statement it stands."""

ROOTS = frozenset({*DEEDS, exp.Values, exp.Subquery, exp.Merge, exp.MultitableInserts}) - {
    exp.Returning,
    exp.Into,
    exp.Lock,
}
"""Nodes that may be a statement; anything else at the root was not understood."""

CREATED = frozenset({"TABLE", "VIEW", "INDEX", "SCHEMA", "SEQUENCE", "DATABASE", "TYPE"})
"""What may be created; the rest (functions, triggers, ..) holds code that is not read."""

FILE_NAME = re.compile(r"[/\\:*?]|\.|^(?:csv|tsv|parquet|json|jsonl|ndjson|gz|zst|xlsx|arrow|feather|db)$")
"""Names of tables that DuckDB opens as files, with the last part of `data.csv`."""

TSQL_STATEMENTS = words(
    """
    ALTER BACKUP BEGIN BREAK BULK CHECKPOINT CLOSE COMMIT CONTINUE CREATE DBCC DEALLOCATE DECLARE DELETE
    DENY DROP DUMP ELSE END EXEC EXECUTE EXIT FETCH GO GOTO GRANT IF INSERT KILL LOAD MERGE OPEN PRINT
    RAISERROR READTEXT RECONFIGURE RESTORE RETURN REVERT REVOKE ROLLBACK SAVE SELECT SET SETUSER SHUTDOWN
    THROW TRUNCATE UPDATE UPDATETEXT USE WAITFOR WHILE WITH WRITETEXT
    """
)
"""Words that start a statement in T-SQL, and that sqlglot takes for aliases."""

MODULES = words("fts3 fts4 fts5 fts5vocab fts3tokenize rtree rtree_i32 geopoly")
"""Virtual tables of SQLite that keep their data in the database; others may read files."""

_SYNTAX = words(
    """
    AddConstraint Alias Aliases All AlterColumn AlterIndex AlterRename Anonymous AnonymousAggFunc Any
    Array AtTimeZone BitString Boolean Bracket ByteString CTE Case Cast Check Collate Column
    ColumnConstraint ColumnDef ColumnPosition ConditionalInsert Constraint Cube CurrentCatalog CurrentDate
    CurrentDatetime CurrentRole CurrentSchema CurrentTime CurrentTimestamp CurrentTimestampLTZ CurrentUser
    DataType DataTypeParam Distinct Dot Escape Exists Fetch Filter ForeignKey From FromTimeZone
    GrantPrincipal GrantPrivilege Group GroupingSets Having HavingMax HexString Hint Identifier If
    IgnoreNulls In Index IndexColumnConstraint IndexParameters IndexTableHint Interval IntervalSpan
    Introducer JSONKeyValue JSONPath Join Kwarg Lambda Lateral Limit LimitOptions Literal Localtime
    Localtimestamp MatchAgainst National Not Null ObjectIdentifier Offset OnCondition OnConflict Opclass
    Order Ordered Parameter Paren Pivot PivotAlias PivotAny Placeholder PrimaryKey Properties PropertyEQ
    Qualify RawString Reference RenameColumn RespectNulls Rollup SafeFunc Schema Semicolon
    SessionParameter SessionUser SetItem Slice Star Struct Subquery Table TableAlias TableFromRows
    TableSample TryCast Tuple UnicodeString Unnest UnpivotColumns Values Var Variadic When Whens Where
    Window WindowSpec With WithTableHint WithinGroup
    """
)
_CALLS = words(
    """
    Abs And ArrayAgg ArrayContainedBy ArrayContainsAll ArrayOverlaps Cbrt Ceil Chr Coalesce Concat
    ConcatWs Convert ConvertToCharset Decode DecodeCase Extract Floor GroupConcat JSONArrayAgg
    JSONBContains JSONBExtract JSONBExtractScalar JSONCast JSONColumnDef JSONExtract JSONExtractArray
    JSONExtractScalar JSONObject JSONObjectAgg JSONSchema JSONTable Normalize Or Overlay Pow RegexpILike
    RegexpLike Sqrt StrPosition Substring TimestampTrunc ToChar Trim Uuid XMLElement XMLNamespace XMLTable
    Xor
    """
)
"""Calls with a grammar of their own, and operators that are functions."""
_PROPERTIES = words(
    """
    AutoIncrementProperty CharacterSetProperty CollateProperty EngineProperty MaterializedProperty
    ModuleProperty Property SchemaCommentProperty StrictProperty TemporaryProperty TransientProperty
    UnloggedProperty VirtualProperty
    """
)
"""What may be said of a thing that is created."""
_BASES = (exp.Binary, exp.Unary, exp.Predicate, exp.Connector, exp.JSONPathPart, exp.ColumnConstraintKind)

UNDERSTOOD = (
    ROOTS
    | frozenset(DEEDS)
    | {getattr(exp, name) for name in _SYNTAX | _CALLS | _PROPERTIES}
    | {node for node in vars(exp).values() if isinstance(node, type) and issubclass(node, _BASES)}
)
"""Nodes in which nothing can hide; their children are looked at on their own."""
