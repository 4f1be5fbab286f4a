"""Every parameter of libpq, and what becomes of it in a URL: taken, passed over or refused. Pure.

Rule 1: what demands security that can't be had here is refused, with one exception: hosted
        Postgres hands out ``channel_binding=require``, so that is passed over, and told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Fate = Literal["taken", "passed over", "refused"]

NO: Final = ("0", "off", "false", "no")
_YES: Final = ("1", "on", "true", "yes")
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TLS_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


class Parameter(NamedTuple):
    """What becomes of a parameter.

    Attributes:
        fate: what becomes of it; a value that isn't accepted is refused all the same.
        why: why it is passed over, or what to do instead; a phrase.
        accepts: the values there may be; None: any, or a whole number (`is_number`).
        is_number: it must be a whole number.
        is_client: asyncpg reads it as it is.
        tells: where these values are passed over, it is told.
    """

    fate: Fate
    why: str = ""
    accepts: tuple[str, ...] | None = None
    is_number: bool = False
    is_client: bool = False
    tells: tuple[str, ...] = ()

    def problem(self, value: str) -> str | None:
        """Return what is wrong with a value, without it; None: nothing.

        >>> Parameter("taken", is_number=True).problem("soon")
        'it must be a whole number'
        """
        if self.fate == "refused" and (self.accepts is None or value.lower() not in self.accepts):
            return self.why
        if self.is_number and not re.fullmatch(r"-?\d{1,9}", value):
            return "it must be a whole number"
        known = None if self.accepts is None else {word.lower() for word in self.accepts}
        if known is not None and value.lower() not in known:
            return f"it must be one of {', '.join(self.accepts or ())}"
        return None


def _client(accepts: tuple[str, ...] | None = None) -> Parameter:
    return Parameter("taken", accepts=accepts, is_client=True)


_TAKEN: Final = Parameter("taken")
_NUMBER: Final = Parameter("taken", is_number=True)
_NO_OAUTH: Final = Parameter("refused", "OAuth isn't spoken here: set a user and a password")
_NO_KEYS: Final = Parameter("refused", "set the password, not keys that are made of it")
_ONE_VERSION: Final = Parameter("passed over", "version 3.0 of the protocol is spoken")

PARAMETERS: Final[Mapping[str, Parameter]] = {
    "host": _TAKEN,
    "hostaddr": Parameter("refused", "write the address as the host"),
    "port": _TAKEN,
    "dbname": _TAKEN,
    "user": _TAKEN,
    "password": _TAKEN,
    "passfile": _client(),
    "service": _client(),
    "servicefile": Parameter("refused", "set the variable PGSERVICEFILE"),
    "require_auth": Parameter("refused", "take it out: no way to log in can be ruled out here"),
    "channel_binding": Parameter(
        "passed over",
        "it isn't done; sslmode=verify-full with sslrootcert=system sees to it that the server is "
        "the right one",
        ("disable", "prefer", "require"),
        tells=("require",),
    ),
    "connect_timeout": _NUMBER,
    "client_encoding": Parameter("passed over", "it is UTF-8", ("utf8", "utf-8", "auto")),
    "options": _TAKEN,
    "application_name": _TAKEN,
    "fallback_application_name": _TAKEN,
    "keepalives": Parameter("taken", accepts=("0", "1")),
    "keepalives_idle": _NUMBER,
    "keepalives_interval": _NUMBER,
    "keepalives_count": _NUMBER,
    "tcp_user_timeout": _NUMBER,
    "replication": Parameter("refused", "it is for standbys: take it out", NO),
    "gssencmode": Parameter(
        "refused",
        "GSS encryption can't be had: take it out, and set sslmode",
        ("disable", "prefer"),
    ),
    "gssdelegation": Parameter("refused", "credentials aren't passed on: take it out", ("0",)),
    "krbsrvname": _client(),
    "gsslib": _client(("gssapi",)),
    "sslmode": _client(_SSL_MODES),
    "ssl": Parameter("taken", accepts=("true",)),
    "requiressl": Parameter("taken", accepts=("0", "1")),
    "sslnegotiation": _client(("postgres", "direct")),
    "sslrootcert": _client(),
    "sslcert": _client(),
    "sslkey": _client(),
    "sslpassword": _client(),
    "sslcertmode": Parameter(
        "passed over", "a certificate is shown where sslcert names one", ("allow", "disable")
    ),
    "sslcrl": _client(),
    "sslcrldir": Parameter("refused", "put the lists into one file, and name that as sslcrl"),
    "sslcompression": Parameter("passed over", "TLS is never compressed", (*NO, *_YES)),
    "sslsni": Parameter("passed over", "the host's name is always sent", ("0", "1")),
    "sslkeylogfile": Parameter("refused", "take it out: keys of sessions are written nowhere"),
    "ssl_min_protocol_version": _client(_TLS_VERSIONS),
    "ssl_max_protocol_version": _client(_TLS_VERSIONS),
    "requirepeer": Parameter("refused", "whose the socket is can't be asked: take it out"),
    "min_protocol_version": Parameter(
        "passed over", "version 3.0 of the protocol is spoken", ("3.0",)
    ),
    "max_protocol_version": _ONE_VERSION,
    "target_session_attrs": _client(("any", "primary", "read-write")),
    "load_balance_hosts": Parameter(
        "passed over", "hosts are tried in their order", ("disable", "random"), tells=("random",)
    ),
    "scram_client_key": _NO_KEYS,
    "scram_server_key": _NO_KEYS,
    "oauth_issuer": _NO_OAUTH,
    "oauth_client_id": _NO_OAUTH,
    "oauth_client_secret": _NO_OAUTH,
    "oauth_scope": _NO_OAUTH,
    "authtype": Parameter("passed over", "libpq passes it over, too"),
    "tty": Parameter("passed over", "libpq passes it over, too"),
}
"""All that libpq of Postgres 18 knows, and what older ones knew."""
