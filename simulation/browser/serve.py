"""Serve the page on this machine, with nothing fetched from elsewhere where the assets are installed."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import socket
import threading
import time
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING

from simulation.browser.desk import Options

if TYPE_CHECKING:
    import uvicorn


def serve(options: Options, host: str, port: int, *, show: bool, announce: Callable[[str], object]) -> None:
    """Serve the page until interrupted; ``announce`` is called with its address once it answers.

    ``port`` 0 takes a free one. Raises OSError when the port is taken.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    address = f"http://{'[' + host + ']' if ':' in host else host}:{listener.getsockname()[1]}"
    server = _server(host, listener.getsockname()[1])
    from simulation.browser import page

    page.OPTIONS.append(options)

    def greet() -> None:
        while not server.started:
            time.sleep(0.02)
        announce(address)
        if show:
            webbrowser.open(address)

    threading.Thread(target=greet, daemon=True).start()
    threading.Thread(target=_warm, args=(options,), daemon=True).start()
    server.run(sockets=[listener])


def has_assets() -> bool:
    """Return whether the page's scripts and fonts are installed, so that no network is needed."""
    try:
        importlib.metadata.version("solara-assets")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _server(host: str, port: int) -> uvicorn.Server:
    """Return the web server of the page. Solara reads its settings from the environment when it is imported."""
    settings = {
        "SOLARA_APP": "simulation.browser.page",
        "SOLARA_MODE": "production",
        "SOLARA_TELEMETRY_MIXPANEL_ENABLE": "False",
        "SOLARA_THEME_SHOW_BANNER": "False",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
    }
    if has_assets():
        # A missing file then fails at once instead of calling out.
        settings["SOLARA_ASSETS_CDN"] = "http://127.0.0.1:9/"
    os.environ.update(settings)
    import uvicorn

    logging.getLogger("solara").setLevel(logging.ERROR)
    config = uvicorn.Config("solara.server.starlette:app", host=host, port=port, log_level="error", access_log=False)
    return uvicorn.Server(config)


def _warm(options: Options) -> None:
    """Load what the first visitor will need while the server starts."""
    from simulation.browser.session import Session
    from simulation.scenario.config import load_scenario
    from simulation.scenario.faults import ConfigError

    try:
        Session(load_scenario(options.config, options.overrides), options.seed).step()
    except ConfigError:
        return  # the page itself says what is wrong
