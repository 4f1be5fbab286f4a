"""What becomes of each parameter of libpq."""

from __future__ import annotations

from typing import Final

import pytest

from petstream.postgres.parameters import PARAMETERS
from petstream.postgres.url import read

OF_LIBPQ_18: Final = {
    "application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname",
    "fallback_application_name", "gssdelegation", "gssencmode", "gsslib", "host", "hostaddr",
    "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname",
    "load_balance_hosts", "max_protocol_version", "min_protocol_version", "oauth_client_id",
    "oauth_client_secret", "oauth_issuer", "oauth_scope", "options", "passfile", "password",
    "port", "replication", "require_auth", "requirepeer", "requiressl", "scram_client_key",
    "scram_server_key", "service", "servicefile", "ssl_max_protocol_version",
    "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression", "sslcrl",
    "sslcrldir", "sslkey", "sslkeylogfile", "sslmode", "sslnegotiation", "sslpassword",
    "sslrootcert", "sslsni", "target_session_attrs", "tcp_user_timeout", "user",
}  # fmt: skip
"""As its manual lists them."""

USUAL: Final = {
    "channel_binding": "require", "client_encoding": "UTF8", "gssencmode": "prefer",
    "keepalives": "1", "load_balance_hosts": "random", "max_protocol_version": "latest",
    "min_protocol_version": "3.0", "port": "5433", "replication": "off", "requiressl": "1",
    "ssl": "true", "ssl_max_protocol_version": "TLSv1.3", "ssl_min_protocol_version": "TLSv1.2",
    "sslcertmode": "allow", "sslcompression": "0", "sslmode": "require",
    "sslnegotiation": "postgres", "sslsni": "1", "target_session_attrs": "read-write",
    "gssdelegation": "0", "gsslib": "gssapi",
}  # fmt: skip
"""A value that people do write, where not any or a number is right."""


def test_o6_every_parameter_of_libpq_has_its_fate() -> None:
    """O6: so does ``ssl``, which libpq takes for the sake of another client."""
    assert OF_LIBPQ_18 - PARAMETERS.keys() == set()


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_o6_each_is_taken_or_passed_over_or_refused_by_its_name(name: str) -> None:
    """O6: whatever stands in a URL, nothing ends in what asyncpg makes of it."""
    parameter = PARAMETERS[name]
    value = USUAL.get(name, "5")
    if parameter.fate == "refused" and not parameter.accepts:
        with pytest.raises(ValueError, match=f"^{name}: ") as caught:
            read(f"postgresql://host/pets?{name}={value}")
        assert str(caught.value) == f"{name}: {parameter.why}"
    else:
        url = read(f"postgresql://host/pets?{name}={value}")
        handed_on = {*url.client, *url.startup}
        is_handed_on = parameter.is_client or name in {"options", "application_name"}
        assert (name in handed_on) == is_handed_on


@pytest.mark.parametrize(
    "written",
    [
        "channel_binding=perhaps", "client_encoding=latin1", "connect_timeout=soon",
        "gssencmode=require", "gssdelegation=1", "keepalives=yes", "keepalives_idle=1m",
        "min_protocol_version=3.2", "replication=database", "sslmode=on", "sslnegotiation=no",
        "ssl=false", "ssl_min_protocol_version=SSLv3", "target_session_attrs=standby",
        "target_session_attrs=read-only", "target_session_attrs=prefer-standby",
    ],
)  # fmt: skip
def test_o6_a_value_that_cannot_be_had_is_refused_by_the_name_alone(written: str) -> None:
    """O6: the value may be a secret, so it isn't shown."""
    name, _, value = written.partition("=")
    with pytest.raises(ValueError, match=f"^{name}: ") as caught:
        read(f"postgresql://host/pets?{written}")
    assert value not in str(caught.value).replace("read-write", "").split()
