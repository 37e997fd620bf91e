"""SQL, judged before it runs."""

from governor.policies.sql.access import Access
from governor.policies.sql.policy import SQLPolicy

__all__ = ["Access", "SQLPolicy"]
