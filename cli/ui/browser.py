"""Open a page in the user's browser without its address in a process's arguments."""

from __future__ import annotations

import html
import webbrowser
from pathlib import Path

from atomic_write import atomic_write


def open_quietly(address: str, file: Path) -> bool:
    """Open the address; return False when there is no browser.

    The browser gets a private file that redirects to the address. Every user of the machine can read a process's
    arguments, and the address contains a credential.
    """
    target = html.escape(address, quote=True)
    page = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={target}"><title>…</title>'
    atomic_write(file, page.encode())
    return webbrowser.open(file.as_uri())
