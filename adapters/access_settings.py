"""The settings of access: how long logins and keys hold, and what passwords and passkeys are."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from adapters.mail.settings import MailSettings


class AccessSettings(MailSettings, frozen=True, kw_only=True):
    """What can be set of sessions, passwords and API keys."""

    token_seconds: Annotated[
        int, Meta(description="How long an access token lives.", ge=10, le=600)
    ] = 600
    refresh_seconds: Annotated[
        int, Meta(description="How long a refresh token holds that nobody uses.", ge=60)
    ] = 2_592_000
    session_idle_seconds: Annotated[
        int, Meta(description="How long a browser's session holds that nobody uses.", ge=60)
    ] = 43_200
    session_seconds_max: Annotated[
        int, Meta(description="How long anybody stays logged in at most.", ge=60)
    ] = 7_776_000
    cookie_domain: Annotated[
        str | None,
        Meta(
            description="Logins answer with the cookies access_token and refresh_token as well, for"
            " this domain and those below it, such as books.example. Unset: who asks for them gets"
            " them, for the host alone.",
        ),
    ] = None
    passkey_rp_id: Annotated[
        str | None,
        Meta(
            description="The domain that passkeys are made for, such as books.example; they are"
            " good below it too, and never elsewhere. Unset: the host of PUBLIC_URL."
        ),
    ] = None
    passkey_origins: Annotated[
        str | None,
        Meta(
            description="Origins of the pages that log people in by passkeys, with commas between"
            " them. Unset: that of PUBLIC_URL."
        ),
    ] = None
    password_kib: Annotated[
        int,
        Meta(
            description="Memory that Argon2id takes for a password, in KiB.", ge=7_168, le=1_048_576
        ),
    ] = 19_456
    password_passes: Annotated[
        int, Meta(description="How often Argon2id goes over that memory.", ge=1, le=100)
    ] = 2
    password_lanes: Annotated[
        int, Meta(description="Into how many lanes Argon2id divides that memory.", ge=1, le=64)
    ] = 1
    breached_passwords: Annotated[
        Path | None,
        Meta(
            description="Passwords that nobody may choose, as `asiento user breached` writes them."
            " Unset: some 20,000 common ones."
        ),
    ] = None
    api_key_days: Annotated[
        int,
        Meta(description="How long an API key holds for which nobody says it.", ge=1, le=36_500),
    ] = 90
    api_key_days_max: Annotated[
        int,
        Meta(
            description="How long an API key may hold at most, and none for ever; 0: as long as"
            " is asked for, for ever too.",
            ge=0,
            le=36_500,
        ),
    ] = 0
