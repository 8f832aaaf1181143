"""The examples and procedures of docs/operations.md work: nginx, systemd, backup and restore."""

import configparser
import json
import os
import shlex
import socket
import ssl
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
import typer
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

import buyerview
from tests.dashboard.notifications.test_delivery import free_port
from tests.support.programs import require

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
SMALL = ROOT / "sample_data" / "small" / "mapping.toml"
NAME = "service.example.org"
PERSON = {"X-Forwarded-User": "ada@example.org", "X-Buyerview-Proxy-Secret": "s" * 40}
"""Headers of a proxy that has signed a person in."""


def command(monkeypatch: pytest.MonkeyPatch, home: Path, *words: str) -> int:
    """Run a command on a home folder and return its exit status."""
    monkeypatch.setenv("BUYERVIEW_HOME", str(home))
    monkeypatch.setattr(sys, "argv", ["buyerview", *words])
    umask = os.umask(0o077)
    try:
        buyerview.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        os.umask(umask)
    return 0


@pytest.mark.long
def test_restored_backup_gives_the_same_exports_byte_for_byte(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(monkeypatch, home, "ingest", str(SMALL)) == 0
    words = ("export", "--measures", "otif,on_time,judged_orders", "--by", "segment", "--format")
    for fmt in ("csv", "xlsx"):
        assert command(monkeypatch, home, *words, fmt, "--out", str(tmp_path / f"before.{fmt}")) == 0
    with tarfile.open(tmp_path / "backup.tar.gz", "w:gz") as backup:
        backup.add(home, arcname=".")
    restored = tmp_path / "other" / "place"
    with tarfile.open(tmp_path / "backup.tar.gz") as backup:
        backup.extractall(restored, filter="data")
    for path in home.iterdir():
        path.unlink() if path.is_file() else None
    for fmt in ("csv", "xlsx"):
        assert command(monkeypatch, restored, *words, fmt, "--out", str(tmp_path / f"after.{fmt}")) == 0
        assert command(monkeypatch, restored, "verify", str(tmp_path / f"before.{fmt}")) == 0
    assert (tmp_path / "after.csv").read_bytes() == (tmp_path / "before.csv").read_bytes()
    assert command(monkeypatch, restored, "ingest", str(SMALL)) == 0, "the next run continues there"


def test_units_of_systemd_start_existing_commands_with_private_files() -> None:
    commands = typer.main.get_command(buyerview.app).commands  # type: ignore[attr-defined]
    for unit in ("buyerview", "buyerview-ingest"):
        read = configparser.ConfigParser(strict=False)
        read.optionxform = str  # type: ignore[assignment, method-assign]
        read.read(EXAMPLES / f"{unit}.service")
        program, name, *rest = shlex.split(read["Service"]["ExecStart"])
        assert program.endswith("/buyerview")
        options = {
            option for parameter in commands[name].params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word for word in rest if word.startswith("--")} <= options
        assert read["Service"]["UMask"] == "0077"
        assert read["Service"]["NoNewPrivileges"] == "yes"
    timer = configparser.ConfigParser()
    timer.read(EXAMPLES / "buyerview-ingest.timer")
    assert timer["Timer"]["OnCalendar"]


@pytest.fixture
def behind_nginx(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The dashboard behind nginx with the documented configuration; the port of nginx."""
    nginx = require(Path("/usr/sbin/nginx"), "apt-get install nginx-light")
    openssl = require("openssl", "apt-get install openssl")
    port, inner = free_port(), free_port()
    key, pem = tmp_path / "key", tmp_path / "pem"
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    subprocess.run([*made, "-keyout", key, "-out", pem], check=True, capture_output=True, timeout=60)
    site = (EXAMPLES / "nginx.conf").read_text()
    for before, after in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (f"/etc/ssl/certs/{NAME}.pem", str(pem)),
        (f"/etc/ssl/private/{NAME}.key", str(key)),
        ("127.0.0.1:8501", f"127.0.0.1:{inner}"),
        (
            "# sign-in by the proxy: see docs/access.md; not needed with an OpenID provider",
            "".join(f"proxy_set_header {field} {value};" for field, value in PERSON.items()),
        ),
    ):
        assert before in site
        site = site.replace(before, after)
    (tmp_path / "site.conf").write_text(site)
    kinds = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"daemon off; worker_processes 1; pid {tmp_path}/pid; events {{}}\n"
        f"http {{ access_log off; {kinds} include {tmp_path}/site.conf; }}"
    )
    serve = [nginx, "-e", tmp_path / "errors", "-c", whole]
    tested = subprocess.run([*serve, "-t"], capture_output=True, text=True, check=False, timeout=60)
    assert tested.returncode == 0, tested.stderr
    environment = {
        **os.environ,
        "BUYERVIEW_HOME": str(home),
        "BUYERVIEW_AUTH": "proxy",
        "BUYERVIEW_URL": f"https://{NAME}:{port}",
        "BUYERVIEW_PROXY_SECRET": PERSON["X-Buyerview-Proxy-Secret"],
        "BUYERVIEW_PROXY_ADDRESSES": "127.0.0.1",
        "BUYERVIEW_METRICS_TOKEN": "token",
    }
    assert command(monkeypatch, home, "access", "grant", PERSON["X-Forwarded-User"], "viewer") == 0
    dashboard = [sys.executable, "-m", "buyerview", "serve", "--no-browser", "--port", str(inner)]
    with (
        subprocess.Popen(
            dashboard, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server,
        subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proxy,
    ):
        try:
            yield port
        finally:
            proxy.terminate()
            server.terminate()


@pytest.mark.long
def test_dashboard_is_served_behind_nginx_with_the_documented_configuration(behind_nginx: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def asked(path: str) -> tuple[int, Message, bytes]:
        headers = {"Host": f"{NAME}:{behind_nginx}", "Accept-Encoding": "gzip"}
        request = urllib.request.Request(f"https://127.0.0.1:{behind_nginx}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20, context=context) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, b""
        except urllib.error.URLError:  # nginx has not started yet
            return 0, Message(), b""

    until = time.monotonic() + 100
    while (status := asked("/healthz")[0]) != 200 and time.monotonic() < until:
        time.sleep(0.5)
    assert status == 200
    assert json.loads(asked("/healthz")[2])["status"] == "ok"
    assert asked("/metrics")[0] == 404
    status, headers, _ = asked("/")
    assert (status, headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Encoding"] == "gzip"
    assert asked("/?" + "x" * 10_000)[0] in (0, 414)  # 0: nginx closed the connection before it read all
    address = f"wss://{NAME}:{behind_nginx}/_stcore/stream"

    def page(origin: str) -> ClientConnection:
        stream = socket.create_connection(("127.0.0.1", behind_nginx), 20)
        return connect(address, sock=stream, ssl=context, origin=Origin(origin), server_hostname=NAME)

    with page(f"https://{NAME}:{behind_nginx}") as opened:
        assert opened.ping().wait(10)
    with pytest.raises(InvalidStatus):
        page("https://evil.example")
