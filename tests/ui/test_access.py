"""Who may train fully and put models into use, each way."""

import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from melanoma_core import paths
from tests.support.made_pages import text
from ui import access

PASSPHRASE = "käse und brot"
AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "c",
    "client_id": "i", "client_secret": "s", "server_metadata_url": "https://idp.invalid/",
}  # fmt: skip


def page():
    import streamlit as st

    from ui import access

    found = access.of_session()
    st.write("open" if found.is_allowed else "closed")
    access.show_unlock(found)
    if found.is_allowed:
        st.write(f"name: {access.ask_name(found, 'name')}")


@pytest.fixture(autouse=True)
def _no_demo(monkeypatch):
    monkeypatch.delenv("MELANOMA_DEMO", raising=False)
    monkeypatch.setattr(access, "_SECONDS_AN_ATTEMPT", 0.0)


def visit(secrets=None, user=None):
    app = AppTest.from_function(page, default_timeout=60)
    app.secrets.update(secrets or {})
    app.user = user or {}
    return checked(app.run())


def checked(app):
    assert not app.exception
    return app


def is_open(app):
    return app.markdown[0].value == "open"


def give(app, passphrase):
    app.text_input(key="passphrase").set_value(passphrase)
    app.button[0].click()
    return checked(app.run())


def test_whoever_sits_at_the_computer_may(monkeypatch):
    app = visit()
    assert is_open(app)
    assert not app.info
    app.text_input(key="name").set_value("  Dr Li ").run()
    assert "name: Dr Li" in text(app)


@pytest.mark.parametrize("secrets", [None, {"access": {"passphrase": PASSPHRASE}}])
def test_on_a_demo_nobody_may_and_nothing_is_asked(monkeypatch, secrets):
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    app = visit(secrets)
    assert not is_open(app)
    assert "**Switched off in the demo.**" in app.info[0].value
    assert not app.text_input
    assert not app.button


