"""evenpost check and evenpost config: their options, output and exit codes."""

import json
import subprocess

import pytest

from harness.certificate import make_certificate
from harness.evenpost import built_program
from harness.peer import REPOSITORY

GOOD = """\
listeners: {in: {bind: 127.0.0.1:25, pool: p}}
pools: {p: {servers: {s: 10.0.0.1:25}, balance: source}}
"""
BAD = """\
listeners: {in: {bind: 127.0.0.1:25, pool: p}}
pools: {p: {servers: {s: {address: 10.0.0.1:25, wieght: 2}}, balance: source}}
"""

PASSING = """\
listeners: {in: {bind: 127.0.0.1:25, mode: connection, max-connections: 100, pool: p}}
pools: {p: {servers: {s: 10.0.0.1:25}, identity: proxy-v2}}
"""


ENCRYPTED = """\
tls:
  certificates:
    - certificate: {}
      key: {}
listeners: {{in: {{bind: 127.0.0.1:25, tls: offer, pool: p}}}}
pools: {{p: {{servers: {{s: 10.0.0.1:25}}}}}}
"""


def evenpost(*arguments):
    return subprocess.run(
        [built_program("evenpost"), *arguments], capture_output=True, text=True, timeout=30
    )


@pytest.fixture
def write(scratch):
    def write_file(text):
        path = scratch / "evenpost.yaml"
        path.write_text(text)
        return str(path)

    return write_file


def test_errors_name_their_place(write):
    path = write(BAD)
    answer = evenpost("check", "-c", path)
    assert answer.returncode == 78
    assert answer.stdout.splitlines()[0] == (
        f"{path}:2:49: pools.p.servers.s.wieght: "
        'unknown key "wieght"; did you mean "weight"?'
    )


def test_advice_is_no_error(write):
    answer = evenpost("check", "-c", write(GOOD))
    assert answer.returncode == 0
    assert "pools.p.balance: advice: balance: source" in answer.stdout
    assert "listener in: at most" in answer.stdout


def test_memory_of_connections_that_pass(write):
    path = write(PASSING)
    assert "listener in: at most 129 KB a session, 12.6 MB for all 100" in (
        evenpost("check", "-c", path).stdout
    )
    report = json.loads(evenpost("check", "--json", "-c", path).stdout)
    assert report["memory"] == [{"listener": "in", "session": 132096, "all": 13209600}]


def test_quiet_shows_errors_alone(write):
    assert evenpost("check", "-q", "-c", write(GOOD)).stdout == ""
    assert len(evenpost("check", "-q", "-c", write(BAD)).stdout.splitlines()) == 1


def test_certificates_are_looked_at(write, scratch):
    certificate, key = make_certificate(scratch, "mx.example.com")
    answer = evenpost("check", "-c", write(ENCRYPTED.format(certificate, key)))
    assert answer.returncode == 0
    # it is good for two days
    assert f"tls.certificates[0].certificate: advice: {certificate}: expires on" in (
        answer.stdout
    )


def test_files_that_are_no_certificates(write, scratch):
    path = write(ENCRYPTED.format(scratch / "none.pem", scratch / "none.key"))
    answer = evenpost("check", "-c", path)
    assert answer.returncode == 78
    assert answer.stdout.splitlines()[0] == (
        f"{path}:3:20: tls.certificates[0].certificate: "
        f"{scratch}/none.pem: No such file or directory"
    )


def test_json(write):
    path = write(BAD)
    answer = evenpost("check", "--json", "-c", path)
    report = json.loads(answer.stdout)
    assert answer.returncode == 78
    assert report["ok"] is False
    assert report["errors"] == [
        {
            "file": path,
            "line": 2,
            "column": 49,
            "path": "pools.p.servers.s.wieght",
            "message": 'unknown key "wieght"; did you mean "weight"?',
        }
    ]
    assert [advice["path"] for advice in report["advice"]] == ["pools.p.balance"]


def test_the_example_is_good():
    answer = evenpost("check", "-c", REPOSITORY / "contrib" / "evenpost.yaml")
    assert answer.returncode == 0
    assert "0 errors, 0 pieces of advice" in answer.stdout


def test_the_dump_is_read_again(write):
    dump = evenpost("config", "dump", "-c", write(GOOD))
    assert dump.returncode == 0
    assert evenpost("check", "-c", write(dump.stdout)).returncode == 0


def test_the_dump_of_a_bad_file_is_its_errors(write):
    dump = evenpost("config", "dump", "-c", write(BAD))
    assert (dump.returncode, dump.stdout) == (78, "")
    assert "wieght" in dump.stderr


def test_the_schema_is_json():
    answer = evenpost("config", "schema")
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["title"] == "evenpost.yaml"


@pytest.mark.parametrize(
    "arguments",
    [("check", "--bogus"), ("check", "file"), ("check", "-c"), ("config",), ("config", "x")],
    ids=" ".join,
)
def test_wrong_usage(arguments):
    answer = evenpost(*arguments)
    assert answer.returncode == 64
    assert "usage: evenpost" in answer.stderr


def test_no_file(scratch):
    path = scratch / "nothing"
    answer = evenpost("check", "-c", path)
    assert answer.returncode == 78
    assert answer.stdout.startswith(f"{path}: No such file or directory")
