"""Who may train fully and put models into use.

- On a public demo nobody.
- Where `.streamlit/secrets.toml` sets a passphrase (`[access] passphrase`) or a sign-in (`[auth]`,
  Streamlit's own; `[access] emails` may name who of those signed in): whoever gives it; where it
  sets both, both.
- Otherwise whoever sits at the computer that the app runs on.
"""

import hashlib
import hmac
import ipaddress
import threading
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from melanoma_core import paths
from ui import sessions
from ui.formats import literal, small

_SECONDS_AN_ATTEMPT = 1.0  # for the whole server, so that more sessions guess no faster
_SECONDS_IN_LINE = 5.0
_attempts = threading.Lock()
_KEYS = {"passphrase", "emails"}
# What a proxy adds; behind one every visitor seems to sit at this computer.
_PROXY_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")


@dataclass(frozen=True)
class Access:
    """Whether this session may train fully and put models into use."""

    reason: str = ""  # why not, in Markdown; empty where it may
    needs: str = ""  # what would open it: "passphrase", "sign-in"; empty where nothing would
    signed_in_as: str = ""  # e-mail address or name of the sign-in

    @property
    def is_allowed(self) -> bool:
        """Whether it may."""
        return not self.reason


def of_session() -> Access:
    """What this session may do; computed anew on every run."""
    if paths.is_demo():
        return Access(
            "**Switched off in the demo.** This app is open to everybody, so nobody may train "
            "fully or change the model in use here."
        )
    secrets, problem = _secrets()
    if problem:
        return Access(problem)
    settings = secrets.get("access", {})
    signed_in_as = _signed_in_as() if "auth" in secrets else ""
    if "auth" in secrets and not signed_in_as:
        return Access("**Sign in** to train fully and to change the model in use.", "sign-in")
    if "emails" in settings and not _is_listed(settings["emails"]):
        return Access(
            f"**{literal(signed_in_as)} may look, not change.** The operator of this app has "
            "listed who may train fully and change the model in use.",
            signed_in_as=signed_in_as,
        )
    if "passphrase" in settings and not _has_opened(settings["passphrase"]):
        return Access(
            "**Give the passphrase** to train fully and to change the model in use.",
            "passphrase",
            signed_in_as,
        )
    if not settings and "auth" not in secrets and not _is_at_this_computer():
        return Access(
            "**Only at the computer that the app runs on.** You look at it from another one, and "
            "the operator has set neither a passphrase nor a sign-in (README, “Who may change the "
            "model in use”)."
        )
    return Access(signed_in_as=signed_in_as)


def show_unlock(access: Access) -> None:
    """Why this session may not change anything, and what opens it; nothing where it may."""
    if access.is_allowed:
        return
    st.info(access.reason, icon=":material/lock:")
    if access.needs == "passphrase":
        _show_passphrase()
    elif access.needs == "sign-in":
        for provider in _providers():
            name = f" with {literal(provider)}" if provider else ""
            if st.button(f"Sign in{name}", icon=":material/login:", key=f"sign_in_{provider}"):
                st.login(provider or None)
    elif access.signed_in_as:
        st.button("Sign out", icon=":material/logout:", on_click=st.logout)


def ask_name(access: Access, key: str) -> str:
    """Who acts, for the journal: the sign-in, or the name that the user types."""
    if access.signed_in_as:
        st.markdown(small(f"The journal will name you: {literal(access.signed_in_as)}."))
        return access.signed_in_as
    name = st.text_input(
        "Your name, for the journal",
        value=st.session_state.get(sessions.OWN_NAME, ""),
        max_chars=80,
        placeholder="Not given",
        key=key,
    )
    st.session_state[sessions.OWN_NAME] = name
    return name.strip()


def _show_passphrase() -> None:
    with st.form("passphrase_form", clear_on_submit=True, border=False):
        typed = st.text_input("Passphrase", type="password", key="passphrase", max_chars=200)
        is_given = st.form_submit_button("Open", icon=":material/lock_open:")
    if is_given:
        problem = _try(typed)
        if problem:
            st.error(problem, icon=":material/error:")
        else:
            st.rerun()