def test_community_cloud_is_a_demo_until_the_operator_says_otherwise(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/home/adminuser/venv")
    assert not is_open(visit())
    monkeypatch.setenv("MELANOMA_DEMO", "0")
    assert is_open(visit())
    assert paths.is_on_community_cloud()


@pytest.mark.parametrize(
    ("address", "may"),
    [
        (None, True), ("::1", True), ("::ffff:127.0.0.1", True), ("127.0.0.2", True),
        ("192.168.1.7", False), ("2001:db8::1", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_from_another_computer_nobody_may_without_a_passphrase(monkeypatch, address, may):
    monkeypatch.setattr(access.st, "context", SimpleNamespace(headers={}, ip_address=address))
    found = access.of_session()
    assert found.is_allowed is may
    if not may:
        assert "Only at the computer that the app runs on" in found.reason
        assert not found.needs


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-Ip"])
def test_behind_a_proxy_nobody_sits_at_this_computer(monkeypatch, header):
    context = SimpleNamespace(headers={header: "192.168.1.7"}, ip_address=None)
    monkeypatch.setattr(access.st, "context", context)
    assert not access.of_session().is_allowed


def test_a_passphrase_opens_the_session_that_gave_it_and_no_other():
    secrets = {"access": {"passphrase": PASSPHRASE}}
    app = visit(secrets)
    assert not is_open(app)
    assert "**Give the passphrase**" in app.info[0].value
    for wrong in ("", "kase und brot", PASSPHRASE + " "):
        give(app, wrong)
        assert not is_open(app)
        assert app.error[0].value == "**That is not the passphrase.**"
    give(app, PASSPHRASE)
    assert is_open(app)
    assert is_open(app.run())
    assert not is_open(visit(secrets))


def test_the_passphrase_is_the_same_however_the_keyboard_writes_it_and_is_not_kept():
    app = give(visit({"access": {"passphrase": PASSPHRASE}}), "ka\u0308se und brot")
    assert is_open(app)
    assert "opened_with" in repr(app.session_state)
    assert "brot" not in repr(app.session_state)


def test_a_new_passphrase_closes_what_the_old_one_opened():
    app = give(visit({"access": {"passphrase": PASSPHRASE}}), PASSPHRASE)
    app.secrets["access"] = {"passphrase": "another"}
    assert not is_open(app.run())


def test_passphrases_are_tried_one_a_second_on_the_whole_server(monkeypatch):
    monkeypatch.setattr(access, "_SECONDS_AN_ATTEMPT", 0.2)
    monkeypatch.setattr(access, "_SECONDS_IN_LINE", 0.3)
    monkeypatch.setattr(access, "_secrets", lambda: ({"access": {"passphrase": "x"}}, ""))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(access._try("y"))) for _ in range(6)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tried = answers.count("**That is not the passphrase.**")
    assert time.monotonic() - started >= 0.2 * tried
    assert 1 <= tried <= 3
    assert sum("Too many attempts" in answer for answer in answers) == 6 - tried


def test_with_a_sign_in_only_those_signed_in_may_and_the_journal_gets_their_name():
    secrets = {"auth": AUTH}
    app = visit(secrets)
    assert not is_open(app)
    assert [button.label for button in app.button] == ["Sign in"]
    app = visit(secrets, {"is_logged_in": True, "email": "li@clinic.example", "name": "Li"})
    assert is_open(app)
    assert "name: li@clinic.example" in text(app)
    assert not app.text_input


def test_each_provider_has_its_button():
    shared = {"redirect_uri": "r", "cookie_secret": "c", "client_kwargs": {"prompt": "login"}}
    client = {"client_id": "i", "client_secret": "s", "server_metadata_url": "u"}
    app = visit({"auth": shared | {"okta": client, "entra": client}})
    assert [button.label for button in app.button] == ["Sign in with okta", "Sign in with entra"]


@pytest.mark.parametrize(
    ("user", "may"),
    [
        ({"email": "Li@Clinic.example", "email_verified": True}, True),
        ({"email": "li@clinic.example"}, True),
        ({"email": "li@clinic.example", "email_verified": False}, False),
        ({"email": "other@clinic.example"}, False),
        ({"name": "li@clinic.example"}, False),
    ],
)
def test_where_addresses_are_listed_only_these_may(user, may):
    secrets = {"auth": AUTH, "access": {"emails": ["li@clinic.example"]}}
    app = visit(secrets, {"is_logged_in": True, **user})
    assert is_open(app) is may
    if not may:
        assert "may look, not change" in app.info[0].value
        assert [button.label for button in app.button] == ["Sign out"]


def test_where_both_are_set_both_are_needed():
    secrets = {"auth": AUTH, "access": {"passphrase": PASSPHRASE}}
    assert "Sign in" in visit(secrets).info[0].value
    app = visit(secrets, {"is_logged_in": True, "email": "li@clinic.example"})
    assert "Give the passphrase" in app.info[0].value
    assert is_open(give(app, PASSPHRASE))


@pytest.mark.parametrize(
    "secrets",
    [
        {"access": {}},
        {"access": "secret"},
        {"access": {"passphrase": ""}},
        {"access": {"passphrase": 1234}},
        {"access": {"password": "x"}},
        {"access": {"passphrase": "x", "emails": ["a@b"]}},
        {"access": {"emails": []}, "auth": AUTH},
        {"access": {"emails": "a@b"}, "auth": AUTH},
    ],
)
def test_settings_that_are_not_understood_lock(secrets):
    app = visit(secrets, {"is_logged_in": True, "email": "a@b"})
    assert not is_open(app)
    assert "is not understood" in app.info[0].value
    assert not app.text_input


def test_a_secrets_file_that_cannot_be_read_locks(monkeypatch, tmp_path):
    file = tmp_path / "secrets.toml"
    monkeypatch.setattr(
        access.st, "get_option", lambda name: [str(file)] if name == "secrets.files" else None
    )
    monkeypatch.setattr(access.st.secrets, "load_if_toml_exists", lambda: False)
    assert access.of_session().is_allowed
    file.write_text("[access\n")
    assert "cannot be read" in access.of_session().reason


def test_other_secrets_change_nothing():
    assert is_open(visit({"MELANOMA_DEMO": "0", "connections": {"a": 1}}))


def test_the_file_with_the_secrets_is_kept_out_of_the_repository():
    ignored = (Path(paths.PROJECT_DIR) / ".gitignore").read_text().splitlines()
    assert ".streamlit/secrets.toml" in ignored
    assert "/models/journal.*" in ignored
