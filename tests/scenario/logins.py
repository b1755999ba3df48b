"""What the tests of logins share: a user, and how a RawClient logs in."""

import base64
import hmac

USER, PASSWORD = "ann@a.example", "s3cret-of-ann"
MECHANISMS = "AUTH PLAIN LOGIN XOAUTH2 CRAM-MD5"


def encode(text):
    return base64.b64encode(text.encode()).decode()


def plain(user=USER, password=PASSWORD, acts_for=""):
    return encode(f"{acts_for}\0{user}\0{password}")


def log_in(client, user=USER, password=PASSWORD):
    client.command(f"AUTH PLAIN {plain(user, password)}", "235 2.7.0 welcome")


def log_in_with_cram(client):
    challenge = client.command("AUTH CRAM-MD5", 334).text
    digest = hmac.new(PASSWORD.encode(), base64.b64decode(challenge), "md5").hexdigest()
    return client.command(encode(f"{USER} {digest}"))
