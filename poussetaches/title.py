"""The name of this process in ps and top."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


def set_title(role: str) -> None:
    """Show ``role`` in ps and top, if setproctitle (the extra ``title``) is there."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        log.debug("processes are not named: setproctitle is not installed")
        return
    setproctitle(f"poussetaches: {role}")
