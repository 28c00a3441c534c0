"""Runs pip-audit on this Python's packages against the advisories beside this file, without a network.

pip-audit asks a service in OSV's format; here it is this process, on a free port of the loopback. What it prints is
pip-audit's own. The advisories are a few well-known ones about packages that the tools of this example bring along.
"""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

ADVISORIES = Path(__file__).resolve().parent / "advisories"


def advisories() -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(ADVISORIES.glob("*.json"))]


def is_affected(advisory: dict[str, Any], package: str, version: Version) -> bool:
    """By the ranges of OSV's schema: from `introduced` on, and before `fixed`."""
    for affected in advisory["affected"]:
        if canonicalize_name(affected["package"]["name"]) != canonicalize_name(package):
            continue
        for span in affected["ranges"]:
            events = {kind: at for event in span["events"] for kind, at in event.items()}
            if Version(events["introduced"]) <= version and ("fixed" not in events or version < Version(events["fixed"])):
                return True
    return False


class Handler(BaseHTTPRequestHandler):
    """Answers `POST /v1/query` as OSV does."""

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        package, version = query["package"]["name"], Version(query["version"])
        found = [advisory for advisory in advisories() if is_affected(advisory, package, version)]
        body = json.dumps({"vulns": found} if found else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1/query"
        command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv", "--osv-url", url, "--format", "json"]
        try:
            return subprocess.run([*command, "--progress-spinner", "off", *sys.argv[1:]], check=False).returncode
        finally:
            server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
