"""Who may run full training and promote models.

- On a public demo: nobody.
- If `.streamlit/secrets.toml` sets a passphrase (`[access] passphrase`): whoever enters it.
- If it sets Streamlit's sign-in (`[auth]`): whoever signs in, or only the addresses in
  `[access] emails`. If it sets both, both are needed.
- Otherwise: whoever uses the computer that the app runs on.
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

_SECONDS_PER_ATTEMPT = 1.0  # on the whole server, so that more sessions cannot guess faster
_MAX_SECONDS_WAITING = 5.0
_attempts = threading.Lock()
_KEYS = {"passphrase", "emails"}
# Set by proxies; behind one, every visitor seems to be at this computer.
_PROXY_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")


@dataclass(frozen=True)
class Access:
    """Whether this session may run full training and promote models."""

    reason: str = ""  # why not, in Markdown; empty if it may
    needs: str = ""  # what would unlock it: "passphrase" or "sign-in"; empty if nothing would
    signed_in_as: str = ""  # e-mail address or name

    @property
    def is_allowed(self) -> bool:
        """True if it may."""
        return not self.reason


def of_session() -> Access:
    """What this session may do, computed on every run."""
    if paths.is_demo():
        return Access(
            "**Switched off in the demo.** This app is open to everyone, so nobody can run full "
            "training or change the model in use here."
        )
    secrets, problem = _secrets()
    if problem:
        return Access(problem)
    settings = secrets.get("access", {})
    signed_in_as = _signed_in_as() if "auth" in secrets else ""
    if "auth" in secrets and not signed_in_as:
        return Access("**Sign in** to run full training or change the model in use.", "sign-in")
    if "emails" in settings and not _is_listed(settings["emails"]):
        return Access(
            f"**{literal(signed_in_as)} can view but not change anything.** The operator of this "
            "app has listed who may run full training and change the model in use.",
            signed_in_as=signed_in_as,
        )
    if "passphrase" in settings and not _has_opened(settings["passphrase"]):
        return Access(
            "**Enter the passphrase** to run full training or change the model in use.",
            "passphrase",
            signed_in_as,
        )
    if not settings and "auth" not in secrets and not _is_at_this_computer():
        return Access(
            "**Only possible on the computer that the app runs on.** You are using another one, "
            "and the operator has set neither a passphrase nor a sign-in (docs/deployment.md, “Who "
            "may change the model in use”)."
        )
    return Access(signed_in_as=signed_in_as)


def show_unlock(access: Access) -> None:
    """Why this session may not change anything, and how to unlock it; nothing if it may."""
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
    """The user's name for the journal: from the sign-in, or typed."""
    if access.signed_in_as:
        st.markdown(small(f"The journal will name you: {literal(access.signed_in_as)}."))
        return access.signed_in_as
    name = st.text_input(
        "Your name, for the journal",
        value=st.session_state.get(sessions.OWN_NAME, ""),
        max_chars=80,
        placeholder="Required",
        key=key,
    )
    st.session_state[sessions.OWN_NAME] = name
    return name.strip()


def _show_passphrase() -> None:
    with st.form("passphrase_form", clear_on_submit=True, border=False):
        typed = st.text_input("Passphrase", type="password", key="passphrase", max_chars=200)
        is_submitted = st.form_submit_button("Unlock", icon=":material/lock_open:")
    if is_submitted:
        problem = _try(typed)
        if problem:
            st.error(problem, icon=":material/error:")
        else:
            st.rerun()


def _try(typed: str) -> str:
    """Unlock the session if the passphrase is right; otherwise returns why not, in Markdown.

    One attempt per second on the whole server: opening more sessions does not help guessing.
    """
    if not _attempts.acquire(timeout=_MAX_SECONDS_WAITING):
        return "**Not checked.** Too many attempts at the same time; try again in a minute."
    try:
        time.sleep(_SECONDS_PER_ATTEMPT)
        secrets, problem = _secrets()
        expected = secrets.get("access", {}).get("passphrase")
        if problem or expected is None:
            return problem
        digest = _digest(typed)
        if not hmac.compare_digest(digest, _digest(expected)):
            return "**That is not the passphrase.**"
        st.session_state[sessions.OPENED_WITH] = digest
        return ""
    finally:
        _attempts.release()


def _has_opened(passphrase: str) -> bool:
    """Whether the current passphrase was entered in this session."""
    digest = st.session_state.get(sessions.OPENED_WITH, "")
    return hmac.compare_digest(digest, _digest(passphrase))


def _digest(passphrase: str) -> str:
    # Keyboards encode ä as one character or as two.
    return hashlib.sha256(unicodedata.normalize("NFC", passphrase).encode()).hexdigest()


def _secrets() -> tuple[Mapping[str, Any], str]:
    """The sections `access` and `auth` of the secrets, and what is wrong with them, in Markdown.

    An unreadable file or an invalid setting locks the app, because locking was intended.
    """
    if not st.secrets.load_if_toml_exists():
        if any(Path(path).exists() for path in st.get_option("secrets.files")):
            return {}, "**Locked.** `secrets.toml` cannot be read; ask the operator to fix it."
        return {}, ""
    secrets = {name: st.secrets[name] for name in ("access", "auth") if name in st.secrets}
    settings = secrets.get("access", {})
    if not isinstance(settings, Mapping) or not settings.keys() <= _KEYS:
        return {}, _invalid("`[access]` may contain only `passphrase` and `emails`")
    if "access" in secrets and not settings:
        return {}, _invalid("`[access]` is empty")
    passphrase, emails = settings.get("passphrase", "-"), settings.get("emails", ["-"])
    if not isinstance(passphrase, str) or not passphrase.strip():
        return {}, _invalid("`passphrase` must be text and not empty")
    if isinstance(emails, str) or not emails or not all(isinstance(e, str) for e in emails):
        return {}, _invalid("`emails` must be a list of addresses")
    if "emails" in settings and "auth" not in secrets:
        return {}, _invalid("`emails` needs a sign-in, `[auth]`")
    return secrets, ""


def _invalid(problem: str) -> str:
    return f"**Locked.** The operator’s `secrets.toml` is not valid: {problem}."


def _signed_in_as() -> str:
    if not st.user.get("is_logged_in"):
        return ""
    names = (st.user.get(claim) for claim in ("email", "name", "sub"))
    return next((str(name) for name in names if name), "a person without a name")


def _is_listed(emails: list[str]) -> bool:
    """Whether the verified address of the sign-in is in the list."""
    if st.user.get("email_verified") is False:
        return False
    return str(st.user.get("email", "")).casefold() in {email.casefold() for email in emails}


def _providers() -> list[str]:
    """Names of the sign-in providers; "" is the unnamed one."""
    auth = _secrets()[0].get("auth", {})
    names = [
        name
        for name, value in auth.items()
        if isinstance(value, Mapping) and "client_id" in value and name != "default"
    ]
    return ["", *names] if "client_id" in auth or "default" in auth else names


def _is_at_this_computer() -> bool:
    if any(st.context.headers.get(name) for name in _PROXY_HEADERS):
        return False
    text = st.context.ip_address
    if not isinstance(text, str):  # Streamlit gives None for this computer
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
