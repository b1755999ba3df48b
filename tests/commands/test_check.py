"""evenpost check and evenpost config: their options, output and exit codes."""

import json
import os
import pwd
import subprocess

import pytest

from harness.certificate import make_certificate
from harness.evenpost import built_program
from harness.peer import REPOSITORY
from harness.pki import TO_COME, Authority

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


POOL_IN_LINES = """\
pools:
  p:
    servers: {s: 10.0.0.1:25}"""

# {0}: a folder.
BAD_FILES = """\
admin: {{http: 127.0.0.1:0, token-file: {0}/token}}
tls:
  certificates:
    - certificate: {0}/none.pem
      key: {0}/none.key
    - {{certificate: {0}/certificate.pem, key: {0}/empty}}
  ticket-keys: {0}/empty
listeners:
  in: {{bind: 127.0.0.1:0, tls: offer, pool: p,
    client-certificates: {{verify: optional, ca: {0}/empty}}}}
pools:
  p:
    servers: {{s: 10.0.0.1:25}}
    tls: verify
    tls-ca: {0}/none.ca
    tls-name: s.example
    auth: {{username: u, password-file: {0}/empty}}
"""
NO_CERTIFICATE = "no certificate in PEM form in it"
FAULTS_OF_FILES = [
    "1:40: admin.token-file: {0}/token: No such file or directory",
    "4:20: tls.certificates[0].certificate: {0}/none.pem: No such file or directory",
    "5:12: tls.certificates[0].key: {0}/none.key: No such file or directory",
    "6:{1}: tls.certificates[1].key: {0}/empty: no private key in PEM form in it: "
    "unsupported",
    "7:16: tls.ticket-keys: {0}/empty: wanted 1 to 8 keys of 80 bytes each",
    "10:49: listeners.in.client-certificates.ca: {0}/empty: " + NO_CERTIFICATE,
    "15:13: pools.p.tls-ca: {0}/none.ca: No such file or directory",
    "17:40: pools.p.auth.password-file: {0}/empty: there is no password in its first line",
]


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


@pytest.fixture
def bad_files(write, scratch):
    """Makes the configuration whose files are bad; its path, and what is said of it."""

    def make(more=""):
        make_certificate(scratch, "mx.example.com")
        (scratch / "empty").touch(0o600)
        path = write(BAD_FILES.format(scratch) + more)
        column = len(f"    - {{certificate: {scratch}/certificate.pem, key: ") + 1
        return path, [f"{path}:{line.format(scratch, column)}" for line in FAULTS_OF_FILES]

    return make


def test_all_bad_files_at_once(bad_files):
    path, faults = bad_files()
    answer = evenpost("check", "-q", "-c", path)
    assert answer.returncode == 78
    assert answer.stdout.splitlines() == faults


def test_bad_files_beside_other_errors(bad_files):
    path, faults = bad_files("    wieght: 3\n    retry: {attempts: many}\n")
    answer = evenpost("check", "-q", "-c", path)
    assert answer.returncode == 78
    said = answer.stdout.splitlines()
    assert said[: len(faults)] == faults
    assert said[len(faults)].startswith(f"{path}:18:5: pools.p.wieght: ")
    assert said[len(faults) + 1].startswith(f"{path}:19:23: pools.p.retry.attempts: ")
    assert len(said) == len(faults) + 2


def test_bad_files_and_no_listener(write, scratch):
    """Whether anybody uses them cannot be known: they are looked at."""
    tls = f"tls: {{certificates: {{certificate: {scratch}/none, key: {scratch}/none}}}}\n"
    path = write(tls + "pools: {p: {servers: {s: 10.0.0.1:25}}}\n")
    answer = evenpost("check", "-c", path)
    assert [line.split(": ")[1] for line in answer.stdout.splitlines()[:2]] == [
        "listeners",
        "tls.certificates[0].certificate",
    ]
    assert "2 errors, 1 piece of advice" in answer.stdout


@pytest.mark.parametrize("more", ["", "wrong: 1\n"], ids=["files", "files and the rest"])
def test_run_refuses_what_check_refuses(bad_files, more):
    path, _ = bad_files(more)
    check = evenpost("check", "-q", "-c", path)
    run = evenpost("run", "-c", path)
    assert (check.returncode, run.returncode) == (78, 78)
    assert run.stderr == check.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [(b"", "there is no token"), (b"two words\n", "there is no token"), (b"good\n", None)],
    ids=["empty", "two words", "good"],
)
def test_a_token(write, scratch, text, says):
    token = scratch / "token"
    token.write_bytes(text)
    token.chmod(0o600)
    path = write(GOOD + f"admin: {{http: 127.0.0.1:0, token-file: {token}}}\n")
    answer = evenpost("check", "-q", "-c", path)
    assert answer.returncode == (78 if says else 0)
    where = f"{path}:3:40: admin.token-file: {token}: "
    assert answer.stdout.startswith(where + says if says else "")
    assert len(answer.stdout.splitlines()) == (1 if says else 0)


def test_a_token_that_nobody_wants(write, scratch):
    answer = evenpost(
        "check", "-c", write(GOOD + f"admin: {{token-file: {scratch}/none}}\n")
    )
    assert answer.returncode == 0
    assert 'admin.token-file: advice: has no effect without "http"' in answer.stdout


def advice(path):
    report = json.loads(evenpost("check", "--json", "-c", path).stdout)
    assert report["errors"] == []
    return [f"{one['path']}: {one['message']}" for one in report["advice"]]


def test_a_certificate_of_the_future(write, scratch):
    pair = Authority(scratch).issue("mx.example.com", days=TO_COME)
    assert advice(write(ENCRYPTED.format(pair.certificate, pair.key))) == [
        f"tls.certificates[0].certificate: {pair.certificate}: not valid before 2099-01-01"
    ]


def test_secrets_that_everybody_can_read(write, scratch):
    pair = Authority(scratch).issue("mx.example.com")
    password, token = scratch / "password", scratch / "token"
    for file in (password, token, pair.key):
        file.touch()
        file.chmod(0o644)
    for file in (password, token):
        file.write_text("secret\n")
    text = ENCRYPTED.format(pair.certificate, pair.key)
    text += f"    tls: require\n    auth: {{username: u, password-file: {password}}}\n"
    text = text.replace("pools: {p: {servers: {s: 10.0.0.1:25}}}", POOL_IN_LINES)
    text += f"admin: {{http: 127.0.0.1:0, token-file: {token}}}\n"
    said = "every user of this machine can read or write it"
    assert advice(write(text)) == [
        f"tls.certificates[0].key: {pair.key}: {said}",
        f"pools.p.auth.password-file: {password}: {said}",
        f"admin.token-file: {token}: {said}",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root will be somebody else")
def test_files_that_the_user_cannot_read_later(write, scratch):
    pair = Authority(scratch).issue("mx.example.com")
    text = ENCRYPTED.format(pair.certificate, pair.key)
    path = write(text + "user: nobody\n")
    assert advice(path) == [
        f"tls.certificates[0].key: {pair.key}: user nobody may not read it: a new one is "
        "not taken over while evenpost runs"
    ]
    pair.key.chmod(0o640)
    os.chown(pair.key, 0, pwd.getpwnam("nobody").pw_gid)
    assert advice(path) == []
    scratch.chmod(0o700)
    assert [line.split(": ")[0] for line in advice(path)] == [
        "tls.certificates[0].certificate",
        "tls.certificates[0].key",
    ]
    assert advice(write(text)) == []
    assert advice(write(text + "user: root\n")) == []


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
