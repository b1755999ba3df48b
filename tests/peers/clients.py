"""Real mail clients, each as a function that sends one message and must succeed.

    send(farm_port, sender, recipients, message)

message has CRLF line endings and no dot-stuffing; making both right on the wire is the
client's business. CLIENTS is the table of those that can send any message.
"""

import json
import pathlib
import smtplib
import subprocess

from harness.mail import dot_stuffed

HERE = pathlib.Path(__file__).resolve().parent
_LIMIT = 60


def run_client(arguments, message, directory=None):
    """Run a client with the message on its standard input."""
    result = subprocess.run(
        [str(argument) for argument in arguments],
        input=message,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_LIMIT,
        cwd=directory,
    )
    assert result.returncode == 0, (
        f"{arguments[0]} ended with status {result.returncode}:\n"
        f"{result.stdout.decode('utf-8', 'replace')[-4000:]}"
    )


def to_lines(message):
    """The message as Unix programs read it: lines that end in LF."""
    return message.replace(b"\r\n", b"\n")


def send_by_smtplib(port, sender, recipients, message):
    with smtplib.SMTP("127.0.0.1", port, timeout=_LIMIT) as client:
        client.ehlo()
        options = ["BODY=8BITMIME"] if client.has_extn("8BITMIME") else []
        refused = client.sendmail(sender, recipients, message, mail_options=options)
        assert not refused


def send_by_swaks(port, sender, recipients, message):
    """Left to itself it adds a line at the end; told not to, only the last CRLF."""
    run_client(
        [
            "swaks",
            "--server=127.0.0.1",
            f"--port={port}",
            f"--from={sender}",
            f"--to={','.join(recipients)}",
            "--data=-",
            "--no-data-fixup",
            "--suppress-data",
        ],
        dot_stuffed(message).removesuffix(b"\r\n"),
    )


def send_by_curl(port, sender, recipients, message):
    to = [word for recipient in recipients for word in ("--mail-rcpt", recipient)]
    run_client(
        [
            "curl",
            "--silent",
            "--show-error",
            "--mail-from",
            sender,
            *to,
            "--upload-file",
            "-",
            f"smtp://127.0.0.1:{port}/client.example",
        ],
        message,
    )


def send_by_msmtp(port, sender, recipients, message):
    run_client(
        [
            "msmtp",
            "--file=/dev/null",
            "--host=127.0.0.1",
            f"--port={port}",
            f"--from={sender}",
            "--set-date-header=off",
            "--set-from-header=off",
            "--",
            *recipients,
        ],
        to_lines(message),
    )


def send_by_nodemailer(port, sender, recipients, message):
    envelope = json.dumps({"from": sender, "to": recipients})
    run_client(["node", HERE / "nodemailer_send.js", port, envelope], message)


CLIENTS = {
    "smtplib": send_by_smtplib,
    "swaks": send_by_swaks,
    "curl": send_by_curl,
    "msmtp": send_by_msmtp,
    "nodemailer": send_by_nodemailer,
}
