"""A page shown in the person's own browser, without its address among the arguments of a process."""

from __future__ import annotations

import html
import os
import webbrowser
from pathlib import Path


def open_quietly(address: str, file: Path) -> bool:
    """Opens the address; False when there is no browser.

    The browser is given a private file that leads on to the address: what is in a process's arguments can be read by
    everybody on the machine, and the address holds what lets its bearer in.
    """
    target = html.escape(address, quote=True)
    page = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={target}"><title>…</title>'
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
        made.write(page)
    fresh.replace(file)
    return webbrowser.open(file.as_uri())
