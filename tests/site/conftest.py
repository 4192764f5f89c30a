"""The built site, a server for it and a browser; skipped with a reason where a tool is missing."""

import gzip
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder `node_modules`, fetched where it is missing."""
    pytest.importorskip("mkdocs", reason="needs the docs extra: pip install -e '.[docs]'")
    from ddpm_spec.site.markdown.npm import FetchError, fetch_packages

    try:
        return fetch_packages(ROOT / "docs", ROOT / ".cache")
    except FetchError as error:
        _missing(str(error))
        raise


@pytest.fixture(scope="session")
def site(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `mkdocs build --strict` leaves it; BUILT_SITE names the folder where that has been done."""
    if built := os.environ.get("BUILT_SITE"):
        assert Path(built, "index.html").is_file(), f"BUILT_SITE={built} holds no site"
        return Path(built)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


class _Handler(SimpleHTTPRequestHandler):
    """Compresses text, as every host of static pages does."""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if path.suffix not in {".css", ".html", ".js", ".json", ".svg"} or not path.is_file():
            super().do_GET()
            return
        body = _compressed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the built site is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def chromium() -> Callable[[], AbstractContextManager[Any]]:
    """Starts a Chromium that is cut off from every host but this one; each thread needs its own."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("needs playwright: pip install -e '.[dev]'")
    if CHROMIUM is None:
        _missing("needs Chromium: apt-get install chromium, or another package manager's")
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"

    @contextmanager
    def start() -> Iterator[Any]:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, rules])
            yield browser
            browser.close()

    return start


@pytest.fixture(scope="session")
def browser(chromium: Callable[[], AbstractContextManager[Any]]) -> Iterator[Any]:
    """One Chromium for the tests that look at one page."""
    with chromium() as browser:
        yield browser


def _missing(what: str) -> None:
    """Skip; in CI, where everything has to be there, fail."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(what)