def _try(typed: str) -> str:
    """Hold a passphrase against the operator's; why it does not open, in Markdown.

    One attempt a second on the whole server: a guesser gains nothing by opening more sessions.
    """
    if not _attempts.acquire(timeout=_SECONDS_IN_LINE):
        return "**Not tried.** Too many attempts at once; try again in a minute."
    try:
        time.sleep(_SECONDS_AN_ATTEMPT)
        secrets, problem = _secrets()
        expected = secrets.get("access", {}).get("passphrase")
        if problem or expected is None:
            return problem
        given = _digest(typed)
        if not hmac.compare_digest(given, _digest(expected)):
            return "**That is not the passphrase.**"
        st.session_state[sessions.OPENED_WITH] = given
        return ""
    finally:
        _attempts.release()


def _has_opened(passphrase: str) -> bool:
    """Whether this session has given the passphrase that is in force now."""
    given = st.session_state.get(sessions.OPENED_WITH, "")
    return hmac.compare_digest(given, _digest(passphrase))


def _digest(passphrase: str) -> str:
    # Keyboards write an ä as one letter or as two.
    return hashlib.sha256(unicodedata.normalize("NFC", passphrase).encode()).hexdigest()


def _secrets() -> tuple[Mapping[str, Any], str]:
    """The operator's secrets that matter here; and in Markdown why they cannot be gone by.

    A file that cannot be read, or a setting that is none, locks: it was meant to.
    """
    if not st.secrets.load_if_toml_exists():
        if any(Path(path).exists() for path in st.get_option("secrets.files")):
            return {}, "**Locked.** `secrets.toml` cannot be read; the operator can mend it."
        return {}, ""
    found = {name: st.secrets[name] for name in ("access", "auth") if name in st.secrets}
    settings = found.get("access", {})
    if not isinstance(settings, Mapping) or not settings.keys() <= _KEYS:
        return {}, _not_understood("`[access]` holds `passphrase` and `emails`, nothing else")
    if "access" in found and not settings:
        return {}, _not_understood("`[access]` is empty")
    passphrase, emails = settings.get("passphrase", "-"), settings.get("emails", ["-"])
    if not isinstance(passphrase, str) or not passphrase.strip():
        return {}, _not_understood("`passphrase` must be a text that is not empty")
    if isinstance(emails, str) or not emails or not all(isinstance(e, str) for e in emails):
        return {}, _not_understood("`emails` must be a list of addresses")
    if "emails" in settings and "auth" not in found:
        return {}, _not_understood("`emails` needs a sign-in, `[auth]`")
    return found, ""


def _not_understood(what: str) -> str:
    return f"**Locked.** The operator’s `secrets.toml` is not understood: {what}."


def _signed_in_as() -> str:
    if not st.user.get("is_logged_in"):
        return ""
    names = (st.user.get(claim) for claim in ("email", "name", "sub"))
    return next((str(name) for name in names if name), "a person without a name")


def _is_listed(emails: list[str]) -> bool:
    """Whether the address of the sign-in is among these; one that is not verified is none."""
    if st.user.get("email_verified") is False:
        return False
    return str(st.user.get("email", "")).casefold() in {email.casefold() for email in emails}


def _providers() -> list[str]:
    """The providers that can be signed in with; "" is the one without a name."""
    auth = _secrets()[0].get("auth", {})
    named = [
        name
        for name, value in auth.items()
        if isinstance(value, Mapping) and "client_id" in value and name != "default"
    ]
    return ["", *named] if "client_id" in auth or "default" in auth else named


def _is_at_this_computer() -> bool:
    if any(st.context.headers.get(name) for name in _PROXY_HEADERS):
        return False
    address = st.context.ip_address
    if not isinstance(address, str):  # what Streamlit says of this very computer
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
