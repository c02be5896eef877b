"""Who may run full training and promote models, for each setting."""

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

    session = access.of_session()
    st.write("open" if session.is_allowed else "closed")
    access.show_unlock(session)
    if session.is_allowed:
        st.write(f"name: {access.ask_name(session, 'name')}")


@pytest.fixture(autouse=True)
def _no_demo(monkeypatch):
    monkeypatch.delenv("MELANOMA_DEMO", raising=False)
    monkeypatch.setattr(access, "_SECONDS_PER_ATTEMPT", 0.0)


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


def enter(app, passphrase):
    app.text_input(key="passphrase").set_value(passphrase)
    app.button[0].click()
    return checked(app.run())


def test_anyone_at_this_computer_is_allowed(monkeypatch):
    app = visit()
    assert is_open(app)
    assert not app.info
    app.text_input(key="name").set_value("  Dr Li ").run()
    assert "name: Dr Li" in text(app)


@pytest.mark.parametrize("secrets", [None, {"access": {"passphrase": PASSPHRASE}}])
def test_nobody_is_allowed_on_a_demo_and_nothing_is_asked(monkeypatch, secrets):
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    app = visit(secrets)
    assert not is_open(app)
    assert "**Switched off in the demo.**" in app.info[0].value
    assert not app.text_input
    assert not app.button


def test_community_cloud_is_a_demo_unless_the_operator_says_otherwise(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/home/adminuser/venv")
    assert not is_open(visit())
    monkeypatch.setenv("MELANOMA_DEMO", "0")
    assert is_open(visit())
    assert paths.is_on_community_cloud()


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        (None, True), ("::1", True), ("::ffff:127.0.0.1", True), ("127.0.0.2", True),
        ("192.168.1.7", False), ("2001:db8::1", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_nobody_is_allowed_from_another_computer_without_a_passphrase(
    monkeypatch, address, is_allowed
):
    monkeypatch.setattr(access.st, "context", SimpleNamespace(headers={}, ip_address=address))
    session = access.of_session()
    assert session.is_allowed is is_allowed
    if not is_allowed:
        assert "Only possible on the computer that the app runs on" in session.reason
        assert not session.needs


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-Ip"])
def test_nobody_behind_a_proxy_counts_as_at_this_computer(monkeypatch, header):
    context = SimpleNamespace(headers={header: "192.168.1.7"}, ip_address=None)
    monkeypatch.setattr(access.st, "context", context)
    assert not access.of_session().is_allowed


def test_a_passphrase_unlocks_only_the_session_where_it_was_entered():
    secrets = {"access": {"passphrase": PASSPHRASE}}
    app = visit(secrets)
    assert not is_open(app)
    assert "**Enter the passphrase**" in app.info[0].value
    for wrong in ("", "kase und brot", PASSPHRASE + " "):
        enter(app, wrong)
        assert not is_open(app)
        assert app.error[0].value == "**That is not the passphrase.**"
    enter(app, PASSPHRASE)
    assert is_open(app)
    assert is_open(app.run())
    assert not is_open(visit(secrets))


def test_the_passphrase_matches_in_any_unicode_form_and_is_not_stored():
    app = enter(visit({"access": {"passphrase": PASSPHRASE}}), "ka\u0308se und brot")
    assert is_open(app)
    assert "opened_with" in repr(app.session_state)
    assert "brot" not in repr(app.session_state)


def test_a_new_passphrase_locks_sessions_unlocked_with_the_old_one():
    app = enter(visit({"access": {"passphrase": PASSPHRASE}}), PASSPHRASE)
    app.secrets["access"] = {"passphrase": "another"}
    assert not is_open(app.run())


def test_one_passphrase_per_second_is_checked_on_the_whole_server(monkeypatch):
    monkeypatch.setattr(access, "_SECONDS_PER_ATTEMPT", 0.2)
    monkeypatch.setattr(access, "_MAX_SECONDS_WAITING", 0.3)
    monkeypatch.setattr(access, "_secrets", lambda: ({"access": {"passphrase": "x"}}, ""))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(access._try("y"))) for _ in range(6)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    num_checked = answers.count("**That is not the passphrase.**")
    assert time.monotonic() - started >= 0.2 * num_checked
    assert 1 <= num_checked <= 3
    assert sum("Too many attempts" in answer for answer in answers) == 6 - num_checked


def test_with_a_sign_in_only_signed_in_users_are_allowed_and_the_journal_gets_their_name():
    secrets = {"auth": AUTH}
    app = visit(secrets)
    assert not is_open(app)
    assert [button.label for button in app.button] == ["Sign in"]
    app = visit(secrets, {"is_logged_in": True, "email": "li@clinic.example", "name": "Li"})
    assert is_open(app)
    assert "name: li@clinic.example" in text(app)
    assert not app.text_input


def test_each_provider_has_a_button():
    shared = {"redirect_uri": "r", "cookie_secret": "c", "client_kwargs": {"prompt": "login"}}
    client = {"client_id": "i", "client_secret": "s", "server_metadata_url": "u"}
    app = visit({"auth": shared | {"okta": client, "entra": client}})
    assert [button.label for button in app.button] == ["Sign in with okta", "Sign in with entra"]


@pytest.mark.parametrize(
    ("user", "is_allowed"),
    [
        ({"email": "Li@Clinic.example", "email_verified": True}, True),
        ({"email": "li@clinic.example"}, True),
        ({"email": "li@clinic.example", "email_verified": False}, False),
        ({"email": "other@clinic.example"}, False),
        ({"name": "li@clinic.example"}, False),
    ],
)
def test_only_listed_addresses_are_allowed(user, is_allowed):
    secrets = {"auth": AUTH, "access": {"emails": ["li@clinic.example"]}}
    app = visit(secrets, {"is_logged_in": True, **user})
    assert is_open(app) is is_allowed
    if not is_allowed:
        assert "can view but not change" in app.info[0].value
        assert [button.label for button in app.button] == ["Sign out"]


def test_sign_in_and_passphrase_are_both_needed_if_both_are_set():
    secrets = {"auth": AUTH, "access": {"passphrase": PASSPHRASE}}
    assert "Sign in" in visit(secrets).info[0].value
    app = visit(secrets, {"is_logged_in": True, "email": "li@clinic.example"})
    assert "Enter the passphrase" in app.info[0].value
    assert is_open(enter(app, PASSPHRASE))


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
def test_invalid_settings_lock_the_app(secrets):
    app = visit(secrets, {"is_logged_in": True, "email": "a@b"})
    assert not is_open(app)
    assert "is not valid" in app.info[0].value
    assert not app.text_input


def test_an_unreadable_secrets_file_locks_the_app(monkeypatch, tmp_path):
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


def test_the_secrets_file_is_ignored_by_git():
    ignored = (Path(paths.PROJECT_DIR) / ".gitignore").read_text().splitlines()
    assert ".streamlit/secrets.toml" in ignored
    assert "/models/journal.*" in ignored
