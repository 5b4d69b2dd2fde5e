"""The sandbox as a process and as a listener: loopback, bounded, ended by a signal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from bridge.sandbox import SandboxConfig, SandboxServer
from tests.sandbox.calling import eventually

PROJECT = Path(__file__).parent.parent.parent


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bridge.sandbox", *arguments],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_its_url_and_credentials_and_ends_by_a_signal(ending: signal.Signals, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush-hush\n")
    with start("--port", "0", "--webhook-url", "http://127.0.0.1:9/", "--webhook-secret-file", str(secret)) as process:
        assert process.stdout is not None
        said = "".join(iter(process.stdout.readline, "Webhooks go to http://127.0.0.1:9/. Ctrl-C ends it.\n"))
        facts = dict(line.strip().split("=", 1) for line in said.splitlines() if "=" in line)
        token = requests.post(
            f"{facts['GENESYS_LOGIN_URL']}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(facts["GENESYS_CLIENT_ID"], facts["GENESYS_CLIENT_SECRET"]),
            timeout=5,
        )
        assert token.status_code == 200
        process.send_signal(ending)
        assert process.wait(5) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert "not Genesys Cloud" in said
    assert "hush-hush" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--webhook-url", "http://127.0.0.1:9/"], "webhook_secret"),
        (["--webhook-url", "http://127.0.0.1:9/", "--webhook-secret-file", "/nonexistent"], "/nonexistent"),
        (["--rate-per-minute", "0"], "rate_per_minute"),
    ],
)
def test_a_start_that_is_refused_says_why_in_one_line(arguments: list[str], said: str) -> None:
    with start("--port", "0", *arguments) as process:
        out, err = process.communicate(timeout=10)
    assert process.returncode == 2
    assert said in err
    assert (out, err.count("\n")) == ("", 1)


def test_a_taken_port_is_refused_in_one_line() -> None:
    with SandboxServer(SandboxConfig()) as server, start("--port", server.url.rpartition(":")[2]) as process:
        _, err = process.communicate(timeout=10)
    assert process.returncode == 2
    assert err.count("\n") == 1


def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    with SandboxServer(SandboxConfig()) as server:
        assert server.url.startswith("http://127.0.0.1:")


def test_connections_are_bounded() -> None:
    with SandboxServer(SandboxConfig(), most_connections=1) as server:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        with socket.create_connection(address), pytest.raises(requests.ConnectionError):
            requests.get(f"{server.url}/", timeout=10)
        eventually(lambda: answers(server.url))  # the silent one's slot comes free


def test_stopping_ends_who_waits() -> None:
    server = SandboxServer(SandboxConfig()).start()
    requests.post(f"{server.url}/_sandbox/faults", json={"path": "*", "kind": "latency", "seconds": 60}, timeout=5)
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as waiting:
        waiting.sendall(b"GET /v1/customers/cust-1 HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: not server.sandbox.faults.as_state())
        server.stop()
        waiting.settimeout(5)
        assert waiting.recv(15) == b"HTTP/1.1 200 OK"
