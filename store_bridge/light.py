"""Import Agent-Lightning without its LLM proxy: 0.8 s and 80 MB instead of 6 s and 316 MB."""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

from governor.errors import ConfigError

_PROXY = "agentlightning.llm_proxy"


class LLMProxy:
    """Stands for the proxy where only `isinstance` is asked of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "this process imported agentlightning without its LLM proxy; host the proxy elsewhere"
        )


class ModelConfig(dict[str, Any]):
    """Stands for the proxy's model configuration."""


def install() -> None:
    """Import `agentlightning` lightly; nothing happens where it is imported already.

    For processes that never host an LLM proxy. `litellm` itself stays
    importable afterwards. Raises `ConfigError` for a version without a
    LightningStore.
    """
    if "agentlightning" in sys.modules:
        return
    check_version()
    proxy = ModuleType(_PROXY)
    proxy.__dict__.update(LLMProxy=LLMProxy, ModelConfig=ModelConfig, __all__=["LLMProxy", "ModelConfig"])
    sys.modules[_PROXY] = proxy
    held = sys.modules.pop("litellm", None)
    absent: dict[str, Any] = {"litellm": None}  # an import of it fails, which agentlightning bears
    sys.modules.update(absent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of its own deprecated modules
            import agentlightning

        agentlightning.llm_proxy = proxy
    finally:
        del sys.modules["litellm"]
        if held is not None:
            sys.modules["litellm"] = held


def check_version() -> None:
    """Raise `ConfigError` where the installed Agent-Lightning is not one of 0.3."""
    try:
        found = version("agentlightning")
    except PackageNotFoundError:
        found = "none"
    if not found.startswith("0.3."):
        raise ConfigError(
            f"agentlightning {found} is installed; this needs 0.3: `pip install 'agentlightning>=0.3,<0.4'`"
        )
